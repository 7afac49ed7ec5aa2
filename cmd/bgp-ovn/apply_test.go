package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// planner is a controller that has a plan, and applies it if it is asked for by its digest.
type planner struct {
	control.Controller
	t    *testing.T
	plan plan.Plan
	fail bool
}

func (p *planner) PlanFile(context.Context) (control.PlanFile, error) {
	answer, err := control.PlanOf(p.plan)
	if err != nil {
		p.t.Error(err)
	}
	return control.PlanFileOf(p.plan.Ops, answer, "bgp-ovn test", "hv1", nil, "c"), nil
}

func (p *planner) Desired(context.Context) (control.Desired, error) {
	return control.Desired{Version: 1, Chassis: "hv1"}, nil
}

func (p *planner) Apply(ctx context.Context, digest string) (control.Applied, error) {
	f, _ := p.PlanFile(ctx)
	out := control.Applied{Version: 1, Failed: []control.FailedStep{}, Moved: []control.Moved{}}
	if f.Digest != digest {
		out.Now = &f
		return out, nil
	}
	out.Applied, out.Plan.Ops, out.Plan.Summary = true, f.Ops, f.Summary
	if p.fail {
		out.Failed = append(out.Failed, control.FailedStep{Line: "create route: busy"})
	}
	return out, nil
}

// TestPlanOutAndApply: the file that plan --out writes is applied, with the exit statuses that
// the documentation has.
func TestPlanOutAndApply(t *testing.T) {
	rt := object.Route{Table: 201, Dst: netip.MustParsePrefix("192.0.2.7/32"), Dev: "br-ex"}
	p := &planner{t: t, plan: plan.Plan{Ops: []plan.Op{{Verb: plan.Create, Phase: plan.Build, After: rt}}}}
	socket := serveHistory(t, p)
	file := filepath.Join(t.TempDir(), "change.json")
	out, errs, exit := runOn(t, socket, "plan", "--out", file)
	if exit != exitDiffers || !strings.HasSuffix(out, " 0 to delete\napply it: bgp-ovn apply "+file+"\n") {
		t.Fatalf("exit %d\n%s%s", exit, out, errs)
	}
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if runOn(t, socket, "plan", "--out", file, "-o", "json"); first == nil {
		t.Fatal("nothing was written")
	}
	if again, err := os.ReadFile(file); err != nil || string(again) != string(first) {
		t.Errorf("the same plan gives other bytes, %v", err)
	}
	for _, tt := range []struct {
		fail bool
		exit int
		want string
	}{
		{false, exitSame, "applied 1 of 1 steps\n"},
		{true, exitError, "failed: create route: busy\napplied 0 of 1 steps\n"},
	} {
		p.fail = tt.fail
		if out, errs, exit := runOn(t, socket, "apply", file); exit != tt.exit || !strings.HasSuffix(out, tt.want) {
			t.Errorf("exit %d, want %d\n%s%swant %s", exit, tt.exit, out, errs, tt.want)
		}
	}
	other := rt
	other.Dev = "eth0"
	p.plan.Ops[0] = plan.Op{Verb: plan.Update, Phase: plan.Build, Before: other, After: rt}
	const want = `nothing was applied: 1 object moved since the plan was made
  route 192.0.2.7/32 table 201 metric 0: it is not as it was before
    planned: nothing
    now:     route 192.0.2.7/32 table 201 metric 0  dev eth0
try: bgp-ovn plan --out FILE, and read it again
`
	if out, errs, exit := runOn(t, socket, "apply", file); exit != exitDiffers || out != want {
		t.Errorf("exit %d, want %d\n%s%swant\n%s", exit, exitDiffers, out, errs, want)
	}
	for _, args := range [][]string{
		{"apply", file, "--chassis", "hv2"},
		{"apply", filepath.Join(t.TempDir(), "none")},
		{"apply", os.Args[0]},
		{"plan", "--out", t.TempDir()},
		{"plan", "--out", file, "--set", "bgp.as=1"},
	} {
		if _, errs, exit := runOn(t, socket, args...); exit != exitError || errs == "" {
			t.Errorf("%v: exit %d, %s", args, exit, errs)
		}
	}
}
