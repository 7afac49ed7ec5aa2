package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// planFileOf is the plan of a round in the form of a file.
func planFileOf(r reconcile.Round, s config.Settings, program string) (control.PlanFile, error) {
	p, err := planOf(r)
	if err != nil {
		return control.PlanFile{}, err
	}
	var rows bytes.Buffer
	if err := file.Write(&rows, rowsOf(r.Snapshot)); err != nil {
		return control.PlanFile{}, err
	}
	return control.PlanFileOf(r.Plan.Ops, p, program, r.Snapshot.Chassis, rows.Bytes(), hashOf(s)), nil
}

// rowsOf is what a snapshot has of databases, without what each process counts or sees for
// itself.
func rowsOf(snap observe.Snapshot) observe.Snapshot {
	snap.Host, snap.Learned, snap.Protected = nil, nil, nil
	sb := *snap.SB
	sb.Revision, snap.SB = 0, &sb
	if snap.NB != nil {
		nb := *snap.NB
		nb.Revision, snap.NB = 0, &nb
	}
	return snap
}

// PlanFile is the plan in the form of a file.
func (n *Node) PlanFile(ctx context.Context) (control.PlanFile, error) {
	r, err := n.readable(ctx, true)
	if err != nil {
		return control.PlanFile{}, err
	}
	return planFileOf(r, n.running(), n.opts.Program)
}

// running are the settings after the last reload.
func (n *Node) running() config.Settings {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	return n.current
}

// errMoved ends a round whose plan is not the one that was asked for.
var errMoved = errors.New("the base has moved")

// Apply applies the plan with a digest, if it is the one that would be made now, and nothing
// otherwise.
func (n *Node) Apply(ctx context.Context, digest string) (control.Applied, error) {
	out := control.Applied{Version: control.Version, Failed: []control.FailedStep{}, Moved: []control.Moved{}}
	s := n.running()
	r, err := n.ctl.Apply(ctx, func(r reconcile.Round) error {
		if r.ReadErr != nil {
			return unreadable(r.ReadErr)
		}
		p, err := control.PlanOf(r.Plan)
		if err != nil {
			return err
		}
		if control.StepsDigest(p.Ops) != digest {
			return errMoved
		}
		return nil
	})
	switch {
	case errors.Is(err, errMoved):
		now, err := planFileOf(r, s, n.opts.Program)
		out.Now = &now
		n.opts.Log.Warn("a plan was not applied: its base has moved", "plan", digest, "now", now.Digest)
		out.Plan = emptyPlan()
		return out, err
	case err != nil:
		return out, err
	}
	out.Applied = true
	if out.Plan, err = planOf(r); err != nil {
		return out, err
	}
	for _, err := range r.Failed() {
		out.Failed = append(out.Failed, control.FailedStepOf(err))
	}
	n.opts.Log.Info("a plan was applied by command", "plan", digest, "steps", len(r.Plan.Ops), "failed", len(out.Failed))
	return out, r.JournalErr
}

// emptyPlan is a plan without a step as an answer.
func emptyPlan() control.Plan {
	p, _ := control.PlanOf(reconcile.Round{}.Plan) // of no value it can be an error
	return p
}

// review tells what waits for an operator.
func (s *statusReport) review(r *reconcile.Review) {
	if r == nil {
		return
	}
	s.Review = &control.Review{Waiting: len(r.Waiting)}
	if len(r.Waiting) == 0 {
		return
	}
	since := r.Since
	s.Review.Since = &since
	f := s.problem("review-waiting", fmt.Sprintf("%d steps wait for an operator (changes: reviewed); the first: %s %s",
		len(r.Waiting), r.Waiting[0].Verb, r.Waiting[0].Key().Text()),
		"bgp-ovn plan --out FILE, read it, then bgp-ovn apply FILE")
	f.Since = since
}
