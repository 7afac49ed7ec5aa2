package plan

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// findEvicted collects what is there and must not stay, whether it is wanted, and so
// blocked, or would be held. Paths that need it go too, by what the ledger records:
// what is announced must be forwarded.
func (d *differ) findEvicted() {
	d.evicted = map[object.Key]object.Block{}
	for _, kind := range object.KindsThat(object.Kind.IsSteering) {
		// Usually all that is there is wanted and nothing is blocked.
		usual := d.present[kind] == d.Have.LenOf(kind) && len(d.blocked) == 0
		if d.Evict == nil || usual || !d.managed(kind) {
			continue
		}
		for k, have := range d.Have.AllOf(kind) {
			if !d.mine(k, have) {
				continue
			}
			// A wanted one is judged by the value that it is to have.
			if b, blocked := d.blocked[k]; blocked && b.Evicts() {
				d.evicted[k] = b
			} else if b := d.Evict(have.Value); b != nil && !d.Want.Has(k) {
				d.evicted[k] = *b
			}
		}
	}
	if len(d.evicted) == 0 {
		return
	}
	for _, kind := range object.KindsThat(object.Kind.IsPath) {
		for k, have := range d.Have.AllOf(kind) {
			if d.Want.Has(k) || !d.managed(kind) || !d.mine(k, have) {
				continue // of a wanted one it is known what it needs now
			}
			if by, b, ok := evictedNeed(have.WithRelations(d.relations(k)), d.evicted); ok {
				d.evicted[k] = object.Block{Code: b.Code, Text: "needs " + by.Text() + ": " + b.Text}
			}
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
