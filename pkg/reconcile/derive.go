package reconcile

import (
	"context"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// snapshot takes a snapshot that tells of every routing table that drivers want to
// make theirs whether it is free, and what others have in those that they share.
func (c *Controller) snapshot(ctx context.Context) (observe.Snapshot, error) {
	asked, watched := map[uint32]bool{}, false
	for {
		snap, err := c.cfg.Observer.Snapshot(ctx)
		if err == nil && c.own != nil {
			snap.Protected = observe.Protect(snap, *c.own)
		}
		if err != nil || c.cfg.InspectTables == nil || c.derived.valid && c.derived.snap == snap {
			return snap, err
		}
		if c.cfg.WatchTables != nil && !watched && c.cfg.WatchTables(ctx, c.deriving.Watched(snap, c.cfg.Drivers...)) {
			watched = true
			continue
		}
		tables := c.deriving.Tables(snap, c.cfg.Drivers...)
		known := len(asked)
		for _, t := range tables {
			asked[t] = true
		}
		if len(asked) == known || !c.cfg.InspectTables(ctx, tables) {
			return snap, nil
		}
	}
}

// derive runs the drivers, unless the snapshot is the very one of last time:
// its parts are immutable, so that equal pointers mean equal contents. A round that has read
// everything also derives everything, and what comes of that counts.
func (c *Controller) derive(snap observe.Snapshot, r *Round) desired.Result {
	same := c.derived.valid && c.derived.snap == snap
	if same && (!r.Complete || c.derived.whole) {
		return c.derived.res
	}
	res := c.deriving.Compute(snap, c.fixed(), c.cfg.Drivers...)
	if r.Complete {
		whole := desired.Compute(snap, c.fixed(), c.cfg.Drivers...)
		if what := unlike(res, whole); what != "" {
			r.Mismatch, c.deriving, res = true, desired.Memory{}, whole
			c.cfg.Log.Error("what is derived from the change is not what is derived from everything: a defect of "+
				"bgp-ovn; what is derived from everything counts, please report it", "first", what)
		}
	}
	if same && !r.Mismatch {
		c.derived.whole = true
		return c.derived.res
	}
	before, former := c.derived.made, c.derived.res.Want
	c.keepWays(&res.Want)
	drained := c.applyDrain(&res.Want, ownAddresses(snap))
	withhold(&res.Want, c.unreachable.is)
	withhold(&res.Want, c.damper.is)
	made := res.Want
	res.Want = made.Reuse(before, former)
	c.derived = derivation{valid: true, whole: r.Complete, snap: snap, res: res, made: made, drained: drained}
	return res
}

// unlike names the first difference between two results, in the order of listings; empty if there
// is none.
func unlike(a, b desired.Result) string {
	var first *object.Key
	for k := range a.Want.Differ(b.Want) {
		x, has := a.Want.Get(k)
		y, had := b.Want.Get(k)
		if (!has || !had || !x.Equal(y)) && (first == nil || k.Compare(*first) < 0) {
			first = &k
		}
	}
	switch {
	case first != nil:
		return first.Text()
	case !slices.Equal(a.Skipped, b.Skipped):
		return "skipped rows"
	}
	return ""
}
