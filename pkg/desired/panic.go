package desired

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/isolate"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Panic is a defect of a driver that the log should have.
type Panic struct {
	// Text says which driver, where and what, in one line that is the same in every
	// round.
	Text string
	// Stack has two lines a frame, the innermost first.
	Stack string
}

// runOne asks one driver. Of a panic it makes the skip that holds all that the
// driver led to.
func runOne(d Driver, m *parts.Memory, snap observe.Snapshot, out *object.Set) ([]observe.Skip, *observe.Skip) {
	var skips []observe.Skip
	p := isolate.Run(func() {
		if again, ok := d.(Again); ok && m != nil {
			skips = again.DesiredAgain(m, snap, out)
		} else {
			skips = d.Desired(snap, out)
		}
	})
	if p == nil {
		return skips, nil
	}
	return nil, &observe.Skip{
		Code: observe.SkipPanic, Driver: d.Name(), Hold: true, Stack: p.Stack(),
		Text: fmt.Sprintf("driver %s panicked: %s; all objects it led to are held", d.Name(), p),
	}
}

// takeStacks takes the stacks out of the skips, sorted by what they belong to.
func takeStacks(skips []observe.Skip) []Panic {
	var out []Panic
	for i := range skips {
		s := &skips[i]
		if s.Stack != "" {
			out = append(out, Panic{Text: s.Text, Stack: s.Stack})
			s.Stack = ""
		}
	}
	sorting.Stable(out, func(a, b Panic) int { return cmp.Compare(a.Text, b.Text) })
	return slices.CompactFunc(out, func(a, b Panic) bool { return a.Text == b.Text })
}

// Tables asks the drivers for the routing tables that they are about to take. A
// driver that panics takes none; Compute reports it, because Desired comes by the
// same place.
func Tables(snap observe.Snapshot, drivers ...Driver) []uint32 {
	return (*Memory)(nil).Tables(snap, drivers...)
}

// Tables is the function of that name, at the cost of what has changed since the last time.
func (m *Memory) Tables(snap observe.Snapshot, drivers ...Driver) []uint32 {
	var out []uint32
	for _, d := range drivers {
		if user, ok := d.(TableUser); ok {
			isolate.Run(func() { out = append(out, user.Tables(m.of(d).tables, snap)...) })
		}
	}
	return out
}

// Watched asks the drivers for the routing tables that they share with another program. One that
// panics shares none.
func Watched(snap observe.Snapshot, drivers ...Driver) []uint32 {
	return (*Memory)(nil).Watched(snap, drivers...)
}

// Watched is the function of that name, at the cost of what has changed since the last time.
func (m *Memory) Watched(snap observe.Snapshot, drivers ...Driver) []uint32 {
	var out []uint32
	for _, d := range drivers {
		if watcher, ok := d.(TableWatcher); ok {
			isolate.Run(func() { out = append(out, watcher.Watched(m.of(d).watched, snap)...) })
		}
	}
	return out
}

// Imports asks the drivers for the route targets that each VNI imports, see
// [Importer]. A driver that panics imports none.
func Imports(snap observe.Snapshot, drivers ...Driver) map[uint32][]string {
	out := map[uint32][]string{}
	for _, d := range drivers {
		d, ok := d.(Importer)
		if !ok {
			continue
		}
		isolate.Run(func() {
			for vni, targets := range d.Imports(snap) {
				out[vni] = targets
			}
		})
	}
	return out
}

// Explain asks one driver for its accounts of an address. A driver that panics
// loses its own accounts: one that says so takes their place.
func Explain(d Driver, snap observe.Snapshot, addr netip.Addr) (accounts []reason.Account, panicked *Panic) {
	x, ok := d.(reason.Explainer)
	if !ok {
		return nil, nil
	}
	p := isolate.Run(func() { accounts = x.Explain(snap, addr) })
	if p == nil {
		return accounts, nil
	}
	text := fmt.Sprintf("driver %s panicked when it was asked about %s: %s", d.Name(), addr, p)
	return []reason.Account{{
		What:  "unknown to driver " + d.Name(),
		Steps: []reason.Step{{Stage: "driver", Text: text, Code: reason.DriverPanic}},
		Try:   "report it with the output of: bgp-ovn snapshot",
	}}, &Panic{Text: text, Stack: p.Stack()}
}
