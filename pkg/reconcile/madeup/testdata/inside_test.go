package madeup

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/beacon"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
	"github.com/bgp-ovn/bgp-ovn/state"
)

type view struct{ s *story.Story }

func (v view) Snapshot(context.Context) (observe.Snapshot, error) { return v.s.Snapshot("cmp-1") }
func (v view) Changed() []<-chan struct{}                         { return nil }

// focused is the model, and remembers which keys were asked for.
type focused struct {
	*model.World
	asked []object.Key
}

func (f *focused) Read(ctx context.Context, focus actual.Focus) (object.Set, error) {
	f.asked = focus.Owned
	return f.World.Read(ctx, focus)
}

// TestInside runs with the made-up kind and driver in place.
func TestInside(t *testing.T) {
	s, err := story.Parse("include base")
	if err != nil {
		t.Fatal(err)
	}
	w := &focused{World: model.New()}
	w.Set(false, s.Devices()...)
	reader, err := actual.NewReader(w)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(t.TempDir(), "state.db")
	db := open(t, at)
	red, green := []desired.Driver{beacon.Driver{Color: "red"}}, []desired.Driver{beacon.Driver{Color: "green"}}
	c := reconcile.New(reconcile.Config{Observer: view{s}, Drivers: red, Backends: reader, Journal: db})
	r := round(t, c, "+ beacon  b-br-ex  dev br-ex color red  # Bridge br-ex (beacon_driver X1)",
		"+ path    ipv4-unicast 192.0.2.9/32")
	raw, err := json.Marshal(r.Plan)
	if err != nil || !strings.Contains(string(raw), `"kind":"beacon","key":"b-br-ex"`) ||
		!strings.Contains(string(raw), `"color":"red"`) {
		t.Errorf("JSON of the plan: %s, %v", raw, err)
	}
	if !strings.Contains(w.String(), "beacon b-br-ex  dev br-ex color red\n") {
		t.Errorf("the world has no beacon:\n%s", w)
	}
	round(t, c) // the audit: nothing left to do

	// The journal: another process knows what is ours, and what it is needed for.
	light := object.Beacon{Name: "b-br-ex", Dev: "br-ex", Color: "red"}
	db.Close()
	db = open(t, at)
	path := remembered(t, db, r, light)
	c = reconcile.New(reconcile.Config{Observer: view{s}, Drivers: red, Backends: reader, Journal: db})
	r = round(t, c)
	if !slices.Contains(w.asked, light.Key()) {
		t.Error("a beacon has no mark, and the backend is not asked for it by its key")
	}
	e := c.Explain(r, path.Prefix.Addr(), []reconcile.PeerStatus{{Up: true, Text: "up"}}, true)
	if !e.Advertised || !strings.Contains(e.String(), "beacon b-br-ex  dev br-ex color red  ok") {
		t.Errorf("explain:\n%s", e)
	}

	// Drift, a change, and the end; held, the path keeps its beacon.
	w.Unset(light.Key())
	round(t, c, "+ beacon  b-br-ex")
	c.Reconfigure(reconcile.Intent{Drivers: green})
	round(t, c, "~ beacon  b-br-ex  dev br-ex color red -> dev br-ex color green")
	held(t, r.Want, db)
	c.Reconfigure(reconcile.Intent{})
	round(t, c, "- path    ipv4-unicast 192.0.2.9/32", "- beacon  b-br-ex")
	if db.Owned(light.Key()) {
		t.Error("the beacon is gone and still in the ledger")
	}
}

// open opens a state file until the test ends.
func open(t *testing.T, at string) *state.DB {
	t.Helper()
	db, err := state.Open(at, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// round runs an audit, whose steps begin with these words and succeed.
func round(t *testing.T, c *reconcile.Controller, want ...string) reconcile.Round {
	t.Helper()
	r, err := c.Round(t.Context(), true)
	if err != nil || len(r.Failed()) > 0 || r.JournalErr != nil {
		t.Fatal(err, r.Failed(), r.JournalErr)
	}
	if len(want) != len(r.Plan.Ops) {
		t.Fatalf("got\n%s\nwant %d steps", r.Plan, len(want))
	}
	for i, op := range r.Plan.Ops {
		if !strings.HasPrefix(op.String(), want[i]) {
			t.Errorf("step %d: got %q, want %q", i, op, want[i])
		}
	}
	return r
}

// remembered demands that the ledger has the one path, and the beacon as what it
// needs and as last known. It returns the path's key.
func remembered(t *testing.T, db *state.DB, r reconcile.Round, light object.Beacon) object.Key {
	t.Helper()
	key := object.NewPath(r.Want.SortedOf(object.KindPath)[0].Value.Key().Prefix, object.OriginIGP).Key()
	path, ok := db.Recorded(key)
	if !ok || len(path.After) != 1 || path.After[0] != light.Key() || !db.Owned(light.Key()) {
		t.Errorf("the ledger has %+v", path)
	}
	if have, ok := db.LastKnown().Get(light.Key()); !ok || have.Value != object.Value(light) {
		t.Errorf("last known: %+v", have)
	}
	return key
}

// held plans for a world in which nothing is wanted and the path cannot go.
func held(t *testing.T, have object.Set, ledger plan.Ownership) {
	t.Helper()
	var ours object.Set // as backends read it
	for k, it := range have.All() {
		it.Marked = k.Kind.HasMark()
		ours.Put(it)
	}
	p := plan.Diff(plan.Input{Have: ours, Ledger: ledger, Keep: func(k object.Key, _ []object.Source) *object.Block {
		if k.Kind.IsPath() {
			return &object.Block{Code: object.BlockHeld, Text: "drawn"}
		}
		return nil
	}})
	if !p.Empty() || !strings.Contains(p.String(),
		"! beacon  b-br-ex  held: path ipv4-unicast 192.0.2.9/32, which stays for now, needs it") {
		t.Errorf("got\n%swant path and beacon held", p)
	}
}
