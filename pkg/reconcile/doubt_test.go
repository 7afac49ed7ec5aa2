package reconcile

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// A process that restarts while our Chassis row is missing announces again what
// it announced before, although its speaker is empty and no driver wants it.
func TestRestartInDoubtAnnouncesAgain(t *testing.T) {
	s, err := story.Parse("include base\nport vmP on dp-pub mac \"fa:16:3e:15:9e:f0 172.24.4.92\" chassis cmp-1 up")
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	if _, err := n.c.Round(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	path := object.NewPath(prefix("172.24.4.92/32"), object.OriginIncomplete)
	announced := func() bool {
		have, err := n.world.Read(t.Context(), actual.Focus{})
		if err != nil {
			t.Fatal(err)
		}
		return have.Has(path.Key())
	}
	if !announced() {
		t.Fatalf("the path is not there at first:\n%s", n.world)
	}
	n.world.Unset(path.Key()) // the speaker went with the process
	n.start()
	snap, err := s.Snapshot("cmp-1")
	if err != nil {
		t.Fatal(err)
	}
	snap.SB = &observe.Southbound{Ports: snap.SB.Ports, Datapaths: snap.SB.Datapaths} // no Chassis at all
	n.c.cfg.Observer = constant{snap}
	r, err := n.c.Round(t.Context(), true)
	if err != nil || r.Frozen == "" {
		t.Fatalf("got %v, frozen %q, want a frozen round", err, r.Frozen)
	}
	if !announced() {
		t.Errorf("the path was not announced again:\n%s", r.Plan)
	}
	if !n.db.Owned(path.Key()) {
		t.Error("the ledger has forgotten the path")
	}
}

// constant is an observer of one snapshot.
type constant struct{ snap observe.Snapshot }

func (c constant) Snapshot(context.Context) (observe.Snapshot, error) { return c.snap, nil }
func (c constant) Changed() []<-chan struct{}                         { return nil }

// What stands on a kind that cannot be read is not announced anew, and what is
// announced stays.
func TestUnreadKinds(t *testing.T) {
	route := object.NewRoute(201, prefix("172.24.4.92/32"), "br-ex", netip.Addr{})
	path := object.NewPath(prefix("172.24.4.92/32"), object.OriginIncomplete)
	var want, none, announced object.Set
	want.Put(object.Item{Value: route})
	want.Put(object.Item{Value: path, After: []object.Key{route.Key()}})
	announced.Put(object.Item{Value: path, Marked: true})
	unread := []object.Kind{object.KindRoute, object.KindDevice, object.KindLink}
	for name, have := range map[string]object.Set{"new": none, "announced": announced} {
		p := plan.Diff(plan.Input{Want: want, Have: have, Ledger: plan.NoLedger{}, Unread: unread})
		if !p.Empty() || !strings.Contains(p.String(), object.BlockUnverified) {
			t.Errorf("%s:\n%s", name, p)
		}
	}
}

// A row on which others stand holds everything while it cannot be read; a VM's
// own row holds only what came from it.
func TestUnreadableStructure(t *testing.T) {
	s, err := story.Parse("include base")
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot("cmp-1")
	if err != nil {
		t.Fatal(err)
	}
	for row, want := range map[string]bool{
		"vm1": false, "provnet-c1": true, "lrp-gw1": true, "cr-lrp-gw1": true,
		"a row of unknown type": true,
	} {
		r := Round{Snapshot: snap, Skipped: []observe.Skip{{
			Table: "Port_Binding", Row: row, Code: observe.SkipUnreadable,
			Hold: true,
		}}}
		if got := unreadableStructure(r) != ""; got != want {
			t.Errorf("%s: got %t, want %t", row, got, want)
		}
		c := New(Config{Journal: NoJournal{}})
		keep := c.keeper(r)
		other := []object.Source{{Table: "Port_Binding", Row: "vm2", Decides: true}}
		if got := keep(object.Key{}, other) != nil; got != want {
			t.Errorf("%s: another row's objects held: %t, want %t", row, got, want)
		}
	}
}
