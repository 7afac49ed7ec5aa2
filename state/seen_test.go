package state

import (
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// seenStep is a drift of an object that no step mends.
func seenStep(key string) history.Step {
	return history.Step{
		Cause: plan.CauseDrift, Kind: "route", Key: key, Rows: []history.RowRef{}, Outcome: history.Seen, Error: "another's",
		Drift: &plan.Drift{How: plan.HowOverridden, Fields: []plan.Difference{}, By: "ip[7]"},
	}
}

// TestSaw: what was seen is written with the next round or when that is asked for, with
// the time at which it was seen, before the steps of that round, and bounded.
func TestSaw(t *testing.T) {
	at := file(t)
	db := started(t, at, Identity{})
	writes, when := db.Writes(), time.Now().Add(-time.Minute)
	db.Saw(when, []history.Step{seenStep("a"), seenStep("b")})
	if db.Writes() != writes || !db.Unwritten() {
		t.Errorf("%d transactions", db.Writes()-writes)
	}
	if err := db.End(plan.Plan{}, nil, 0); err != nil || db.Writes() != writes+1 || db.Unwritten() {
		t.Errorf("%v, %d transactions", err, db.Writes()-writes)
	}
	db.Saw(when.Add(time.Second), []history.Step{seenStep("c")})
	db.Flush()
	db.Flush()
	if db.Writes() != writes+2 {
		t.Errorf("%d transactions, want 2", db.Writes()-writes)
	}
	var many []history.Step
	for range 10 * mostSeen {
		many = append(many, seenStep("d"))
	}
	db.Saw(when, many)
	db.Saw(when, many)
	db.Flush()
	db.Close()
	db = started(t, at, Identity{})
	p, err := db.History(history.Filter{})
	if err != nil || len(p.Steps) != 3+mostSeen {
		t.Fatalf("%d steps, %v", len(p.Steps), err)
	}
	for i, key := range []string{"a", "b", "c", "d"} {
		s := p.Steps[i]
		if s.Key != key || s.Outcome != history.Seen || s.Drift == nil || s.Drift.By != "ip[7]" {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	if !p.Steps[0].At.Equal(when) {
		t.Errorf("seen at %s, want %s", p.Steps[0].At, when)
	}
	if db.past.steps >= 0 && db.past.steps != len(p.Steps) {
		t.Errorf("%d steps are counted of %d", db.past.steps, len(p.Steps))
	}
}
