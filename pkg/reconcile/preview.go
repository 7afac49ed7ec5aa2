package reconcile

import (
	"context"
	"maps"
)

// Preview is Plan as if the intent were another one: what Reconfigure would lead to.
// The controller stays as it is.
func (c *Controller) Preview(ctx context.Context, w Intent) (Round, error) {
	c.round.Lock()
	defer c.round.Unlock()
	cfg, derived, settled, confident, fuse, fails, changed := c.cfg, c.derived, c.settled, c.confident, c.fuse, c.fails,
		c.reconfigured
	own, held := c.own, c.held
	defer func() {
		c.cfg, c.derived, c.settled, c.confident, c.fuse, c.fails, c.reconfigured = cfg, derived, settled, confident, fuse,
			fails, changed
		c.own, c.held = own, held
	}()
	c.adopt(w)
	c.fails = maps.Clone(c.fails)
	return c.plan(ctx, true, false)
}
