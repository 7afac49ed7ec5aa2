package reconcile

import (
	"context"
	"errors"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

var errBusy = errors.New("busy")

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

func mustSet(t testing.TB, values ...object.Value) object.Set {
	t.Helper()
	s, err := object.SetOf(values...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCancelledPlanIsNoFailure: a step that was not tried because the process ends
// does not have to wait for another attempt.
func TestCancelledPlanIsNoFailure(t *testing.T) {
	w := model.New()
	w.Set(false, object.Device{Name: "br-ex", Up: true})
	v := parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex")[0]
	p := plan.Plan{Ops: []plan.Op{{Verb: plan.Create, Phase: plan.Build, After: v}}}
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
