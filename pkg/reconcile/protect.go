package reconcile

import (
	"context"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// protected is what the node lives on as far as it is known without a snapshot; nil
// if nothing can be.
func (c *Controller) protected(ctx context.Context) *observe.Protected {
	if c.cfg.Protected == nil {
		return nil
	}
	return c.cfg.Protected(ctx)
}

// planFreed is the round of a process without a snapshot that removes what takes away
// traffic that the node itself lives on, and nothing else: a route to the Southbound
// database would keep the snapshot from ever coming.
func (c *Controller) planFreed(ctx context.Context, p *observe.Protected, why error) (Round, error) {
	r := Round{Started: c.cfg.Clock.Now(), Complete: true, LastKnown: true, Frozen: why.Error()}
	r.Snapshot.Protected = p
	r, err := c.compare(ctx, r)
	c.setCauses(&r, false)
	return r, err
}

// free carries planFreed out. It is not called in a dry run.
func (c *Controller) free(ctx context.Context, p *observe.Protected, why error) error {
	c.round.Lock()
	defer c.round.Unlock()
	r, err := c.planFreed(ctx, p, why)
	if err != nil || r.Plan.Empty() {
		return err
	}
	c.cfg.Log.Warn("removing routes of ours before the first snapshot: they take traffic away that this node itself needs",
		"plan", r.Plan.Summary())
	c.finish(ctx, r)
	return nil
}

// blockProtected blocks what of a remembered set must not exist.
func (c *Controller) blockProtected(r *Round) {
	g := desired.NewGuard(r.Snapshot, r.Want)
	for _, it := range r.Want.Only(object.KindsThat(object.Kind.IsSteering)...).Sorted() {
		if b := g.Block(it.Value); b != nil {
			it.Block = b
			r.Want.Put(it)
		}
	}
}

// needsProtected reports whether what an item needs, as far as it is remembered, must
// not be there.
func needsProtected(known object.Set, it object.Item, evict func(object.Value) *object.Block) bool {
	for _, k := range it.Needs() {
		if need, ok := known.Get(k); ok && evict(need.Value) != nil {
			return true
		}
	}
	return false
}
