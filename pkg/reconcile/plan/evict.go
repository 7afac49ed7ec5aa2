package plan

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// findEvicted collects what is there and must not stay, whether it is wanted, and so
// blocked, or would be held. Paths that need it go too, by what the ledger records:
// what is announced must be forwarded.
func (d *differ) findEvicted() {
	d.evicted = map[object.Key]object.Block{}
	if d.Evict == nil {
		return
	}
	steers := func(k object.Key) bool { return k.Kind.IsSteering() && d.managed(k.Kind) }
	// A wanted one is judged by the value that it is to have.
	for k, b := range d.blocked {
		if have, there := d.Have.Get(k); there && b.Evicts() && steers(k) && d.mine(k, have) {
			d.evicted[k] = b
		}
	}
	for k := range d.m.unwanted {
		if have, _ := d.Have.Get(k); steers(k) && d.mine(k, have) {
			if b := d.Evict(have.Value); b != nil {
				d.evicted[k] = *b
			}
		}
	}
	if len(d.evicted) == 0 {
		return
	}
	for k := range d.m.unwanted { // of a wanted path it is known what it needs now
		have, _ := d.Have.Get(k)
		if !k.Kind.IsPath() || !d.managed(k.Kind) || !d.mine(k, have) {
			continue
		}
		if by, b, ok := evictedNeed(have.WithRelations(d.relations(k)), d.evicted); ok {
			d.evicted[k] = object.Block{Code: b.Code, Text: "needs " + by.Text() + ": " + b.Text}
		}
	}
}

// evictedNeed finds what of an item's needs must not stay.
func evictedNeed(it object.Item, evicted map[object.Key]object.Block) (object.Key, object.Block, bool) {
	for _, need := range it.Needs() {
		if b, ok := evicted[need]; ok && !need.Kind.IsPath() {
			return need, b, true
		}
	}
	return object.Key{}, object.Block{}, false
}
