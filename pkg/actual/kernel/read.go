package kernel

import (
	"context"
	"errors"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// Read returns what is ours and what others have under the keys in
// focus. Between complete reads it answers from the mirror after taking in the
// notifications that are queued, and reads only what has become stale.
//
// Neither focus.Want nor focus.Owned may be changed afterwards: passing the
// same ones again is how the backend knows that the focus is the same.
func (b *Backend) Read(ctx context.Context, focus actual.Focus) (object.Set, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch == nil {
		return object.Set{}, errClosed
	}
	b.drain()
	subscribed := b.scope.subscribed()
	b.stale |= b.scope.widen(focus)
	if focus.Complete {
		b.stale = everything
	}
	if focus.Complete || b.scope.subscribed() != subscribed {
		// Before reading: a change in a table that is new to us must not fall
		// between the reading and the watching.
		if err := b.restrict(); err != nil {
			return object.Set{}, err
		}
	}
	if err := b.refresh(ctx); err != nil {
		return object.Set{}, fmt.Errorf("read kernel: %w", err)
	}
	b.unreported = false
	return b.mirror.borrow(), nil
}

// refreshes bounds how often in a row one Read follows changes that come while
// it reads. What is stale after that is left to the next Read.
const refreshes = 4

// refresh reads again what is stale. Notifications that came in the meantime
// are applied afterwards: they are complete and in order, so what a dump has already
// seen of them does no harm.
func (b *Backend) refresh(ctx context.Context) error {
	for range refreshes {
		if b.stale == 0 {
			return nil
		}
		stale := b.stale
		b.stale = 0
		if err := b.reread(ctx, stale); err != nil {
			b.stale |= stale
			return err
		}
		b.drain()
	}
	if b.stale != 0 {
		b.signal()
	}
	return nil
}

func (b *Backend) reread(ctx context.Context, stale parts) error {
	// What a device takes along when it goes down has to be gone before it is read.
	if err := b.conn.Settle(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		which parts
		read  func(context.Context) error
	}{
		// Links first: the others get their device names from it.
		{partLinks, b.readLinks},
		{partDevices | partLinks, b.readDevices},
		{partSysctls, b.readSysctls},
		{partAddresses, b.readAddresses},
		{partNeighs, b.readNeighs},
		{partProxies, b.readProxies},
		{partFDB, b.readFDB},
		{partRules, b.readRules},
		{partRoutes, b.readRoutes},
	} {
		if stale&part.which == 0 {
			continue
		}
		if err := part.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// restrict sets which notifications to keep from us: those caused
// by our own writes, and other daemons' routes in tables that do not concern us.
func (b *Backend) restrict() error {
	return b.watch.Restrict(rtnl.Filter{
		Port:     b.conn.Port(),
		Protocol: b.marks.RouteProtocol,
		Tables:   b.scope.tableList(),
		// With the first entry in focus; what exists before that is read then.
		Forwarding: len(b.scope.fdb) > 0,
	})
}

// families are the address families in which there are routes, rules,
// addresses and neighbours.
var families = [...]uint8{unix.AF_INET, unix.AF_INET6}

// dumpItems reads all objects for which build writes a request in each family.
func (b *Backend) dumpItems(ctx context.Context, build func(q *rtnl.Batch, family uint8),
	row func(m rtnl.Message) (it object.Item, ok bool, err error),
) ([]object.Item, error) {
	var all []object.Item
	for _, family := range families {
		done := len(all)
		err := b.dump(ctx, family, func(q *rtnl.Batch) { build(q, family) }, func() { all = all[:done] },
			func(m rtnl.Message) error {
				it, ok, err := row(m)
				if ok && err == nil {
					all = append(all, it)
				}
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// dump is [rtnl.Conn.Dump] in which nothing there is no error.
func (b *Backend) dump(ctx context.Context, family uint8, build func(*rtnl.Batch), reset func(),
	row func(rtnl.Message) error,
) error {
	err := b.conn.Dump(ctx, build, reset, row)
	switch {
	// Under strict checking a table without its first route is an error and not an
	// empty dump (inet_dump_fib in net/ipv4/fib_frontend.c).
	case errors.Is(err, unix.ENOENT): // a table without routes so far
		return nil
	case family == unix.AF_INET6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)):
		return nil // a kernel without IPv6
	}
	return err
}
