package reconcile

import (
	"maps"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// fixed are the objects of the configuration, with those blocked that are held.
func (c *Controller) fixed() []object.Item {
	if len(c.held) == 0 {
		return c.cfg.Fixed
	}
	out := slices.Clone(c.cfg.Fixed)
	for i, it := range out {
		if b, ok := c.held[it.Value.Key()]; ok {
			out[i].Block = &b
		}
	}
	return out
}

// askHeld asks which fixed objects are held now; whoever calls it holds round.
func (c *Controller) askHeld() {
	if c.cfg.Held == nil {
		return
	}
	if held := c.cfg.Held(c.cfg.Fixed); !maps.Equal(held, c.held) {
		c.held, c.derived.valid, c.settled = held, false, nil
	}
}
