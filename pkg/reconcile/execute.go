package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// execute applies the plan of a round and remembers which steps failed. The error
// is the journal's; outcomes of steps are in the second result.
func (c *Controller) execute(ctx context.Context, p plan.Plan) (outcomes []error, err error) {
	if len(p.Ops)+len(p.Forget) > 0 {
		c.ownedKeys = nil
	}
	if p.Empty() {
		return nil, c.cfg.Journal.Forget(p.Forget)
	}
	x := execute.Executor{Backends: c.cfg.Backends, Journal: c.cfg.Journal, Now: c.cfg.Clock.Now}
	res := x.Run(ctx, p)
	c.settle(p, res.Outcomes, c.cfg.Clock.Now())
	c.applied = res.Applied
	return res.Outcomes, res.JournalErr
}

// settle remembers failures for the next rounds.
func (c *Controller) settle(p plan.Plan, outcomes []error, now time.Time) {
	for i, op := range p.Ops {
		err := outcomes[i]
		if err == nil {
			c.fails.clear(op.Key())
			continue
		}
		if _, blocked := execute.AsBlocked(err); blocked || errors.Is(err, context.Canceled) {
			// It waits for another key, or was never tried; a failure of its own
			// would delay it.
			continue
		}
		after := op.After
		if op.Verb == plan.Restore {
			after = nil // a removal as far as waiting for another attempt goes
		}
		c.fails.add(op.Key(), after, err, now)
	}
}
