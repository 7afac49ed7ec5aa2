package reconcile

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

func TestCauseOf(t *testing.T) {
	one, two := object.Sysctl{Path: "a", Val: "1"}, object.Sysctl{Path: "a", Val: "2"}
	for name, tt := range map[string]struct {
		f    facts
		want plan.Cause
	}{
		"first round": {
			facts{first: true, reconfigured: true, asked: true, failed: true, wanted: one},
			plan.CauseStart,
		},
		"new":                     {facts{wanted: one}, plan.CauseChange},
		"wanted otherwise":        {facts{wanted: two, before: one, recorded: one}, plan.CauseChange},
		"not wanted any more":     {facts{before: one, recorded: one}, plan.CauseChange},
		"written and not there":   {facts{wanted: one, before: one, recorded: one}, plan.CauseDrift},
		"ours, and never written": {facts{}, plan.CauseDrift},
		"failed":                  {facts{wanted: one, before: one, recorded: one, failed: true}, plan.CauseRetry},
		"removal failed":          {facts{recorded: one, failed: true}, plan.CauseRetry},
		"configured": {
			facts{reconfigured: true, wanted: two, before: one, recorded: one},
			plan.CauseConfig,
		},
		"configured away": {facts{reconfigured: true, before: one, recorded: one}, plan.CauseConfig},
		"drift while configured": {
			facts{reconfigured: true, wanted: one, before: one, recorded: one},
			plan.CauseDrift,
		},
		"repair": {facts{asked: true, wanted: one, before: one, recorded: one}, plan.CauseRepair},
		"repair of what failed": {
			facts{asked: true, failed: true, wanted: two, before: two, recorded: one},
			plan.CauseRepair,
		},
		"change while repairing":          {facts{asked: true, wanted: two, before: one, recorded: one}, plan.CauseChange},
		"wanted before and never written": {facts{wanted: two, before: two, recorded: one}, plan.CauseChange},
	} {
		if got := causeOf(tt.f); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// TestCausesAreRecorded: each step of a story has its cause in the plan, the ledger
// and the history, and the counters count drift.
func TestCausesAreRecorded(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	route := object.NewRoute(201, prefix("172.24.4.92/32"), "br-ex", netip.Addr{})
	var drift uint64
	expect := func(what string, r Round, want plan.Cause) {
		t.Helper()
		if r.Plan.Empty() {
			t.Fatalf("%s: nothing was planned", what)
		}
		for _, op := range r.Plan.Ops {
			if op.Cause != want {
				t.Errorf("%s: got cause %q of %s, want %q", what, op.Cause, op, want)
			}
			if op.After != nil && op.Verb != plan.Restore && n.db.Cause(op.Key()) != want {
				t.Errorf("%s: the ledger has cause %q of %s", what, n.db.Cause(op.Key()), op)
			}
		}
		past, err := n.db.History(history.Filter{Cause: want})
		if err != nil || len(past.Steps) < len(r.Plan.Ops) {
			t.Errorf("%s: history has %d steps, %v", what, len(past.Steps), err)
		}
		if want == plan.CauseDrift {
			drift += uint64(len(r.Plan.Ops))
		}
		if _, stats := n.c.Last(); stats.Drift != drift {
			t.Errorf("%s: %d steps count as drift, want %d", what, stats.Drift, drift)
		}
	}
	expect("start", n.round(), plan.CauseStart)
	happen(t, s, []*node{n}, "port vmNew on dp-pub mac \"fa:16:3e:15:9e:f9 172.24.4.93\" chassis cmp-1 up")
	expect("a port", n.round(), plan.CauseChange)
	n.world.Unset(route.Key())
	expect("a route is gone", n.round(), plan.CauseDrift)
	n.world.Unset(route.Key())
	r, err := n.c.RoundNow(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	expect("repair", r, plan.CauseRepair)

	cfg := defaults()
	cfg.Expose.Origin = object.OriginIGP
	n.c.Reconfigure(Intent{Drivers: []desired.Driver{bgp.New(cfg)}})
	expect("configuration", n.round(), plan.CauseConfig)
	happen(t, s, []*node{n}, "drop vmNew")
	expect("the port goes", n.round(), plan.CauseChange)
	n.start()
	drift = 0 // it counts anew
	n.world.Unset(route.Key())
	expect("another process", n.round(), plan.CauseStart)
}

// TestCauseIsNotPrinted: plans of the same steps read the same whatever their cause,
// and scripts are told.
func TestCauseIsNotPrinted(t *testing.T) {
	op := plan.Op{Verb: plan.Create, Phase: plan.Build, After: object.Device{Name: "br-ex", Up: true}}
	with := op
	with.Cause = plan.CauseDrift
	if with.String() != op.String() {
		t.Errorf("got %q, want %q", with, op)
	}
	raw, err := plan.Plan{Ops: []plan.Op{with}}.MarshalJSON()
	if err != nil || !strings.Contains(string(raw), `"cause":"drift"`) {
		t.Errorf("got %s, %v", raw, err)
	}
}
