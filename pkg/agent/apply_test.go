package agent

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/apischema"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// holdsSchema holds an answer to its schema.
func holdsSchema(t testing.TB, name string, answer any) {
	t.Helper()
	raw, err := json.Marshal(answer)
	if err == nil {
		err = apischema.Validate("../../docs/api", name, raw)
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, raw)
	}
}

// TestApply: a node whose changes are reviewed waits, applies the plan that was written, and
// refuses one whose base has moved; what is deleted comes back without being asked for.
func TestApply(t *testing.T) {
	w := newWorld(t, quietSpeaker, "changes: reviewed")
	c := w.start()
	ctx := t.Context()
	waiting := func() string {
		s, err := c.Status(ctx)
		switch {
		case err != nil:
			return err.Error()
		case s.Review == nil || s.Review.Waiting == 0 || !slices.Contains(problemCodes(s), "review-waiting"):
			return "nothing waits"
		}
		return ""
	}
	await(t, waiting)
	s, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	holdsSchema(t, "status", s)
	if r := w.routes(); r != "" {
		t.Fatalf("something was applied:\n%s", r)
	}
	f, err := c.PlanFile(ctx)
	if err != nil || len(f.Ops) == 0 || f.Chassis != "hv1" {
		t.Fatalf("%+v, %v", f, err)
	}
	holdsSchema(t, "plan-file", f)

	w.sbctl("set", "Port_Binding", "vm-a", `mac="fa:16:3e:00:00:0a 172.24.4.13"`)
	var now control.PlanFile
	await(t, func() string {
		if now, err = c.PlanFile(ctx); err != nil || now.Base.Rows == f.Base.Rows {
			return "the rows have not moved"
		}
		return ""
	})
	a, err := c.Apply(ctx, f.Digest)
	if err != nil || a.Applied || a.Now == nil || a.Now.Digest != now.Digest || w.routes() != "" {
		t.Fatalf("a plan whose base has moved: %+v, %v\n%s", a, err, w.routes())
	}
	holdsSchema(t, "apply", a)
	d, err := c.Desired(ctx)
	if err != nil {
		t.Fatal(err)
	}
	named := false
	for _, m := range control.MovedSince(f, now, d) {
		named = named || m.Kind == "route" && strings.Contains(m.Key, here.String()) && m.Code == control.MovedNeedless
	}
	if !named {
		t.Errorf("the route to %s is not named: %+v", here, control.MovedSince(f, now, d))
	}

	a, err = c.Apply(ctx, now.Digest)
	if err != nil || !a.Applied || len(a.Failed) > 0 || len(a.Plan.Ops) != len(now.Ops) {
		t.Fatalf("%+v, %v", a, err)
	}
	holdsSchema(t, "apply", a)
	if r := w.routes(); !strings.Contains(r, "172.24.4.13") {
		t.Errorf("it was not applied:\n%s", r)
	}
	w.run("ip", "route", "flush", "table", "all", "proto", "98")
	await(t, func() string {
		if r := w.routes(); !strings.Contains(r, "172.24.4.13") {
			return "the route that was deleted is not back:\n" + r
		}
		return ""
	})
	w.undo(c)
	w.bind("vm-b", "hv1")
	await(t, waiting)
	if r := w.routes(); strings.Contains(r, there.String()) {
		t.Errorf("it did not wait:\n%s", r)
	}
	w.automatic(c)
}

