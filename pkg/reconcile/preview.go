package reconcile

import (
	"context"
	"maps"
	"reflect"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Preview is Plan as if the intent were another one: what Reconfigure would lead to.
// The controller stays as it is.
func (c *Controller) Preview(ctx context.Context, w Intent) (Round, error) {
	c.round.Lock()
	defer c.round.Unlock()
	was, derived, settled, fuse, fails, changed := c.cfg, c.derived, c.settled, c.fuse, c.fails, c.reconfigured
	own, held, before, losses, remembered := c.own, c.held, c.before, c.losses, c.remembered
	unregistered, row, registered, contested := c.unregistered, c.row, c.registered, c.contention
	drained, unreachable, memory, deriving, damper := c.drain, c.unreachable, c.memory, c.deriving, c.damper
	defer func() {
		c.takeBack(was)
		c.derived, c.settled, c.fuse, c.fails, c.reconfigured = derived, settled, fuse, fails, changed
		c.own, c.held, c.before, c.losses, c.remembered = own, held, before, losses, remembered
		c.unregistered, c.row, c.registered, c.contention = unregistered, row, registered, contested
		c.drain, c.unreachable, c.memory, c.deriving, c.damper = drained, unreachable, memory, deriving, damper
	}()
	c.damper.memory, c.damper.back = c.damper.memory.Clone(), maps.Clone(c.damper.back)
	c.adopt(w)
	c.fails, c.losses, c.contention = maps.Clone(c.fails), maps.Clone(c.losses), c.contention.clone()
	c.memory, c.deriving = plan.Memory{}, desired.Memory{}
	c.remembered.items = maps.Clone(c.remembered.items)
	r, err := c.plan(ctx, true, false)
	c.passOn(r, err)
	return r, err
}

// passOn wakes the loop for what a round that is not its own has found. Backends have been read
// for that and know it now: when a notification comes, or they look by themselves, there is
// nothing new to them.
func (c *Controller) passOn(r Round, err error) {
	last, _ := c.Last()
	if err == nil && (!r.Plan.Empty() || !reflect.DeepEqual(r.Plan.Notes, last.Plan.Notes)) {
		c.wakeUp()
	}
}
