package faults

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// told is what metric, status and history have of drift of one kind and way.
type told struct {
	metric, status string
	steps          []history.Step
}

func tellings(ctx context.Context, a *product.Agent, d Drift, since time.Time) (told, control.Status, error) {
	var out told
	text, err := a.Metrics(ctx)
	if err != nil {
		return out, control.Status{}, err
	}
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^bgp_ovn_drift_total{how="%s",kind="%s"} (\d+)$`, d.How, d.Kind))
	if m := line.FindStringSubmatch(text); m != nil {
		out.metric = m[1]
	}
	s, err := a.Status(ctx)
	if err != nil {
		return out, s, err
	}
	for _, c := range s.Drift.Counts {
		if c.Kind == d.Kind && c.How == d.How {
			out.status = fmt.Sprint(c.Count)
		}
	}
	h, err := a.Client().History(ctx, history.Filter{Since: since, Cause: plan.CauseDrift})
	for _, step := range h.Steps {
		if step.Kind == d.Kind && step.Drift != nil && step.Drift.How == d.How {
			out.steps = append(out.steps, step)
		}
	}
	return out, s, err
}

// Try makes a drift, and demands that metric, status and history tell of it in the same
// words, that what is ours is repaired, and that what is another owner's stays.
func (d Drift) Try(t *testing.T, a *product.Agent, w World) {
	t.Helper()
	ctx := harness.Context(t, driftDeadline)
	began := time.Now()
	before, _, err := tellings(ctx, a, d, began)
	harness.Check(t, err)
	harness.Check(t, w.Do(ctx, d.Lines))
	if len(d.Heal) > 0 {
		defer func() { harness.Check(t, a.Settle(ctx)) }()
		defer func() { harness.Check(t, w.Do(context.WithoutCancel(ctx), d.Heal)) }()
	}
	var now told
	var s control.Status
	lacks := ""
	err = harness.Await(ctx, "the drift to be told", func(ctx context.Context) (_ bool, err error) {
		if now, s, err = tellings(ctx, a, d, began); err != nil {
			return false, err
		}
		lacks = ""
		switch {
		case d.Kind != "" && now.metric == before.metric:
			lacks = "the metric does not count it: " + now.metric
		case d.Kind != "" && now.status == before.status:
			lacks = "status does not count it: " + now.status
		case d.Kind != "" && d.Code == "" && len(now.steps) == 0:
			lacks = "history does not have it"
		case d.Code != "" && !HasProblem(s, d.Code):
			lacks = fmt.Sprintf("no problem %s: %+v", d.Code, s.Problems)
		}
		return lacks == "", nil
	})
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, lacks, a.Tail(5))
	}
	if d.Kind != "" {
		who(t, d, now, s)
	}
	if d.Code == "" && d.Kind != "" {
		if err := a.Settle(ctx); err != nil {
			t.Errorf("it is not repaired: %v", err)
		}
	}
	t.Logf("took %s", time.Since(began).Round(time.Millisecond))
	if d.Stays != "" {
		p := harness.Must(a.Client().Plan(ctx))(t) // reads everything
		out := harness.Must(w.Chassis.Run(ctx, "sh", "-c", d.Stays))(t)
		if !strings.Contains(out, w.Expand(d.Shows)) || len(p.Ops) > 0 {
			t.Errorf("no %q in what must stay, or a plan of %d steps:\n%s\n%+v", w.Expand(d.Shows), len(p.Ops), out, p.Ops)
		}
	}
}

// driftDeadline is how long a drift may take to be told and repaired on an idle machine.
const driftDeadline = 20 * time.Second

// HasProblem reports whether status has a problem, below another one or by itself.
func HasProblem(s control.Status, code string) bool {
	for _, p := range problem.Flat(s.Problems) {
		if p.Code == code {
			return true
		}
	}
	return false
}

// who demands that status and history name the program, as far as anybody can know it.
func who(t *testing.T, d Drift, now told, s control.Status) {
	t.Helper()
	named := regexp.MustCompile(`\b` + d.By + `\[\d+\]$|process \d+$`)
	state := history.Repaired
	if d.Code != "" {
		state = history.NotRepaired
	}
	found := false
	for _, l := range s.Drift.Latest {
		if l.Kind == d.Kind && l.How == d.How {
			found = true
			if d.By != "" && !named.MatchString(l.By) {
				t.Errorf("status says it was %q: %+v", l.By, l)
			}
			if l.State != state || (l.Why == "") != (state == history.Repaired) {
				t.Errorf("status says that it is %s (%s)", l.State, l.Why)
			}
			break
		}
	}
	if !found {
		t.Errorf("not among the latest drifts: %+v", s.Drift.Latest)
	}
	for _, step := range now.steps {
		if d.By != "" && !named.MatchString(step.Drift.By) {
			t.Errorf("history says it was %q: %+v", step.Drift.By, step)
		}
	}
}
