package reconcile

import (
	"maps"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// withdrawals are the paths that Config.Unreachable keeps from being announced;
// Controller.round guards it.
type withdrawals struct {
	is map[object.Key]object.Block
	// back are those that were among them before the last change.
	back map[object.Key]bool
}

// Reconsider has the loop look again at what Config.Unreachable says.
func (c *Controller) Reconsider() { c.wakeUp() }

// askUnreachable asks which paths must not be announced; whoever calls it holds round.
func (c *Controller) askUnreachable() {
	if c.cfg.Unreachable == nil {
		return
	}
	is := c.cfg.Unreachable()
	if maps.Equal(is, c.unreachable.is) {
		return
	}
	back := map[object.Key]bool{}
	for k := range c.unreachable.is {
		if _, still := is[k]; !still {
			back[k] = true
		}
	}
	c.unreachable = withdrawals{is: is, back: back}
	c.derived.valid, c.settled = false, nil
}

// withdrawUnreachable blocks the paths that are wanted and unreachable. What is blocked for
// another reason stays so.
func withdrawUnreachable(want *object.Set, blocks map[object.Key]object.Block) {
	for k, b := range blocks {
		if it, ok := want.Get(k); ok && it.Block == nil && k.Kind.IsPath() {
			it.Block = &b
			want.Put(it)
		}
	}
}
