package reconcile

import (
	"context"
	"net/netip"
	"slices"

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
// database would keep the snapshot from ever coming. A route in the main table may be the
// only way to it, which shows when it is tried: those wait for planLastKnown.
func (c *Controller) planFreed(ctx context.Context, p *observe.Protected, why error) (Round, error) {
	r := Round{Started: c.cfg.Clock.Now(), Complete: true, LastKnown: true, Frozen: why.Error()}
	r.Snapshot.Protected = p.WithoutWays()
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
	c.keepWays(&r.Want)
}

// evict says which of the values that are there must go. A route in the main table by
// which a database is reached, or was since this process started, is not among them
// although a route of others leads there too: where the fabric is the way, removing it
// would cut the node off, and it has been seen to lead there.
func (c *Controller) evict(r *Round) func(object.Value) *object.Block {
	guard := c.guards.New(r.Snapshot, r.Want, r.Have)
	if c.noteWays(r, guard) {
		r.Want = r.Want.Clone()
		c.keepWays(&r.Want)
		if !r.LastKnown {
			c.derived.res.Want = r.Want
		}
	}
	return func(v object.Value) *object.Block {
		if c.ways[v.Key()] {
			return nil
		}
		return guard.Block(v)
	}
}

// noteWays remembers the routes of ours that open sessions with databases take, and
// reports whether there is a new one. It looks for them when a session is new, and in
// rounds that read everything: a route that is made later has passed the guard.
func (c *Controller) noteWays(r *Round, guard *desired.Guard) (grew bool) {
	var open []observe.ProtectedPrefix
	if r.Snapshot.Protected != nil {
		open = slices.Clone(r.Snapshot.Protected.Prefixes)
	}
	open = slices.DeleteFunc(open, func(p observe.ProtectedPrefix) bool { return !p.Session })
	same := func(a, b observe.ProtectedPrefix) bool { return a.Prefix == b.Prefix }
	if !r.Complete && slices.EqualFunc(open, c.sessions, same) {
		return false
	}
	c.sessions = open
	for _, p := range open {
		way, ok := wayTo(r.Have, p.Prefix.Addr())
		if !ok || c.ways[way.Key()] {
			continue
		}
		if c.ways == nil {
			c.ways = map[object.Key]bool{}
		}
		c.ways[way.Key()], grew = true, true
		if guard.Block(way) == nil {
			continue
		}
		c.cfg.Log.Warn("keeping a learned route that leads to a database, because a session is open through it; "+
			"if that is meant, list its prefix in learn.accept", "route", object.Text(way), "database", p.What)
	}
	return grew
}

// wayTo is the most specific route of a set in the main table to an address.
func wayTo(have object.Set, addr netip.Addr) (way object.Value, ok bool) {
	var best object.Steered
	for _, kind := range object.KindsThat(object.Kind.IsSteering) {
		for _, it := range have.AllOf(kind) {
			s, steers := it.Value.(object.Steering)
			if !steers {
				continue
			}
			to := s.Steers()
			if to.Table != object.TableMain || !to.Dst.Contains(addr) {
				continue
			}
			if !ok || to.Dst.Bits() > best.Dst.Bits() || to.Dst.Bits() == best.Dst.Bits() && to.Metric < best.Metric {
				way, best, ok = it.Value, to, true
			}
		}
	}
	return way, ok
}

// keepWays takes the block off the routes of noteWays that are wanted.
func (c *Controller) keepWays(want *object.Set) {
	for k := range c.ways {
		if it, ok := want.Get(k); ok && it.Block != nil && it.Block.Code == object.BlockProtected {
			it.Block = nil
			want.Put(it)
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
