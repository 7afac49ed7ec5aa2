package reconcile

import (
	"iter"
	"maps"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// withdrawals are the paths that Config.Unreachable keeps from being announced;
// Controller.round guards it.
type withdrawals struct {
	is map[object.Key]object.Block
	// back are those that were among them before the last change.
	back map[object.Key]bool
	// approved is what the ledger had of all of these when they were withdrawn: where changes
	// are reviewed, that comes back by itself.
	approved map[object.Key]object.Value
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
	approved := map[object.Key]object.Value{}
	for _, keys := range []iter.Seq[object.Key]{maps.Keys(is), maps.Keys(back)} {
		for k := range keys {
			if v, ok := c.unreachable.approved[k]; ok {
				approved[k] = v
			} else if was, ok := c.cfg.Journal.Recorded(k); ok {
				approved[k] = was.Value
			}
		}
	}
	c.unreachable = withdrawals{is: is, back: back, approved: approved}
	c.derived.valid, c.settled = false, nil
}

// withhold blocks paths that are wanted. What is blocked for another reason stays so.
func withhold(want *object.Set, blocks map[object.Key]object.Block) {
	for k, b := range blocks {
		if it, ok := want.Get(k); ok && it.Block == nil && k.Kind.IsPath() {
			it.Block = &b
			want.Put(it)
		}
	}
}
