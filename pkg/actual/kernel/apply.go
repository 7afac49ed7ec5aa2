package kernel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// Apply performs changes of one kind in order, many in one system call, and
// returns an error or nil for each. A refused one does not hold up the others.
func (b *Backend) Apply(ctx context.Context, changes []object.Change) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.announce()
	errs := make([]error, len(changes))
	switch {
	case len(changes) == 0:
		return errs
	case b.watch == nil:
		return fill(errs, errClosed)
	}
	kind := changes[0].Key().Kind
	if err := b.prepare(ctx, kind, changes); err != nil {
		return fill(errs, fmt.Errorf("prepare to change the kernel: %w", err))
	}
	b.culprits.forget(changes)
	b.flight = &flight{changes: changes}
	var clashes []clash
	switch kind {
	case object.KindSysctl:
		b.applySysctls(ctx, changes, errs)
	case object.KindLink:
		b.applyLinks(ctx, changes, errs)
	default:
		clashes = b.send(ctx, kind, changes, errs)
	}
	b.drain()
	b.flight = nil
	b.applied = applied{kind, slices.Clone(changes), slices.Clone(errs)}
	b.settle(ctx, kind, changes, errs, clashes)
	return errs
}

func fill(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// prepare brings up to date what the changes depend on: the names of
// devices, and for kinds where the kernel would overwrite another owner's
// object, what exists under their keys.
func (b *Backend) prepare(ctx context.Context, kind object.Kind, changes []object.Change) error {
	b.drain()
	if b.scope.tables == nil {
		b.scope = newScope()
	}
	subscribed := b.scope.subscribed()
	needed := partLinks
	if kind != object.KindRoute {
		needed |= partOf(kind)
	}
	var table uint32
	for _, c := range changes {
		// There may be 100,000 routes and they are all in a few tables.
		if r, ok := c.After.(object.Route); ok && c.Before == nil && r.Table == table {
			continue
		}
		k := c.Key()
		if k.Kind != kind {
			return fmt.Errorf("%s is not of kind %s like the changes with it", k.Text(), kind)
		}
		b.stale |= b.scope.add(k)
		table = k.Num
		if c.Before != nil && c.After != nil {
			needed |= partOf(kind)
		}
	}
	if b.scope.subscribed() != subscribed {
		if err := b.restrict(); err != nil {
			return err
		}
	}
	if kind == object.KindProxyNeigh {
		b.stale |= partProxies // of which the kernel does not notify
	}
	return b.refreshOnly(ctx, needed)
}

// refreshOnly reads what is both needed and stale.
func (b *Backend) refreshOnly(ctx context.Context, needed parts) error {
	stale := b.stale & needed
	if stale&partLinks != 0 {
		stale |= partDevices
	}
	if stale == 0 {
		return nil
	}
	b.stale &^= stale
	if err := b.reread(ctx, stale); err != nil {
		b.stale |= stale
		return err
	}
	b.drain()
	return nil
}

// clash is a create that met something under its key.
type clash struct {
	i   int
	err *rtnl.Error
}

// send encodes the changes and sends them in batches. Every change becomes
// one request or more, or an outcome at once.
// Creates that met something are left for settle.
// An error of one request does not end the batch: the kernel works off all messages of
// a datagram and acknowledges each (netlink_rcv_skb in net/netlink/af_netlink.c).
func (b *Backend) send(ctx context.Context, kind object.Kind, changes []object.Change, errs []error) (clashes []clash) {
	encode := b.encoder(kind)
	var owners []int // of each request in the batch, the change
	flush := func() {
		err := b.conn.Execute(ctx, &b.batch, func(at int, err *rtnl.Error) {
			i := owners[at]
			if err.Errno == unix.EEXIST && changes[i].After != nil {
				errs[i] = err
				clashes = append(clashes, clash{i, err})
				return
			}
			if outcome := outcome(changes[i], err); outcome != nil && errs[i] == nil {
				errs[i] = outcome
			}
			if b.mirror.set.Has(changes[i].Key()) {
				b.invalidate(partOf(kind), false) // the mirror knows something else
			}
		})
		if err != nil {
			b.invalidate(partOf(kind), true)
			for _, i := range owners {
				errs[i] = fmt.Errorf("outcome unknown: %w", err)
			}
		}
		owners = owners[:0]
		b.batch.Reset()
	}
	b.batch.Reset()
	for i, c := range changes {
		before := b.batch.Len()
		errs[i] = encode(&b.batch, c)
		for range b.batch.Len() - before {
			owners = append(owners, i)
		}
		if b.batch.Full() {
			flush()
		}
	}
	flush()
	return clashes
}

type encoder func(*rtnl.Batch, object.Change) error

func (b *Backend) encoder(kind object.Kind) encoder {
	switch kind {
	case object.KindDevice:
		return b.encodeDevice
	case object.KindAddress:
		return b.encodeAddress
	case object.KindMaster:
		return b.encodeMaster
	case object.KindNeigh:
		return b.encodeNeigh
	case object.KindProxyNeigh:
		return b.encodeProxyNeigh
	case object.KindFDB:
		return b.encodeFDB
	case object.KindRoute:
		return b.encodeRoute
	case object.KindRule:
		return b.encodeRule
	default:
		return func(*rtnl.Batch, object.Change) error {
			return fmt.Errorf("the kernel holds nothing of kind %s", kind)
		}
	}
}

// settle handles the creates that met an existing object: the same value is as good as created,
// whatever else is another owner's and stays.
func (b *Backend) settle(ctx context.Context, kind object.Kind, changes []object.Change, errs []error,
	clashes []clash,
) {
	if len(clashes) == 0 {
		return
	}
	b.record()
	b.stale |= partOf(kind)
	if err := b.refreshOnly(ctx, everything&^partSysctls); err != nil {
		for _, c := range clashes {
			errs[c.i] = fmt.Errorf("read the object that exists already: %w", err)
		}
		return
	}
	for _, c := range clashes {
		errs[c.i] = b.resolveClash(changes[c.i].After, c.err)
	}
}

// resolveClash compares a wanted value with what exists under its key. Kinds that
// bear no mark on every kernel are ours when they are equal: the ledger decides
// whether they may be removed.
func (b *Backend) resolveClash(want object.Value, refused *rtnl.Error) error {
	k := want.Key()
	have, ok := b.mirror.set.Get(k)
	unmarkable := !k.HasMark()
	if ok && have.Value == want && (have.Marked || unmarkable) {
		return nil
	}
	if !ok {
		return object.Untouched(fmt.Errorf("another object with this key already exists: %w", refused))
	}
	return b.foreign(have)
}

// foreign is the error that names the existing object and its owner.
func (b *Backend) foreign(have object.Item) error {
	owner := "another owner's"
	if p, ok := b.mirror.others[have.Value.Key()]; ok {
		owner += " (protocol " + protocolName(p) + ")"
	}
	if have.Marked {
		owner = "our own, different"
	}
	return object.Untouched(fmt.Errorf("%s %s already exists and is not changed: %s", owner, have.Value.Key().Kind,
		object.Text(have.Value)))
}

// applied is what the last Apply did and the mirror does not know yet. Taking it
// in costs about a tenth of the writing; it waits until the mirror is next
// read, because what follows the writing, an announcement, waits for
// Apply to return.
type applied struct {
	kind    object.Kind
	changes []object.Change
	errs    []error
}

// record takes our own writes into the mirror. All but routes are read again
// before they are next used: they are few, and what the kernel made of a write
// is better seen than assumed.
func (b *Backend) record() {
	l := b.applied
	if len(l.changes) == 0 {
		return
	}
	b.applied = applied{}
	for i, c := range l.changes {
		switch {
		case l.errs[i] != nil:
			continue
		case c.After == nil:
			b.mirror.set.Remove(c.Before.Key())
		default:
			b.mirror.set.Put(object.Item{Value: c.After, Marked: c.Key().HasMark()})
		}
		if c.Reclaim {
			delete(b.mirror.others, c.Key())
		}
		if len(b.mirror.multiple) > 0 && has(b.mirror.multiple, c.Key()) {
			b.invalidate(partRoutes, false) // what else there was shows now
		}
		if a, ok := c.Before.(object.Address); ok && c.After == nil {
			b.addressGone(a.Dev, a.Prefix.Addr(), false)
		}
	}
	if l.kind != object.KindRoute {
		b.stale |= partOf(l.kind)
	}
	if l.kind == object.KindMaster {
		b.stale |= partLinks | partRoutes | onDevices // as for links, see applyLinks
	}
}

// errNeverDeleted refuses to delete a [object.Setting].
var errNeverDeleted = errors.New("a setting is changed, never deleted")