// undo has a route that was deleted made again by a rollback of that round: nothing wants it, and
// it stays, in the kernel and through a restart of the controller's loop, until its deletion is
// approved. What is wanted is named.
func (w *world) undo(c *control.Client) {
	w.t.Helper()
	ctx := w.t.Context()
	const address = "172.24.4.13"
	w.sbctl("set", "Port_Binding", "vm-a", `mac="fa:16:3e:00:00:0a 172.24.4.14"`)
	approve := func(wants string) {
		w.t.Helper()
		await(w.t, func() string {
			f, err := c.PlanFile(ctx)
			if err != nil || !slices.ContainsFunc(f.Ops, func(s control.Step) bool {
				return s.Verb == "delete" && s.Kind == "route" && strings.HasPrefix(s.Key, address)
			}) {
				return fmt.Sprintf("the plan does not delete the route (%v)", err)
			}
			if a, err := c.Apply(ctx, f.Digest); err != nil || !a.Applied {
				return fmt.Sprintf("not applied: %+v, %v", a, err)
			}
			if r := w.routes(); strings.Contains(r, address+" ") || !strings.Contains(r, wants) {
				return "not as approved:\n" + r
			}
			return ""
		})
	}
	approve("172.24.4.14")
	h, err := c.History(ctx, history.Filter{Target: address})
	if err != nil || len(h.Steps) == 0 {
		w.t.Fatal(h, err)
	}
	round := h.Steps[len(h.Steps)-1].Round
	r, err := c.Rollback(ctx, round)
	if err != nil {
		w.t.Fatal(err)
	}
	holdsSchema(w.t, "rollback", r)
	states := map[string]control.UndoState{}
	for _, u := range r.Steps {
		states[u.Step.Verb+" "+u.Step.Kind] = u.State
	}
	want := map[string]control.UndoState{
		"delete route": control.UndoMade, "create route": control.UndoWanted,
		"delete path": control.UndoUnwanted, "create path": control.UndoWanted,
	}
	if !maps.Equal(states, want) {
		w.t.Errorf("got %v, want %v", states, want)
	}
	if r := w.routes(); !strings.Contains(r, address+" ") || !strings.Contains(r, "172.24.4.14") {
		w.t.Errorf("the route is not back:\n%s", r)
	}
	if _, err := c.Audit(ctx, true); err != nil { // a whole round, which might remove it
		w.t.Fatal(err)
	}
	if r := w.routes(); !strings.Contains(r, address+" ") {
		w.t.Errorf("it did not stay:\n%s", r)
	}
	approve("172.24.4.14")
}

// automatic ends the review of changes: what has waited is applied.
func (w *world) automatic(c *control.Client) {
	w.t.Helper()
	w.configure(quietSpeaker)
	if _, err := c.Reload(w.t.Context(), false); err != nil {
		w.t.Fatal(err)
	}
	await(w.t, func() string {
		if r := w.routes(); !strings.Contains(r, there.String()) {
			return "what has waited is not applied:\n" + r
		}
		return ""
	})
}

// TestPlanAndApplyAlone: without a controller a plan is made and applied by two processes, and
// the second one takes the very steps of the first, with the speaker in it or beside it.
func TestPlanAndApplyAlone(t *testing.T) {
	for _, form := range []string{"in the process", "separate"} {
		t.Run(form, func(t *testing.T) {
			w := newWorld(t, quietSpeaker)
			if form == "separate" {
				socket := "unix:" + w.path("speaker.sock")
				supervise(t, socket)
				await(t, func() string { return silent(w.path("speaker.sock")) })
				w.configure(fmt.Sprintf("bgp: {as: 65001, router_id: 192.0.2.1, speaker: %q, listen: {port: -1}, "+
					"peers: [{address: 127.0.0.66, as: 65010}]}", socket))
			}
			testPlanAndApplyAlone(t, w)
		})
	}
}

func testPlanAndApplyAlone(t *testing.T, w *world) {
	t.Helper()
	ctx := t.Context()
	p, err := OpenPlanning(ctx, w.settings(), w.log(), "bgp-ovn test")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitSnapshot(ctx); err != nil {
		t.Fatal(err)
	}
	f, err := p.PlanFile(ctx)
	if err != nil || len(f.Ops) == 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	n, err := Open(ctx, w.settings(), w.options())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if err := n.WaitSnapshot(ctx, deadline); err != nil {
		t.Fatal(err)
	}
	now, err := n.PlanFile(ctx)
	if err != nil || now.Base.Rows != f.Base.Rows || now.Base.Configuration != f.Base.Configuration {
		t.Errorf("base %+v, want %+v, %v", now.Base, f.Base, err)
	}
	a, err := n.Apply(ctx, f.Digest)
	if err != nil || !a.Applied || len(a.Failed) > 0 {
		t.Fatalf("%+v, moved %+v, %v", a, control.MovedSince(f, now, control.Desired{}), err)
	}
	for _, s := range a.Plan.Ops {
		if s.Cause != plan.CauseStart {
			t.Errorf("%s has the cause %s", s.Line, s.Cause)
		}
	}
	if !strings.Contains(w.routes(), here.String()) {
		t.Error("the route is missing")
	}
}
