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
	own, held, contested := c.own, c.held, c.contention
	defer func() {
		c.cfg, c.derived, c.settled, c.confident, c.fuse, c.fails, c.reconfigured = cfg, derived, settled, confident, fuse,
			fails, changed
		c.own, c.held, c.contention = own, held, contested
	}()
	c.adopt(w)
	c.fails, c.contention = maps.Clone(c.fails), c.contention.clone()
	return c.plan(ctx, true, false)
}
