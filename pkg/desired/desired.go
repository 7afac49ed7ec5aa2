// Package desired runs the drivers over a snapshot and unites what they want into
// one set. It refuses to know any orchestrator: that is the drivers' part. It is
// pure, and no panic of a driver passes it.
//
// Read next: package object for the vocabulary, package expose for the
// building blocks, drivers/bgp for a driver.
package desired

import (
	"cmp"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Driver turns a snapshot into desired objects. It is a pure function of its
// configuration and the snapshot. Rows that it cannot use are returned as
// skips and never take the rest down.
type Driver interface {
	// Name is the driver's name in the configuration. It is also the Driver of the
	// sources of all that it adds: by it a driver's objects are held.
	Name() string
	// Desired adds to out. It must add in an order that does not depend on
	// map iteration, because of two values for one key the first one is kept. If it
	// panics, nothing of what it added counts; see expose.Exposer.Row for how to lose
	// one row only.
	Desired(snap observe.Snapshot, out *object.Set) []observe.Skip
}

// Importer is implemented by drivers that take in routes of others by their route
// targets.
type Importer interface {
	// Imports lists the route targets of each VNI; a star matches any
	// administrator.
	Imports(snap observe.Snapshot) map[uint32][]string
}

// TableUser is implemented by drivers that take routing tables outside of
// routing.table_range, if those are free.
type TableUser interface {
	// Tables lists those that are not ours yet. Whether others have routes in them
	// must be known before [Driver.Desired] is asked. m is what the last call has found out, with
	// whatever snapshot; it may be nil.
	Tables(m *parts.Memory, snap observe.Snapshot) []uint32
}

// TableWatcher is implemented by drivers that share routing tables with another program.
type TableWatcher interface {
	// Watched lists these tables: what others have in them must be known before
	// [Driver.Desired] is asked (observe.Host.Watched). m is as in [TableUser].
	Watched(m *parts.Memory, snap observe.Snapshot) []uint32
}

// Result is what all drivers together want.
type Result struct {
	Want    object.Set
	Skipped []observe.Skip
	// Panics are the drivers' panics with their stacks, one for each place; Skipped
	// has a skip for each row.
	Panics []Panic
}

// Compute runs the drivers in order, adds fixed, the objects that come from
// the configuration alone (peers), and blocks what a [Guard] does not let pass.
func Compute(snap observe.Snapshot, fixed []object.Item, drivers ...Driver) Result {
	return (*Memory)(nil).Compute(snap, fixed, drivers...)
}

// Compute is the function of that name, and comes to the same. It costs what has changed since
// the last time, where drivers are [Again].
func (m *Memory) Compute(snap observe.Snapshot, fixed []object.Item, drivers ...Driver) Result {
	res := m.run(snap, drivers)
	fixed, missing := Neighbours(snap, fixed)
	res.Skipped = slices.Concat(res.Skipped, missing)
	for _, it := range fixed {
		if err := res.Want.Add(it); err != nil {
			res.Skipped = append(res.Skipped, observe.Skip{
				Table: "configuration", Row: it.Value.Key().Text(), Code: observe.SkipConflict, Text: err.Error(),
			})
		}
	}
	m.protect(snap, &res.Want)
	res.Skipped = append(res.Skipped, unreadable(snap)...)
	res.Panics = takeStacks(res.Skipped)
	sorting.Sort(res.Skipped, func(a, b observe.Skip) int {
		return cmp.Or(
			cmp.Compare(a.Table, b.Table), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Text, b.Text),
			cmp.Compare(a.VNI, b.VNI), cmp.Compare(a.Driver, b.Driver), cmp.Compare(holds(a), holds(b)),
		)
	})
	res.Skipped = slices.Compact(res.Skipped)
	return res
}

// run collects what the drivers want. One that panics may have added anything by
// then. Instead of taking that back, which would cost every round, the others are
// run again without it: they are pure.
func (m *Memory) run(snap observe.Snapshot, drivers []Driver) Result {
	var panicked []observe.Skip
	for {
		res := Result{Skipped: slices.Clone(panicked)}
		failed := -1
		for i, d := range drivers {
			skips, p := runOne(d, m.of(d).parts, snap, &res.Want)
			if p != nil {
				panicked = append(panicked, *p)
				failed = i
				break
			}
			res.Skipped = append(res.Skipped, skips...)
		}
		if failed < 0 {
			return res
		}
		drivers = slices.Delete(slices.Clone(drivers), failed, failed+1)
	}
}

// unreadable reports rows that no driver has seen, because they could not be read
// at all.
func unreadable(snap observe.Snapshot) []observe.Skip {
	var bad []*observe.RowError
	if snap.SB != nil {
		bad = append(bad, snap.SB.BadRows...)
	}
	if snap.NB != nil {
		bad = append(bad, snap.NB.BadRows...)
	}
	if snap.Kube != nil {
		bad = append(bad, snap.Kube.BadRows...)
	}
	var out []observe.Skip
	for _, row := range bad {
		out = append(out, observe.Skip{
			Table: row.Table, Row: row.Row, Code: observe.SkipUnreadable, Text: row.Err.Error(), Hold: true,
		})
	}
	return out
}

// holds is 1 for a skip that holds, so that the order of skips is that of all they say: two
// derivations of one snapshot are compared.
func holds(s observe.Skip) int {
	if s.Hold {
		return 1
	}
	return 0
}
