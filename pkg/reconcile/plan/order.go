package plan

import (
	"cmp"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// findReplaced collects links that the kernel cannot change in place and,
// until nothing is added, every wanted item that needs one of them: deleting a
// link silently removes what sits on it, so all of that must be planned again
// and the paths above withdrawn meanwhile.
func (d *differ) findReplaced() {
	for k, it := range d.Want.AllOf(object.KindLink) {
		have, ok := d.Have.Get(k)
		_, blocked := d.blocked[k] // then it stays as it is
		if ok && !blocked && d.mine(k, have) && mustReplace(have.Value, it.Value) {
			d.replaced[k], d.odd[k] = true, true
		}
	}
	for grew := len(d.replaced) > 0; grew; {
		grew = false
		for k, it := range d.Want.All() {
			if !d.replaced[k] && (d.standsOnReplaced(it.Needs()) || d.vanishes(k)) {
				d.replaced[k], d.odd[k] = true, true
				grew = true
			}
		}
	}
}

// vanishes reports whether what we have under k sits on a link that is replaced
// and so goes with it, even if it is wanted elsewhere.
func (d *differ) vanishes(k object.Key) bool {
	have, ok := d.Have.Get(k)
	return ok && d.standsOnReplaced(have.Value.DependsOn())
}

func (d *differ) standsOnReplaced(on []object.Key) bool {
	for _, need := range on {
		for _, k := range alias(need) {
			if d.replaced[k] {
				return true
			}
		}
	}
	return false
}

// mustReplace reports whether a link differs in more than its admin state.
func mustReplace(have, want object.Value) bool {
	h, ok := have.(object.Link)
	if !ok {
		return false
	}
	w, ok := want.(object.Link)
	if !ok {
		return true
	}
	h.Up = w.Up
	return h != w
}

// order sorts the steps and notes, moves deletes that must make room and
// resolves needs to steps of this plan.
func (d *differ) order() {
	d.makeRoom()
	d.sortOps()
	slices.SortFunc(d.plan.Notes, func(a, b Note) int { return a.Key.Compare(b.Key) })
	for i := range d.plan.Ops {
		op := &d.plan.Ops[i]
		if op.Phase != Build {
			continue
		}
		it, _ := d.Want.Get(op.Key())
		op.Needs = d.stepNeeds(it)
	}
}

// sortOps puts the steps in order. Keys are worked out once a step, not once a
// comparison: a first plan may have 200,000 steps.
func (d *differ) sortOps() {
	type keyed struct {
		key   object.Key
		index int32
	}
	order := make([]keyed, len(d.plan.Ops))
	for i, op := range d.plan.Ops {
		order[i] = keyed{op.Key(), int32(i)}
	}
	slices.SortFunc(order, func(a, b keyed) int {
		return compareOps(d.plan.Ops[a.index].Phase, a.key, d.plan.Ops[b.index].Phase, b.key)
	})
	sorted := make([]Op, len(order))
	for i, k := range order {
		sorted[i] = d.plan.Ops[k.index]
	}
	d.plan.Ops = sorted
}

// compareOps orders by phase, then upwards in key order or, for what is taken
// down, downwards by kind.
func compareOps(phaseA Phase, a object.Key, phaseB Phase, b object.Key) int {
	if phaseA != phaseB {
		return cmp.Compare(phaseA, phaseB)
	}
	if phaseA == Dismantle || phaseA == Clear {
		return cmp.Or(-cmp.Compare(a.Kind, b.Kind), a.Compare(b))
	}
	return a.Compare(b)
}

// stepNeeds returns the needs of an item that are steps of this plan. The
// others are met already.
func (d *differ) stepNeeds(it object.Item) []object.Key {
	var out []object.Key
	for _, need := range it.Needs() {
		for _, k := range alias(need) {
			if d.steps[k] && !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

// makeRoom moves the delete of a link before the builds when a link that is
// created claims the same thing under another name, together with the deletes
// of what sits on it. This is the only exception to the order of the phases.
func (d *differ) makeRoom() {
	claims := map[string]bool{}
	for _, op := range d.plan.Ops {
		if c, ok := op.After.(object.Claimer); ok && op.Verb == Create {
			for _, claim := range c.Claims() {
				claims[claim] = true
			}
		}
	}
	if len(claims) == 0 {
		return
	}
	moved := map[object.Key]bool{}
	for i := range d.plan.Ops {
		op := &d.plan.Ops[i]
		c, ok := op.Before.(object.Claimer)
		if !ok || op.Phase != Dismantle || !slices.ContainsFunc(c.Claims(), func(s string) bool { return claims[s] }) {
			continue
		}
		op.Phase, op.Note = Clear, "makes room"
		moved[op.Key()] = true
	}
	for i := range d.plan.Ops {
		op := &d.plan.Ops[i]
		if op.Phase == Dismantle && slices.ContainsFunc(op.Before.DependsOn(), func(need object.Key) bool {
			return slices.ContainsFunc(alias(need), func(k object.Key) bool { return moved[k] })
		}) {
			op.Phase, op.Note = Clear, "makes room"
		}
	}
}
