package ovsport

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ovn-org/libovsdb/ovsdb"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// database is what a session can do; see vswitch.Session.
type database interface {
	Tables(ctx context.Context) vswitch.Tables
	Transact(ctx context.Context, ops ...ovsdb.Operation) ([]ovsdb.OperationResult, error)
}

// step is one change on its way to the database.
type step struct {
	change object.Change
	err    *error
}

func (s step) name() string { return s.change.Key().Name }

// Apply performs the changes in one transaction, or in several where one name
// comes more than once. If the server refuses it, halves are tried until the
// changes at fault are known; all others take effect.
func (b *Backend) Apply(ctx context.Context, changes []object.Change) []error {
	errs := make([]error, len(changes))
	steps := make([]step, len(changes))
	for i, c := range changes {
		steps[i] = step{c, &errs[i]}
	}
	s, err := b.current()
	if err != nil {
		fail(steps, err)
		return errs
	}
	b.mu.Lock()
	b.applying = true
	b.mu.Unlock()
	for rest := steps; len(rest) > 0; {
		n := distinct(rest)
		b.perform(ctx, s, rest[:n])
		rest = rest[n:]
	}
	b.adopt(s, s.Tables(ctx))
	b.finish(steps)
	return errs
}

// distinct is the number of steps before a name comes again.
func distinct(steps []step) int {
	names := make(map[string]bool, len(steps))
	for i, s := range steps {
		if names[s.name()] {
			return i
		}
		names[s.name()] = true
	}
	return len(steps)
}

func namesOf(steps []step) map[string]bool {
	names := make(map[string]bool, len(steps))
	for _, s := range steps {
		names[s.name()] = true
	}
	return names
}

// finish separates what we did from what others did at the same time.
func (b *Backend) finish(steps []step) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.applying = false
	for _, s := range steps {
		if p, ok := s.change.After.(object.OVSPort); ok && errors.Is(*s.err, actual.ErrGone) {
			b.missing[p.Bridge] = true
		}
	}
	if b.unavailable != nil {
		return
	}
	if b.differs(namesOf(steps)) {
		b.signal()
	}
	b.rememberSeen()
}

func fail(steps []step, err error) {
	for _, s := range steps {
		*s.err = err
	}
}

// perform carries out steps of different names and leaves in each its error. Ports whose device is
// gone are deleted, and made once ovs-vswitchd has let go of what they had, as are those that have
// been deleted before and take a device.
func (b *Backend) perform(ctx context.Context, db database, steps []step) {
	have := inspectTables(db.Tables(ctx), namesOf(steps))
	var first, plugs []step
	for _, st := range steps {
		p, ok := st.change.After.(object.OVSPort)
		h, there := have[st.name()]
		switch {
		case ok && h.ours && h.lost != "":
			first = append(first, step{object.Change{Before: h.value}, st.err})
			plugs = append(plugs, st)
		case ok && !there && takesDevice(p) && b.wasThere(p.Name):
			plugs = append(plugs, st)
		default:
			first = append(first, st)
		}
	}
	b.transact(ctx, db, first)
	plugs = slices.DeleteFunc(plugs, func(st step) bool { return *st.err != nil })
	if len(plugs) == 0 {
		return
	}
	if err := b.follow(ctx, db, plugs); err != nil {
		fail(plugs, err)
		return
	}
	b.transact(ctx, db, plugs)
}

// transact carries out steps of different names in one transaction, or in as many as it takes
// to find those that the server refuses.
func (b *Backend) transact(ctx context.Context, db database, steps []step) {
	if len(steps) == 0 {
		return
	}
	t := db.Tables(ctx)
	tx := newTransaction(t, inspectTables(t, namesOf(steps)), b.index)
	var todo []step
	for _, st := range steps {
		n := tx.size()
		if *st.err = tx.plan(st.change); tx.size() > n {
			todo = append(todo, st)
		}
	}
	if len(todo) == 0 {
		return
	}
	b.deleting(todo)
	_, err := db.Transact(ctx, tx.operations()...)
	var refusal *vswitch.Refusal
	switch {
	case err == nil:
		verify(db.Tables(ctx), todo)
	case errors.As(err, &refusal) && len(todo) > 1:
		b.transact(ctx, db, todo[:len(todo)/2])
		b.transact(ctx, db, todo[len(todo)/2:])
	case errors.As(err, &refusal):
		fail(todo, fmt.Errorf("the Open_vSwitch database refused the transaction: %w", err))
	default:
		fail(todo, err)
	}
}

// verify checks what became of steps that the server has performed. A bridge
// that went at the same time takes a new port with it without a notification.
func verify(t vswitch.Tables, steps []step) {
	have := inspectTables(t, namesOf(steps))
	for _, s := range steps {
		h, found := have[s.name()]
		want, ok := s.change.After.(object.OVSPort)
		switch {
		case !ok && found && h.ours:
			*s.err = fmt.Errorf("the port still exists: %s", h.value.Attrs())
		case ok && found && h.value != want:
			*s.err = fmt.Errorf("another client changed the port at the same time, it is now %s", h.value.Attrs())
		case ok && !found:
			*s.err = fmt.Errorf("the port or bridge %s was deleted at the same time: %w", want.Bridge, actual.ErrGone)
		}
	}
}
