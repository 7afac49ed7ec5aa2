package control_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

func planFile(t *testing.T, p plan.Plan, rows string) control.PlanFile {
	t.Helper()
	answer, err := control.PlanOf(p)
	if err != nil {
		t.Fatal(err)
	}
	return control.PlanFileOf(p.Ops, answer, "bgp-ovn test", "hv1", []byte(rows), "c1")
}

func written(t *testing.T, f control.PlanFile) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPlanFile: a file comes back as it was written, the same plan gives the same bytes, and
// one that was changed by hand is refused.
func TestPlanFile(t *testing.T) {
	p := samplePlan()
	p.Ops[0].Drift = &plan.Drift{How: plan.HowChanged, Fields: []plan.Difference{}, By: "ip[7]"}
	p.Ops = append(p.Ops, plan.Op{Verb: plan.Delete, Before: object.Route{
		Table: 201, Dst: netip.MustParsePrefix("192.0.2.9/32"), Dev: "br-ex",
	}})
	f := planFile(t, p, "rows")
	text := written(t, f)
	if text != written(t, planFile(t, p, "rows")) {
		t.Error("the same plan gives other bytes")
	}
	back, err := control.ReadPlanFile(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if again := written(t, back); again != text {
		t.Errorf("got\n%s\nwant\n%s", again, text)
	}
	if moved := control.MovedSince(back, f, control.Desired{}); len(moved) > 0 {
		t.Errorf("nothing has moved: %+v", moved)
	}
	for change, want := range map[string]string{
		`"dev": "br-ex"` + "\x00" + `"dev": "eth0"`:                 "its steps are not those",
		`"verb": "delete"` + "\x00" + `"verb": "create"`:            "its steps are not those",
		`"form": "bgp-ovn-plan"` + "\x00" + `"form": "x"`:           `form is "x"`,
		`"version": 1` + "\x00" + `"version": 2`:                    "it has version 2",
		`{` + "\x00" + `[`:                                          "it is no plan",
		f.Base.Objects[2].Digest + "\x00" + strings.Repeat("0", 64): "is not in it as it was before",
	} {
		from, to, _ := strings.Cut(change, "\x00")
		other := strings.Replace(text, from, to, 1)
		if _, err := control.ReadPlanFile(strings.NewReader(other)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", change, err, want)
		}
	}
}

// TestMovedSince names each object that moved, with what was planned and what there is now.
func TestMovedSince(t *testing.T) {
	other, third := rt, rt
	other.Dev, third.Dst = "eth0", netip.MustParsePrefix("192.0.2.8/32")
	create := func(v object.Value) plan.Op { return plan.Op{Verb: plan.Create, Phase: plan.Build, After: v} }
	ops := func(list ...plan.Op) plan.Plan { return plan.Plan{Ops: list} }
	var set object.Set
	set.Put(object.Item{Value: rt})
	there, err := control.DesiredOf("hv1", set, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		planned, now plan.Plan
		want         control.Desired
		code, before string
		after        string
	}{
		"another one's object came": {
			ops(create(rt)), ops(plan.Op{Verb: plan.Update, Before: other, After: rt}), there,
			control.MovedBefore, "nothing", "dev eth0",
		},
		"wanted otherwise": {ops(create(rt)), ops(create(other)), there, control.MovedWanted, "dev br-ex", "dev eth0"},
		"done by somebody": {
			ops(create(rt)), ops(), there, control.MovedNeedless, "dev br-ex", "there as it is wanted: route",
		},
		"not wanted": {
			ops(create(rt)), ops(), control.Desired{}, control.MovedNeedless, "dev br-ex", "neither wanted nor there",
		},
		"new": {ops(create(rt)), ops(create(rt), create(third)), there, control.MovedNew, "no step", "192.0.2.8/32"},
		"waits": {
			ops(create(rt)), plan.Plan{Notes: []plan.Note{{
				Key: rt.Key(), Value: rt, Block: object.Block{Code: object.BlockBackoff, Text: "attempt 3 failed"},
			}}}, there, control.MovedWaits, "dev br-ex", "attempt 3 failed",
		},
		"another order": {
			ops(create(rt), create(third)), ops(create(third), create(rt)), there, control.MovedWanted, "order", "another",
		},
	} {
		got := control.MovedSince(planFile(t, tt.planned, "a"), planFile(t, tt.now, "b"), tt.want)
		if len(got) != 1 || got[0].Code != tt.code || !strings.Contains(got[0].Planned, tt.before) ||
			!strings.Contains(got[0].Now, tt.after) {
			t.Errorf("%s: got %+v, want %s, planned %q, now %q", name, got, tt.code, tt.before, tt.after)
		}
	}
}

// FuzzReadPlanFile: no file panics, and what is taken is written as it was read.
func FuzzReadPlanFile(f *testing.F) {
	f.Add(`{"version":1,"form":"bgp-ovn-plan","ops":[{"before":1}]}`)
	f.Fuzz(func(_ *testing.T, text string) {
		if p, err := control.ReadPlanFile(strings.NewReader(text)); err == nil {
			control.MovedSince(p, control.PlanFile{}, control.Desired{Objects: []control.Object{{}}})
		}
	})
}
