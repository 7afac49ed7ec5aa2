package plan

import (
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// findBlocked collects what is not there as wanted, and of this what is blocked
// by itself. It is the only pass over everything of a round without changes.
func (d *differ) findBlocked() {
	d.blocked = map[object.Key]object.Block{}
	for k, it := range d.Want.All() {
		have, there := d.Have.Get(k)
		if there {
			d.present[k.Kind]++
		}
		if k.Kind.IsSteering() {
			d.noteMetric(it.Value.(object.Steering).Steers().Metric)
		}
		if there && it.Block == nil && d.agrees(k, it, have) && d.managed(k.Kind) {
			continue
		}
		d.dirty[k] = true
		if b, ok := d.blockOf(k, it, have, there); ok {
			d.blocked[k] = b
		}
	}
}

// noteMetric collects the metrics in use, of which there are very few.
func (d *differ) noteMetric(m uint32) {
	if m != d.metric || d.metrics == nil {
		if d.metrics == nil {
			d.metrics = map[uint32]bool{}
		}
		d.metric, d.metrics[m] = m, true
	}
}

// blockDependents adds what needs something blocked, until nothing is
// added. In the usual case nothing is blocked and this costs nothing.
func (d *differ) blockDependents() {
	for grew := len(d.blocked) > 0; grew; {
		// What a pass finds counts from the next one on, so that the reason
		// given does not depend on the order of the pass.
		found := map[object.Key]object.Block{}
		for k, it := range d.Want.All() {
			if _, done := d.blocked[k]; done || !d.managed(k.Kind) {
				continue
			}
			if need, b, ok := d.badNeed(it); ok {
				found[k] = object.Block{Code: object.BlockNeedFailed, Text: "needs " + need.Text() + ": " + b.Text}
				if b.LeavesDependents() {
					found[k] = object.Block{Code: b.Code, Text: found[k].Text}
				}
			}
		}
		grew = len(found) > 0
		for k, b := range found {
			d.blocked[k], d.dirty[k] = b, true
		}
	}
}

// blockOf finds the reasons that lie in the item itself.
func (d *differ) blockOf(k object.Key, it, have object.Item, ok bool) (object.Block, bool) {
	if slices.Contains(d.Unread, k.Kind) {
		return object.Block{Code: object.BlockUnverified, Text: "kind " + k.Kind.String() + " cannot be read now"}, true
	}
	if !d.managed(k.Kind) {
		return object.Block{Code: object.BlockUnmanaged, Text: "this instance does not manage kind " + k.Kind.String()}, true
	}
	if it.Block != nil {
		return *it.Block, true
	}
	switch {
	case ok && d.agrees(k, it, have):
		return object.Block{}, false
	case ok && !k.Kind.IsSetting() && !d.mine(k, have) && !d.made(k, have):
		return object.Block{Code: object.BlockForeign, Text: foreignText(it, have)}, true
	case !ok && k.Kind.MadeBy() != "":
		return object.Block{Code: object.BlockNotWired, Text: k.Text() + " does not exist; it is made by " +
			k.Kind.MadeBy()}, true
	}
	if why, waits := d.Waiting[k]; waits {
		return object.Block{Code: object.BlockBackoff, Text: why}, true
	}
	if why, waits := d.Contested[k]; waits {
		return object.Block{Code: object.BlockContested, Text: why}, true
	}
	if !ok {
		for _, need := range it.Needs() {
			if !d.known(need) {
				return object.Block{Code: object.BlockNeedMissing, Text: "needs " + need.Text() +
					", which is neither wanted nor present"}, true
			}
		}
	}
	return object.Block{}, false
}

// foreignText names what is in the place of a wanted object. Where it does what ours
// would do, nothing has to be withdrawn; but it may go at any time.
func foreignText(it, have object.Item) string {
	text := "another owner's object already exists: " + object.Text(have.Value)
	if what := have.Deviates(); what != "" {
		text += " (" + what + ")"
	}
	if have.Value == it.Value {
		text += "; it does what ours would do, and is left alone"
	}
	return text
}

// badNeed finds a need that is blocked and not there, or must not stay.
func (d *differ) badNeed(it object.Item) (object.Key, object.Block, bool) {
	for _, need := range it.Needs() {
		for _, k := range need.Alternatives() {
			if b, bad := d.blocked[k]; bad && b.Code != object.BlockUnmanaged && (b.Evicts() || !d.asWanted(k)) {
				return k, b, true
			}
		}
	}
	return object.Key{}, object.Block{}, false
}

// asWanted reports whether what exists under k is what is wanted there; of what
// nobody wants, that it is there at all.
func (d *differ) asWanted(k object.Key) bool {
	want, ok := d.Want.Get(k)
	if !ok {
		return d.Have.Has(k)
	}
	have, ok := d.Have.Get(k)
	return ok && have.Value == want.Value && !d.vanishes(k)
}

// known reports whether a need is wanted or present, or is left to others.
func (d *differ) known(need object.Key) bool {
	for _, k := range need.Alternatives() {
		if d.Want.Has(k) || d.Have.Has(k) || slices.Contains(d.Unmanaged, k.Kind) {
			return true
		}
	}
	return false
}
