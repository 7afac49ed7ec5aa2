package plan

import (
	"iter"
	"maps"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// keepNeeded takes out of going, and notes, everything that something that is kept
// needs or keeps, directly or through others: a path that could not be withdrawn,
// or whose row cannot be read, must not lose the route that leads there, and that
// route not its rule, its neighbour and its device.
//
// What belongs to what is not worked out here. Drivers say it with what they want;
// of what is not wanted any more the ledger remembers it.
func (d *differ) keepNeeded(going, kept []object.Item) []object.Item {
	if len(kept) == 0 || len(going) == 0 {
		return going
	}
	leaving := make(map[object.Key]object.Item, len(going))
	for _, it := range going {
		leaving[it.Value.Key()] = it
	}
	seen := map[object.Key]bool{}
	level := make([]object.Item, 0, len(kept))
	for _, it := range kept {
		k := it.Value.Key()
		seen[k] = true
		if it.Relations().Equal(object.Relations{}) { // as it was read from a backend
			it = it.WithRelations(d.relations(k))
		}
		level = append(level, it)
	}
	// One level after the other, each in the order of its keys, so that the reason
	// that is given does not depend on any order.
	for len(level) > 0 && len(leaving) > 0 {
		sorting.Sort(level, func(a, b object.Item) int { return a.Value.Key().Compare(b.Value.Key()) })
		var next []object.Item
		for _, by := range level {
			for _, need := range object.Stays(by.Value, by.Relations()) {
				for k := range need.EachAlternative {
					if it, ok := d.reach(k, seen); ok {
						next = append(next, it)
						d.stay(k, by.Value.Key(), leaving)
					}
				}
			}
		}
		level = next
	}
	return slices.DeleteFunc(going, func(it object.Item) bool {
		_, goes := leaving[it.Value.Key()]
		return !goes
	})
}

// reach returns what is known of a key the first time that it is asked for. What is
// wanted is kept by the drivers, with all that it needs now.
func (d *differ) reach(k object.Key, seen map[object.Key]bool) (object.Item, bool) {
	if seen[k] || d.Want.Has(k) {
		return object.Item{}, false
	}
	seen[k] = true
	it, ok := d.Have.Get(k)
	if !ok {
		// It is not there; what it needs may be, and be needed once it is back.
		if it, ok = d.Ledger.Recorded(k); !ok {
			return object.Item{}, false
		}
	}
	return it.WithRelations(d.relations(k)), true
}

// relations are those that the ledger has of a key.
func (d *differ) relations(k object.Key) object.Relations {
	it, _ := d.Ledger.Recorded(k)
	return it.Relations()
}

// stay takes a key out of what leaves, and notes because of what.
func (d *differ) stay(k, by object.Key, leaving map[object.Key]object.Item) {
	it, ok := leaving[k]
	if _, evicted := d.evicted[k]; !ok || evicted {
		return
	}
	delete(leaving, k)
	d.plan.Notes = append(d.plan.Notes, Note{Key: k, Value: it.Value, Why: d.Ledger.Why(k), Block: object.Block{
		Code: object.BlockHeld, Text: by.Text() + ", which stays for now, needs it",
	}})
}

// Outdated returns those of want that the ledger has with other relations or another
// provenance, or not at all, although nothing has to be done about the values: a path that
// now needs another flow, a setting that was right before we came. keys are those to look
// at, nil is everything that is wanted.
func Outdated(want, have object.Set, l Ownership, keys map[object.Key]bool) []object.Item {
	look := maps.Keys(keys)
	if keys == nil {
		look = l.Differ(want)
	}
	var out []object.Item
	for k := range look {
		it, wanted := want.Get(k)
		if !wanted || it.Block != nil {
			continue
		}
		was, recorded := l.Recorded(k)
		switch {
		case recorded && was.Value == it.Value &&
			(!was.Relations().Equal(it.Relations()) || !slices.Equal(was.Why, it.Why)):
		case k.Kind.IsSetting() && (!recorded || was.Value != it.Value) && present(have, it):
			// It was right before we came. Without a value from before our first change it
			// is never changed back, so that to record it claims nothing; a fresh process
			// without a snapshot needs to know what paths stand on.
		case !recorded && !k.Kind.IsSession() && present(have, it) && marked(have, k):
			// Its mark proves it ours, and the ledger was lost.
		default:
			continue
		}
		out = append(out, it)
	}
	sorting.Sort(out, func(a, b object.Item) int { return a.Value.Key().Compare(b.Value.Key()) })
	return out
}

// among yields the items of a set under some keys.
func among(s object.Set, keys map[object.Key]bool) iter.Seq2[object.Key, object.Item] {
	return func(yield func(object.Key, object.Item) bool) {
		for k := range keys {
			if it, ok := s.Get(k); ok && !yield(k, it) {
				return
			}
		}
	}
}

func marked(have object.Set, k object.Key) bool {
	h, ok := have.Get(k)
	return ok && h.Marked && k.HasMark()
}

func present(have object.Set, it object.Item) bool {
	h, ok := have.Get(it.Value.Key())
	return ok && h.Value == it.Value
}
