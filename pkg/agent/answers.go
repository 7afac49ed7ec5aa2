package agent

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// answers is the [control.Service] of every form of a node. Its fields are set by
// the constructor of the form and never nil afterwards.
type answers struct {
	ctl *reconcile.Controller
	// hypothetical says that nothing is there yet: what is wanted counts as being there.
	hypothetical bool
	// snapshot is what a snapshot file is written from.
	snapshot func(context.Context) (observe.Snapshot, error)
	// explain is how this form accounts for an address, given a round.
	explain func(context.Context, reconcile.Round, netip.Addr) reconcile.Explanation
	// settled is a round as this form takes it, and what it knows of the sessions.
	settled func(context.Context, reconcile.Round) (reconcile.Round, reconcile.Sessions)
	// followed is how the Kubernetes API is followed; false where it is not.
	followed func() (kube.Status, bool)
	// trace is how this form follows a packet, given a round.
	trace func(context.Context, reconcile.Round, control.TraceQuestion) (control.Trace, error)
}

// Plan reads everything and computes the difference.
func (a *answers) Plan(ctx context.Context) (control.Plan, error) {
	r, err := a.readable(ctx, true)
	if err != nil {
		return control.Plan{}, err
	}
	return planOf(r)
}

// planOf is the plan of a round as an answer, with what its rows are called.
func planOf(r reconcile.Round) (control.Plan, error) {
	p, err := control.PlanOf(r.Plan)
	if err == nil {
		namePlan(names.Of(r.Snapshot), &p)
	}
	return p, err
}

// namePlan tells what the rows of a plan are called.
func namePlan(book names.Book, p *control.Plan) {
	for _, s := range p.Ops {
		book.Collect(p.Names, s.Line)
	}
	for _, n := range p.Notes {
		book.Collect(p.Names, n.Line)
	}
}

// readable is a round without its effects; that part of the current state cannot
// be read is an error.
func (a *answers) readable(ctx context.Context, complete bool) (reconcile.Round, error) {
	r, err := a.ctl.Plan(ctx, complete)
	if err == nil && r.ReadErr != nil {
		err = unreadable(r.ReadErr)
	}
	return r, err
}

// Desired derives what is wanted, without a look at what is.
func (a *answers) Desired(ctx context.Context) (control.Desired, error) {
	want, skipped, chassis, err := a.ctl.Desired(ctx)
	if err != nil {
		return control.Desired{}, err
	}
	snap, err := a.snapshot(ctx)
	if err != nil {
		return control.Desired{}, err
	}
	return desiredOf(chassis, want, skipped, snap)
}

// desiredOf is what is wanted as an answer, with what its rows are called.
func desiredOf(chassis string, want object.Set, skipped []observe.Skip, snap observe.Snapshot,
) (control.Desired, error) {
	out, err := control.DesiredOf(chassis, want, skipped)
	if err != nil {
		return out, err
	}
	book := names.Of(snap)
	for _, o := range out.Objects {
		book.Collect(out.Names, o.Line())
	}
	for _, s := range out.Skipped {
		book.Collect(out.Names, s.Row, s.Text)
	}
	return out, nil
}

// Explain accounts for an IP address.
func (a *answers) Explain(ctx context.Context, target string) (control.Explanation, error) {
	addr, err := control.ParseAddress(target)
	if err != nil {
		return control.Explanation{}, err
	}
	r, err := a.readable(ctx, false)
	if err != nil {
		return control.Explanation{}, err
	}
	return named(r, a.explain(ctx, r, addr)), nil
}

// named is an explanation as an answer, with the names of what it mentions.
func named(r reconcile.Round, e reconcile.Explanation) control.Explanation {
	out := control.ExplanationOf(e)
	names.Of(r.Snapshot).Collect(out.Names, out.String())
	return out
}

// Trace follows a packet to an address and the answer to it.
func (a *answers) Trace(ctx context.Context, q control.TraceQuestion) (control.Trace, error) {
	r, err := a.ctl.Plan(ctx, false)
	if err != nil {
		return control.Trace{}, err
	}
	return a.trace(ctx, r, q)
}

// EVPN tells of one VNI, or of all with 0.
func (a *answers) EVPN(ctx context.Context, vni uint32) (control.EVPN, error) {
	r, err := a.readable(ctx, false)
	if err != nil {
		return control.EVPN{}, err
	}
	return evpnOf(a.ctl, r, vni)
}

// Audit reads everything and reports what differs; with repair it mends that.
func (a *answers) Audit(ctx context.Context, repair bool) (control.Audit, error) {
	round := a.ctl.Plan
	if repair {
		round = a.ctl.RoundNow
	}
	r, err := round(ctx, true)
	if err != nil {
		return control.Audit{}, err
	}
	if r.ReadErr != nil {
		return control.Audit{}, unreadable(r.ReadErr)
	}
	p, err := planOf(r)
	if err != nil {
		return control.Audit{}, err
	}
	out := control.Audit{Version: control.Version, Drift: p, Repaired: repair, Failed: []control.FailedStep{}}
	for _, err := range r.Failed() {
		out.Failed = append(out.Failed, control.FailedStepOf(err))
	}
	out.Incomplete = r.Frozen
	out.Result, out.Remaining = out.Outcome()
	return out, nil
}

// Snapshot is the newest snapshot in the form of a file.
func (a *answers) Snapshot(ctx context.Context) ([]byte, error) {
	snap, err := a.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := file.Write(&b, snap); err != nil {
		return nil, fmt.Errorf("write snapshot: %w", err)
	}
	return b.Bytes(), nil
}
