package reconcile

import (
	"context"
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// countingJournal counts how often the whole ledger is asked for.
type countingJournal struct {
	rememberingJournal
	asked *int
}

func (j countingJournal) LastKnown() object.Set {
	*j.asked++
	return j.rememberingJournal.LastKnown()
}

// fresh is a fresh process on a node with that many ports, all of them announced. If held
// is true, one row cannot be read, and the path that an earlier process announced for it
// is only remembered.
func fresh(b testing.TB, ports int, held bool) (c *Controller, snap observe.Snapshot, asked *int) {
	b.Helper()
	snap = crowd(b, "provider", ports)
	driver := bgp.New(defaults())
	want := desired.Compute(snap, nil, driver).Want
	last := want.Clone()
	if held {
		const row = "vm-unreadable"
		bad := *snap.SB
		bad.BadRows = append(bad.BadRows, &observe.RowError{Table: "Port_Binding", Row: row, Err: errBusy})
		snap.SB = &bad
		path, err := object.Parse("path ipv4-unicast 10.255.255.254/32 next-hop self origin igp")
		if err != nil {
			b.Fatal(err)
		}
		last.Put(object.Item{Value: path, Why: []object.Source{{Table: "Port_Binding", Row: row, Decides: true}}})
	}
	reader, err := actual.NewReader(&stillLife{items: want})
	if err != nil {
		b.Fatal(err)
	}
	asked = new(int)
	c = New(Config{
		Observer: movingView{&snap}, Drivers: []desired.Driver{driver}, Backends: reader, DryRun: true,
		Journal: countingJournal{rememberingJournal{last: last}, asked},
	})
	return c, snap, asked
}

// movingView has another Southbound database, with the same rows, each time.
type movingView struct{ snap *observe.Snapshot }

func (v movingView) Snapshot(context.Context) (observe.Snapshot, error) {
	sb := *v.snap.SB
	v.snap.SB = &sb
	return *v.snap, nil
}

func (v movingView) Changed() []<-chan struct{} { return nil }

// TestLedgerIsReadOnce: while something that an earlier process announced is held, the
// whole ledger is read once and not in every round.
func TestLedgerIsReadOnce(t *testing.T) {
	c, _, asked := fresh(t, 20, true)
	path := object.Key{}
	for range 10 {
		r, err := c.Round(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		for k := range r.Want.AllOf(object.KindPath) {
			if k.Prefix == netip.MustParsePrefix("10.255.255.254/32") {
				path = k
			}
		}
	}
	if path == (object.Key{}) {
		t.Error("what is remembered is not held")
	}
	if *asked > 1 {
		t.Errorf("the ledger was read %d times in ten rounds", *asked)
	}
}

// BenchmarkRoundWhileHeld measures a round after a change of a row on 10,000 ports, once
// with nothing in doubt and once while a fresh process holds what it only remembers.
func BenchmarkRoundWhileHeld(b *testing.B) {
	for name, held := range map[string]bool{"settled": false, "held": true} {
		b.Run(name, func(b *testing.B) {
			c, _, _ := fresh(b, 10_000, held)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Round(b.Context(), false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
