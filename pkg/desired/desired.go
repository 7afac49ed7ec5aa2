// Package desired runs the drivers over a snapshot and unites their wishes
// into one set. It refuses to know any orchestrator: that is the drivers'
// part. It is pure.
//
// Read next: package object for the vocabulary, package expose for the
// building blocks, drivers/bgp for a driver.
package desired

import (
	"cmp"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Driver turns a snapshot into wishes. It is a pure function of its
// configuration and the snapshot. Rows that it cannot use are returned as
// skips and never take the rest down.
type Driver interface {
	// Name is the driver's name in the configuration.
	Name() string
	// Desired adds to out. It must add in an order that does not depend on
	// map iteration, because of two values for one key the first one stands.
	Desired(snap observe.Snapshot, out *object.Set) []observe.Skip
}

// Importer is implemented by drivers that take in routes of others by their route
// targets.
type Importer interface {
	// Imports lists the route targets of each VNI; a star stands for any
	// administrator.
	Imports(snap observe.Snapshot) map[uint32][]string
}

// TableUser is implemented by drivers that take routing tables outside of
// routing.table_range, if those are free.
type TableUser interface {
	// Tables lists those that are not ours yet. Whether others have routes in them
	// must be known before [Driver.Desired] is asked.
	Tables(snap observe.Snapshot) []uint32
}

// Result is what all drivers together want.
type Result struct {
	Want    object.Set
	Skipped []observe.Skip
}

// Compute runs the drivers in order and adds fixed, the objects that come from
// the configuration alone (peers). like is a set of about the size to expect,
// such as that of the last round; an empty one is fine.
func Compute(snap observe.Snapshot, fixed []object.Item, like object.Set, drivers ...Driver) Result {
	res := Result{Want: object.SetLike(like)}
	for _, d := range drivers {
		res.Skipped = append(res.Skipped, d.Desired(snap, &res.Want)...)
	}
	for _, it := range fixed {
		if err := res.Want.Add(it); err != nil {
			res.Skipped = append(res.Skipped, observe.Skip{
				Table: "configuration", Row: it.Value.Key().Text(), Code: observe.SkipConflict, Text: err.Error(),
			})
		}
	}
	var bad []*observe.RowError
	if snap.SB != nil {
		bad = append(bad, snap.SB.BadRows...)
	}
	if snap.NB != nil {
		bad = append(bad, snap.NB.BadRows...)
	}
	for _, row := range bad {
		res.Skipped = append(res.Skipped, observe.Skip{
			Table: row.Table, Row: row.Row, Code: observe.SkipUnreadable, Text: row.Err.Error(), Hold: true,
		})
	}
	slices.SortFunc(res.Skipped, func(a, b observe.Skip) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Text, b.Text))
	})
	res.Skipped = slices.Compact(res.Skipped)
	return res
}
