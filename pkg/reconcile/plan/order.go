package plan

import (
	"cmp"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// findReplaced collects links and ports that cannot be changed in place and,
// until nothing is added, every wanted item that needs one of them: deleting a
// device silently removes what sits on it, so all of that must be planned again
// and the paths above withdrawn meanwhile.
func (d *differ) findReplaced() {
	for _, kind := range object.KindsThat(object.Kind.IsDevice) {
		for k, it := range d.Want.AllOf(kind) {
			have, ok := d.Have.Get(k)
			_, blocked := d.blocked[k] // then it stays as it is
			if ok && !blocked && d.mine(k, have) && !object.CanBecome(have.Value, it.Value) {
				d.markReplaced(k)
				d.replacePeer(have.Value)
			}
		}
	}
	for grew := len(d.replaced) > 0; grew; {
		grew = false
		for k, it := range d.Want.All() {
			if !d.replaced[k] && (d.standsOnReplaced(it.Needs()) || d.vanishes(k)) {
				d.markReplaced(k)
				d.replacePeer(it.Value)
				grew = true
			}
		}
	}
}

func (d *differ) markReplaced(k object.Key) { d.replaced[k], d.dirty[k] = true, true }

// replacePeer adds the value that goes with this one, such as the other end of a
// veth.
func (d *differ) replacePeer(v object.Value) {
	peer, ok := object.PairOf(v)
	if !ok {
		return
	}
	if _, blocked := d.blocked[peer]; d.Want.Has(peer) && !blocked {
		d.markReplaced(peer)
	}
}

// vanishes reports whether what we have under k sits on a link that is replaced
// and so goes with it, even if it is wanted elsewhere.
func (d *differ) vanishes(k object.Key) bool {
	have, ok := d.Have.Get(k)
	return ok && d.standsOnReplaced(object.VanishesWith(have.Value))
}

func (d *differ) standsOnReplaced(on []object.Key) bool {
	for _, need := range on {
		for k := range need.EachAlternative {
			if d.replaced[k] {
				return true
			}
		}
	}
	return false
}

// order sorts the steps and notes, moves deletes that must make room and
// resolves needs to steps of this plan.
func (d *differ) order() {
	d.makeRoom()
	d.sortOps()
	sorting.Sort(d.plan.Notes, compareNotes)
	var needs, last []object.Key
	for i := range d.plan.Ops {
		op := &d.plan.Ops[i]
		if op.Phase != Build {
			continue
		}
		op.Wanted = d.Want.Entry(op.Key())
		it := op.Wanted.Item()
		op.Relations = it.Relations()
		// Neighbours in a plan often need the same.
		if needs = d.appendNeeds(needs[:0], it); !slices.Equal(needs, last) {
			last = slices.Clone(needs)
		}
		op.Needs = last
	}
}

// compareNotes orders notes by key, and those of one key by what they say: of what is wanted
// and blocked there may be another that says why it is not taken away yet.
func compareNotes(a, b Note) int {
	if c := a.Key.Compare(b.Key); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Block.Code, b.Block.Code), cmp.Compare(a.Block.Text, b.Block.Text))
}

// sortOps puts the steps in order.
func (d *differ) sortOps() { inOrder(d.plan.Ops) }

// WithMade adds steps to a plan, in their order, that make values which the plan has no step
// for: an operator asked for them.
func WithMade(ops []Op, values []object.Value, why []object.Source) []Op {
	ops = slices.Clone(ops)
	for _, v := range values {
		ops = append(ops, Op{Verb: Create, Phase: Build, After: v, Why: why, Cause: CauseRepair})
	}
	inOrder(ops)
	return ops
}

// inOrder puts steps in order, in place. Keys are worked out once a step, not once a comparison: a
// first plan may have 200,000 steps.
func inOrder(ops []Op) {
	order := make([]keyed, len(ops))
	for i, op := range ops {
		among, layer := object.PlaceOf(valueOf(op))
		order[i] = keyed{op.Phase, op.Key(), among.Place(), layer, int32(i)}
	}
	slices.SortFunc(order, compareOps)
	const moved = -1
	for i := range order {
		if order[i].index == moved {
			continue
		}
		// What is here goes where the circle that begins here ends.
		first, to := ops[i], i
		for from := int(order[to].index); from != i; from = int(order[to].index) {
			ops[to], order[to].index = ops[from], moved
			to = from
		}
		ops[to], order[to].index = first, moved
	}
}

// keyed is a step as it is sorted.
type keyed struct {
	phase Phase
	key   object.Key
	kind  int // the place among kinds
	layer int // the place among values of that kind
	index int32
}

func valueOf(op Op) object.Value {
	if op.After == nil {
		return op.Before
	}
	return op.After
}

// compareOps orders by phase, then upwards by kind, layer and key or, for what
// is taken down, downwards by kind and layer.
func compareOps(a, b keyed) int {
	if a.phase != b.phase {
		return cmp.Compare(a.phase, b.phase)
	}
	up := cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.layer, b.layer))
	if a.phase == Dismantle || a.phase == Clear {
		up = -up
	}
	return cmp.Or(up, a.key.Compare(b.key))
}

// appendNeeds appends the needs of an item that are steps of this plan. The
// others are met already.
func (d *differ) appendNeeds(out []object.Key, it object.Item) []object.Key {
	for need := range it.EachNeed {
		for k := range need.EachAlternative {
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
			return slices.ContainsFunc(need.Alternatives(), func(k object.Key) bool { return moved[k] })
		}) {
			op.Phase, op.Note = Clear, "makes room"
		}
	}
}
