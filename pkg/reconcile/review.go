package reconcile

import (
	"context"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Review is what waits for an operator, where changes are reviewed: see [Config.Reviewed].
type Review struct {
	// Since is when the first step began to wait; zero if none does.
	Since time.Time
	// Waiting are the steps, in the order in which they would be applied.
	Waiting []plan.Op
}

// Apply is a round that is carried out only if check passes its plan, whether changes are
// reviewed or not. An error of check is returned as it is, and nothing was applied then. The
// round is complete: everything was read for it.
func (c *Controller) Apply(ctx context.Context, check func(Round) error) (Round, error) {
	return c.byCommand(ctx, func(r *Round) error {
		r.approved = true
		return check(*r)
	})
}

// byCommand is a complete round that somebody asks for while the loop runs. It is carried out as
// prepare leaves it, even if they go away; an error of prepare ends it, and nothing was applied.
func (c *Controller) byCommand(ctx context.Context, prepare func(*Round) error) (Round, error) {
	defer c.wakeUp()
	c.round.Lock()
	defer c.round.Unlock()
	ctx = context.WithoutCancel(ctx)
	noticed := c.takesUp()
	r, err := c.plan(ctx, true, false)
	r.Noticed = noticed
	if err == nil {
		err = prepare(&r)
	}
	defer func() { c.endRound(err != nil) }()
	if err != nil {
		return r, err
	}
	return c.finish(ctx, r), nil
}

// leaveForReview takes out of a round the steps that an operator has to approve.
func (c *Controller) leaveForReview(r *Round) {
	if !c.cfg.Reviewed {
		c.reviewSince = time.Time{}
		return
	}
	r.Review = &Review{}
	if !r.approved {
		r.Plan.Ops, r.Review.Waiting = plan.Split(r.Plan.Ops, func(op plan.Op) bool { return c.goesUnreviewed(*r, op) })
	}
	if len(r.again) > 0 {
		r.Plan.Ops = plan.WithMade(r.Plan.Ops, r.again, r.againWhy)
	}
	switch {
	case len(r.Review.Waiting) == 0:
		c.reviewSince = time.Time{}
	case c.reviewSince.IsZero():
		c.reviewSince = r.Started
	}
	r.Review.Since = c.reviewSince
}

// awaitsReview reports whether steps of a round wait for an operator: it has not made true what
// the rows and the configuration ask for.
func (r Round) awaitsReview() bool { return r.Review != nil && len(r.Review.Waiting) > 0 }

// goesUnreviewed reports whether a step is no change that an operator has to approve: it puts
// back what was applied before, and be it that the node itself has withdrawn it as it could
// not forward packets for it, or as it came and went; belongs to a drain, which is a command, or takes away what does
// harm whatever the operator thinks of it. That is a path that the node cannot forward, that
// the export filter has, or that lives on another chassis; and what would cut the node off.
func (c *Controller) goesUnreviewed(r Round, op plan.Op) bool {
	k := op.Key()
	switch {
	case op.Cause == plan.CauseDrain || op.Note == object.BlockDrained:
		return true
	case op.Verb == plan.Restore || op.Note == plan.NoteReplaced && op.After == nil:
		return false
	case op.After != nil:
		was, ok := c.cfg.Journal.Recorded(k)
		return ok && was.Value == op.After || c.unreachable.approved[k] == op.After || c.damper.back[k] == op.After
	case k.Kind.IsExported():
		return op.Note != "" || c.forbidden(k) != nil || c.elsewhere(r, k, op.Why)
	default:
		return op.Evicts()
	}
}
