package main

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/apischema"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// undoneRow is the row of a port that has a name.
const undoneRow = "0e7b3fd1-8a6c-4a53-9d0f-1c1b6f2a7d11"

// undoer remembers steps and wants objects.
type undoer struct {
	control.Controller
	steps []history.Step
	want  object.Set
}

func (u *undoer) History(context.Context, history.Filter) (control.History, error) {
	return control.History{Version: 1, Steps: u.steps, Names: map[string]string{undoneRow: "web-1"}}, nil
}

func (u *undoer) Desired(context.Context) (control.Desired, error) {
	return control.DesiredOf("hv1", u.want, nil)
}

// Rollback makes again what it can, and fails with the route of 192.0.2.10.
func (u *undoer) Rollback(ctx context.Context, round uint64) (control.Rollback, error) {
	h, _ := u.History(ctx, history.Filter{})
	d, _ := u.Desired(ctx)
	out, err := control.RollbackOf(h, round, d)
	values, index := out.Again()
	for i, v := range values {
		var failed error
		if v.(object.Route).Dst.Addr() == netip.MustParseAddr("192.0.2.10") {
			failed = errors.New("it is there")
		}
		out.Made(index[i], failed)
	}
	return out, err
}

// add remembers a step.
func (u *undoer) add(round uint64, outcome error, op plan.Op) {
	op.Cause = plan.CauseChange
	s := history.Of(op, outcome)
	s.Round, s.At = round, time.Date(2026, 3, 4, 5, 6, int(round), 0, time.Local)
	u.steps = append(u.steps, s)
}

func route(last string, dev string) object.Route {
	return object.Route{Table: 201, Dst: netip.MustParsePrefix("192.0.2." + last + "/32"), Dev: dev}
}

// TestRollbackMakesAgain: what a round deleted and nothing wants is made again; what is announced
// is not, and a failure is told.
func TestRollbackMakesAgain(t *testing.T) {
	u := &undoer{}
	u.add(43, nil, plan.Op{Verb: plan.Delete, Before: route("3", "br-ex")})
	path := object.Path{Family: object.IPv4Unicast, Prefix: netip.MustParsePrefix("192.0.2.3/32")}
	u.add(43, nil, plan.Op{Verb: plan.Delete, Before: path})
	u.add(44, nil, plan.Op{Verb: plan.Delete, Before: route("10", "br-ex")})
	socket := serveHistory(t, u)
	const made = `the steps of round 43 of 2026-03-04 05:06:43, undone:
  + path ipv4-unicast 192.0.2.3/32  next-hop self origin igp
      unwanted: nothing wants it any more; what the node announces, and to whom, follows from the
      rows and the configuration alone
  + route 192.0.2.3/32 table 201 metric 0  dev br-ex
      made-again: made again; that nothing wants it waits for you: bgp-ovn plan
1 of 2 steps stand; what rows or the configuration want is undone there
`
	if out, errs, exit := runOn(t, socket, "rollback", "43"); exit != exitDiffers || out != made {
		t.Errorf("exit %d\n%s%swant\n%s", exit, out, errs, made)
	}
	out, errs, exit := runOn(t, socket, "rollback", "44")
	if exit != exitError || !strings.Contains(out, "failed: it is there") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
}

// TestRollback: each step of a round is shown with its opposite and what has become of it.
func TestRollback(t *testing.T) {
	u := &undoer{}
	add := u.add
	why := []object.Source{{Table: "Port_Binding", Row: undoneRow, Decides: true}}
	add(40, nil, plan.Op{Verb: plan.Create, After: route("9", "br-ex")})
	add(41, nil, plan.Op{Verb: plan.Create, After: route("1", "br-ex"), Why: why})
	add(41, nil, plan.Op{Verb: plan.Create, After: route("2", "br-ex")})
	add(41, nil, plan.Op{Verb: plan.Delete, Before: route("3", "br-ex")})
	add(41, nil, plan.Op{Verb: plan.Update, Before: route("4", "br-ex"), After: route("4", "vlan7")})
	add(41, nil, plan.Op{Verb: plan.Update, Before: route("5", "br-ex"), After: route("5", "vlan7")})
	add(41, nil, plan.Op{Verb: plan.Delete, Before: route("6", "br-ex")})
	add(41, context.Canceled, plan.Op{Verb: plan.Create, After: route("7", "br-ex")})
	add(41, nil, plan.Op{Verb: plan.Create, After: route("8", "br-ex")})
	for _, v := range []object.Route{route("1", "br-ex"), route("4", "br-ex"), route("5", "vlan9"), route("6", "br-ex")} {
		u.want.Put(object.Item{Value: v})
	}
	u.want.Put(object.Item{Value: route("8", "br-ex"), Block: &object.Block{Code: "drained", Text: "the node is drained"}})
	socket := serveHistory(t, u)

	const want = `the steps of round 41 of 2026-03-04 05:06:41, undone:
  - route 192.0.2.8/32 table 201 metric 0
      blocked: it is desired and kept back: the node is drained
    route 192.0.2.7/32 table 201 metric 0
      no-effect: it had no effect
  + route 192.0.2.6/32 table 201 metric 0  dev br-ex
      undone: it is desired again
  ~ route 192.0.2.5/32 table 201 metric 0  dev vlan7 -> dev br-ex
      superseded: it is desired otherwise since: dev vlan9
  ~ route 192.0.2.4/32 table 201 metric 0  dev vlan7 -> dev br-ex
      undone: what was before is desired again
  + route 192.0.2.3/32 table 201 metric 0  dev br-ex
      unwanted: nothing wants it any more; where changes are reviewed, it is made again and stays
  - route 192.0.2.2/32 table 201 metric 0
      undone: nothing wants it any more
  - route 192.0.2.1/32 table 201 metric 0
      wanted: Port_Binding web-1 wants it: it would be taken again at once. Change that instead
2 of 8 steps stand; what rows or the configuration want is undone there
`
	if out, errs, exit := runOn(t, socket, "rollback", "--dry-run", "41"); exit != exitDiffers || out != want {
		t.Errorf("exit %d\n%s%swant\n%s", exit, out, errs, want)
	}
	out, _, _ := runOn(t, socket, "rollback", "41", "--dry-run", "-o", "json")
	if err := apischema.Validate("../../docs/api", "rollback", []byte(out)); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	const rounds = "    40  2026-03-04 05:06:40  change  1 steps\n    41  2026-03-04 05:06:41  change  7 steps, 1 failed\n"
	if out, errs, exit := runOn(t, socket, "rollback"); exit != exitSame || out != rounds {
		t.Errorf("exit %d\n%s%swant\n%s", exit, out, errs, rounds)
	}
	if out, errs, exit := runOn(t, socket, "rollback", "--dry-run", "40"); exit != exitSame {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
	for _, arg := range []string{"42", "0", "last", "-1"} {
		if _, errs, exit := runOn(t, socket, "rollback", "--", arg); exit != exitError || errs == "" {
			t.Errorf("rollback %s: exit %d, %s", arg, exit, errs)
		}
	}
}
