package plan

import (
	"iter"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// judge notes of a wanted key that it is not there as wanted, and, of what is not, that it is
// blocked by itself.
func (d *differ) judge(k object.Key, p object.Pair) {
	if !p.A.Is() || p.B.Is() && !p.A.Blocked() && d.agrees(k, p.A.Value(), p.B.Item()) && d.managed(k.Kind) {
		return
	}
	d.dirty[k] = true
	var have object.Item
	if p.B.Is() {
		have = p.B.Item()
	}
	if b, ok := d.blockOf(k, p.A.Item(), have, p.B.Is()); ok {
		d.blocked[k] = b
	}
}

// toLookAt yields what is wanted and may not be there as wanted.
func (d *differ) toLookAt() iter.Seq2[object.Key, object.Item] {
	if d.all {
		return d.Want.All()
	}
	return among(d.Want, d.look)
}

// blockDependents adds what needs something blocked, until nothing is
// added. In the usual case nothing is blocked and this costs nothing. Of what there is
// no reason to look at nothing can be added, unless something is bad that was not last time.
func (d *differ) blockDependents() {
	for grew := len(d.blocked) > 0; grew; {
		d.all = d.all || d.newlyBad()
		// What a pass finds counts from the next one on, so that the reason
		// given does not depend on the order of the pass.
		found := map[object.Key]object.Block{}
		for k, it := range d.toLookAt() {
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
	case ok && d.agrees(k, it.Value, have):
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
		for need := range it.EachNeed {
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
	for need := range it.EachNeed {
		for k := range need.EachAlternative {
			if b, blocked := d.blocked[k]; blocked && d.isBad(k, b) {
				return k, b, true
			}
		}
	}
	return object.Key{}, object.Block{}, false
}

// isBad reports whether what needs a blocked key must not stay.
func (d *differ) isBad(k object.Key, b object.Block) bool {
	return b.Code != object.BlockUnmanaged && (b.Evicts() || !d.asWanted(k))
}

// newlyBad reports whether something is bad that was not last time.
func (d *differ) newlyBad() bool {
	for k, b := range d.blocked {
		if !d.m.bad[k] && d.isBad(k, b) {
			return true
		}
	}
	return false
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
	for k := range need.EachAlternative {
		if d.Want.Has(k) || d.Have.Has(k) || slices.Contains(d.Unmanaged, k.Kind) {
			return true
		}
	}
	return false
}
