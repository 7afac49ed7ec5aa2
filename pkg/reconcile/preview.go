package reconcile

import (
	"context"
	"maps"
)

// Preview is Plan as if the wishes were others: what Reconfigure would lead to.
// The controller stays as it is.
func (c *Controller) Preview(ctx context.Context, w Wishes) (Round, error) {
	c.round.Lock()
	defer c.round.Unlock()
	cfg, derived, settled, confident, fuse, fails := c.cfg, c.derived, c.settled, c.confident, c.fuse, c.fails
	defer func() {
		c.cfg, c.derived, c.settled, c.confident, c.fuse, c.fails = cfg, derived, settled, confident, fuse, fails
	}()
	c.cfg.Drivers, c.cfg.Fixed, c.fuse.cfg = w.Drivers, w.Fixed, w.Fuse
	c.derived.valid, c.settled, c.fails = false, nil, maps.Clone(c.fails)
	return c.plan(ctx, true)
}
