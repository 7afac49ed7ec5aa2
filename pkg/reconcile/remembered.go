package reconcile

import (
	"maps"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// remembered are the paths that an earlier process announced and about which this one
// has not decided yet: they are neither wanted nor there. A fresh process has an empty
// speaker: what it does not announce again, its peers drop once they have heard the rest.
type remembered struct {
	// asked is set by the first round that has a snapshot.
	asked bool
	items map[object.Key]object.Item
	// known is the whole ledger, for what the paths need, and as long as there are any.
	known object.Set
}

// again adds to what is wanted the remembered paths that would be kept if they were
// there, and returns them alone, too.
func (c *Controller) again(r Round, in plan.Input) (want object.Set, kept []object.Item) {
	if r.LastKnown {
		return r.Want, nil
	}
	if m := &c.remembered; !m.asked {
		m.asked, m.known, m.items = true, c.cfg.Journal.LastKnown(), map[object.Key]object.Item{}
		maps.Insert(m.items, m.known.Only(object.KindsThat(object.Kind.IsPath)...).All())
	}
	maps.DeleteFunc(c.remembered.items, func(k object.Key, _ object.Item) bool {
		return r.Want.Has(k) || r.Have.Has(k)
	})
	want = r.Want
	for k, it := range c.remembered.items {
		if in.Keep(k, it.Why) == nil || needsProtected(c.remembered.known, it, in.Evict) {
			continue
		}
		if kept == nil {
			want = want.Clone()
		}
		want.Put(it)
		kept = append(kept, it)
	}
	return want, kept
}

// giveUp forgets, once a round is carried out, the remembered paths that it does not
// announce again: what comes later is no reason to do so.
func (c *Controller) giveUp(r *Round) {
	if r.LastKnown || len(c.remembered.items) == 0 {
		return
	}
	forget := map[object.Key]bool{}
	for _, k := range r.Plan.Forget {
		forget[k] = true
	}
	for k := range c.remembered.items {
		if r.Want.Has(k) {
			continue
		}
		delete(c.remembered.items, k)
		if !forget[k] {
			r.Plan.Forget = append(r.Plan.Forget, k)
		}
	}
	slices.SortFunc(r.Plan.Forget, object.Key.Compare)
	if len(c.remembered.items) == 0 {
		c.remembered.known = object.Set{}
	}
}

// settingsNeeded are settings that what is only remembered needs. They are not in
// the ledger if they were right before we came, and a path is announced again only
// if all that it needs is there.
func (c *Controller) settingsNeeded(r Round) []object.Key {
	need := settings{map[object.Key]bool{}, map[*object.Key]bool{}}
	switch {
	case r.LastKnown:
		for _, it := range r.Want.All() {
			need.take(it)
		}
	case c.remembered.asked:
		for _, it := range c.remembered.items {
			need.take(it)
		}
	default:
		for _, kind := range object.KindsThat(object.Kind.IsPath) {
			for _, k := range c.cfg.Journal.Keys(kind) {
				if it, ok := c.cfg.Journal.Recorded(k); ok {
					need.take(it)
				}
			}
		}
	}
	return slices.Collect(maps.Keys(need.keys))
}

// settings are the keys of settings among needs.
type settings struct {
	keys map[object.Key]bool
	seen map[*object.Key]bool // heads of lists that many items share
}

func (s settings) take(it object.Item) {
	s.add(it.Value.DependsOn())
	s.add(it.After)
	if len(it.Shared) > 0 && !s.seen[&it.Shared[0]] {
		s.seen[&it.Shared[0]] = true
		s.add(it.Shared)
	}
}

func (s settings) add(keys []object.Key) {
	for _, k := range keys {
		if k.Kind.IsSetting() {
			s.keys[k] = true
		}
	}
}
