package reconcile

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

var errBusy = errors.New("busy")

// execution is a controller on a model world and the plan it executes.
func execution(t *testing.T, w *model.World, p plan.Plan) []error {
	t.Helper()
	reader, err := actual.NewReader(w)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{Backends: reader, Journal: noJournal{}, Clock: &manualClock{}})
	outcomes, err := c.execute(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func world(values ...object.Value) *model.World {
	w := model.New()
	w.Set(false, object.Device{Name: "br-ex", Up: true})
	w.Set(true, values...)
	return w
}

func parse(t testing.TB, lines ...string) []object.Value {
	t.Helper()
	var out []object.Value
	for _, line := range lines {
		v, err := object.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func diff(t *testing.T, w *model.World, items ...object.Item) plan.Plan {
	t.Helper()
	var want object.Set
	for _, it := range items {
		if err := want.Add(it); err != nil {
			t.Fatal(err)
		}
	}
	have, err := w.Read(t.Context(), actual.Focus{})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Diff(plan.Input{Want: want, Have: have, Ledger: plan.NoLedger{}})
}

// TestFailedStepBlocksWhatNeedsIt by name, and nothing else.
func TestFailedStepBlocksWhatNeedsIt(t *testing.T) {
	v := parse(t,
		"route 10.0.0.1/32 table 201 metric 0 dev br-ex", "path ipv4-unicast 10.0.0.1/32 next-hop self origin igp",
		"route 10.0.0.2/32 table 201 metric 0 dev br-ex", "path ipv4-unicast 10.0.0.2/32 next-hop self origin igp")
	w := world()
	w.FailNext(v[0].Key(), errBusy)
	p := diff(t, w,
		object.Item{Value: v[0]}, object.Item{Value: v[1], After: []object.Key{v[0].Key()}},
		object.Item{Value: v[2]}, object.Item{Value: v[3], After: []object.Key{v[2].Key()}})
	outcomes := map[object.Key]error{}
	for i, err := range execution(t, w, p) {
		outcomes[p.Ops[i].Key()] = err
	}
	var blocked *BlockedError
	if !errors.As(outcomes[v[1].Key()], &blocked) || blocked.By != v[0].Key() {
		t.Errorf("the path: got %v, want it blocked by its route", outcomes[v[1].Key()])
	}
	if !errors.Is(outcomes[v[0].Key()], errBusy) || outcomes[v[2].Key()] != nil || outcomes[v[3].Key()] != nil {
		t.Errorf("got %v, want only the first route and its path to fail", outcomes)
	}
}

// TestFailedWithdrawalStopsDismantling: what is still announced is still
// forwarded; building goes on.
func TestFailedWithdrawalStopsDismantling(t *testing.T) {
	v := parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex", "path ipv4-unicast 10.0.0.1/32 next-hop self origin igp")
	fresh := parse(t, "route 10.0.0.9/32 table 201 metric 0 dev br-ex")[0]
	w := world(v...)
	w.FailNext(v[1].Key(), errBusy)
	execution(t, w, diff(t, w, object.Item{Value: fresh}))
	for _, line := range []string{"route 10.0.0.1/32", "path ipv4-unicast 10.0.0.1/32", "route 10.0.0.9/32"} {
		if !strings.Contains(w.String(), line) {
			t.Errorf("%s is missing:\n%s", line, w)
		}
	}
}

// TestFailedHalfOfReplacement: a link that could not be deleted is not created.
func TestFailedHalfOfReplacement(t *testing.T) {
	v := parse(t, "link br-ex.7 type vlan parent br-ex id 7 up", "link br-ex.7 type vlan parent br-ex id 8 up")
	w := world(v[0])
	w.FailNext(v[0].Key(), errBusy)
	outcomes := execution(t, w, diff(t, w, object.Item{Value: v[1]}))
	var blocked *BlockedError
	if len(outcomes) != 2 || !errors.Is(outcomes[0], errBusy) || !errors.As(outcomes[1], &blocked) {
		t.Errorf("got %v, want a failed delete and a blocked create", outcomes)
	}
}

func TestCancelledPlanIsNoFailure(t *testing.T) {
	w := world()
	p := diff(t, w, object.Item{Value: parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex")[0]})
	reader, err := actual.NewReader(w)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{Backends: reader, Journal: noJournal{}, Clock: &manualClock{}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	outcomes, err := c.execute(ctx, p)
	if err != nil || !errors.Is(outcomes[0], context.Canceled) || len(c.fails) > 0 {
		t.Errorf("got %v, %v and %d failures to wait for", outcomes, err, len(c.fails))
	}
}

func TestFailures(t *testing.T) {
	v := parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex", "route 10.0.0.1/32 table 201 metric 0 dev eth0")
	k, start := v[0].Key(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := failures{}
	now := start
	for i, want := range []time.Duration{retryMin, 2 * retryMin, 4 * retryMin} {
		f.add(k, v[0], errBusy, now)
		if got := f.next(now).Sub(now); got != want {
			t.Errorf("delay after attempt %d: got %s, want %s", i+1, got, want)
		}
		now = now.Add(want)
		if all, _ := f.waiting(now.Add(-1)); all[k] == "" {
			t.Errorf("attempt %d may come too early", i+2)
		}
		if all, _ := f.waiting(now); all[k] != "" {
			t.Errorf("attempt %d must wait: %s", i+2, all[k])
		}
	}
	for range 100 {
		f.add(k, v[0], errBusy, now)
	}
	if got := f.next(now).Sub(now); got != retryMax {
		t.Errorf("delay after many attempts: got %s, want %s", got, retryMax)
	}
	f.add(k, v[1], errBusy, now)
	if got := f.next(now).Sub(now); got != retryMin {
		t.Errorf("delay of another value: got %s, want %s", got, retryMin)
	}
	if _, stuck := f.waiting(now); len(stuck) > 0 {
		t.Errorf("a failed create counts as a failed delete: %v", stuck)
	}
}

func TestFailuresArePruned(t *testing.T) {
	v := parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex", "route 10.0.0.1/32 table 201 metric 0 dev eth0")
	k := v[0].Key()
	none, some := object.Set{}, mustSet(t, v[0])
	for name, tc := range map[string]struct {
		after      object.Value
		want, have object.Set
		left       int
	}{
		"still wanted":        {v[0], some, none, 1},
		"not wanted any more": {v[0], none, none, 0},
		"wanted otherwise":    {v[1], some, none, 0},
		"delete, still there": {nil, none, some, 1},
		"delete, gone":        {nil, none, none, 0},
	} {
		f := failures{}
		f.add(k, tc.after, errBusy, time.Time{})
		if f.prune(tc.want, tc.have); len(f) != tc.left {
			t.Errorf("%s: %d failures are left, want %d", name, len(f), tc.left)
		}
	}
}

func mustSet(t testing.TB, values ...object.Value) object.Set {
	t.Helper()
	s, err := object.SetOf(values...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLastKnownPathsStandOnTheirRoutes: what a process without a snapshot
// announces follows the routes that lead there, the host's own and the subnet's.
func TestLastKnownPathsStandOnTheirRoutes(t *testing.T) {
	v := parse(t,
		"route 10.0.0.0/26 table 201 metric 0 dev br-ex via 172.24.4.146", "route 10.0.0.5/32 table 202 metric 0 dev br-st",
		"route 10.0.0.6/32 table 201 metric 0 dev br-ex", "path ipv4-unicast 10.0.0.5/32 next-hop self origin igp",
		"path ipv4-unicast 10.0.0.0/24 next-hop self origin igp")
	s := mustSet(t, v...)
	tiePathsToRoutes(&s)
	host, _ := s.Get(v[3].Key())
	if len(host.After) != 2 || host.After[0] != v[0].Key() || host.After[1] != v[1].Key() {
		t.Errorf("got %v, want the subnet's and the host's route", host.After)
	}
	if wide, _ := s.Get(v[4].Key()); len(wide.After) > 0 {
		t.Errorf("a route to a part of the prefix is no route to it: %v", wide.After)
	}
}
