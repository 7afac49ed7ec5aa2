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
