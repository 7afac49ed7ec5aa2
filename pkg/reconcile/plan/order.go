package plan

import (
	"cmp"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// findReplaced collects links and ports that cannot be changed in place and,
// until nothing is added, every wanted item that needs one of them: deleting a
// device silently removes what sits on it, so all of that must be planned again
// and the paths above withdrawn meanwhile.
func (d *differ) findReplaced() {
	for _, kind := range []object.Kind{object.KindLink, object.KindOVSPort} {
		for k, it := range d.Want.AllOf(kind) {
			have, ok := d.Have.Get(k)
			_, blocked := d.blocked[k] // then it stays as it is
			if ok && !blocked && d.mine(k, have) && mustReplace(have.Value, it.Value) {
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

func (d *differ) markReplaced(k object.Key) { d.replaced[k], d.odd[k] = true, true }

// replacePeer adds the other end of a veth, which goes with this one.
func (d *differ) replacePeer(v object.Value) {
	l, ok := v.(object.Link)
	if !ok || l.Peer == "" {
		return
	}
	peer := object.Key{Kind: object.KindLink, Name: l.Peer}
	if _, blocked := d.blocked[peer]; d.Want.Has(peer) && !blocked {
		d.markReplaced(peer)
	}
}

// vanishes reports whether what we have under k sits on a link that is replaced
// and so goes with it, even if it is wanted elsewhere.
func (d *differ) vanishes(k object.Key) bool {
	have, ok := d.Have.Get(k)
	return ok && d.standsOnReplaced(goesWith(have.Value))
}

// goesWith names the devices with which a value vanishes: all that it depends on,
// except that a link outlives its master and a port in the database its device.
func goesWith(v object.Value) []object.Key {
	switch v := v.(type) {
	case object.OVSPort:
		return nil
	case object.Link:
		if v.Parent == "" {
			return nil
		}
		return []object.Key{object.DeviceNeed(v.Parent)}
	default:
		return v.DependsOn()
	}
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

// mustReplace reports whether a link or port differs in what cannot be changed
// in place.
func mustReplace(have, want object.Value) bool {
	switch w := want.(type) {
	case object.Link:
		h, ok := have.(object.Link)
		return ok && !h.SameDevice(w)
	case object.OVSPort:
		h, ok := have.(object.OVSPort)
		return ok && !h.SamePort(w)
	default:
		return false
	}
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
	order := make([]keyed, len(d.plan.Ops))
	for i, op := range d.plan.Ops {
		order[i] = keyed{op.Phase, op.Key(), kindOf(op), layerOf(op), int32(i)}
	}
	slices.SortFunc(order, compareOps)
	sorted := make([]Op, len(order))
	for i, k := range order {
		sorted[i] = d.plan.Ops[k.index]
	}
	d.plan.Ops = sorted
}

// keyed is a step as it is sorted.
type keyed struct {
	phase Phase
	key   object.Key
	kind  object.Kind // the place among kinds
	layer int         // of a link among links
	index int32
}

// kindOf is the kind as whose kin a step is sorted: its own, but for routes that
// refuse traffic. They need no device, and keep what is in a VRF from looking into
// the main table, so they come before the first device in it and go after the
// last.
func kindOf(op Op) object.Kind {
	if r, ok := valueOf(op).(object.Route); ok && r.Unreachable {
		return object.KindDevice
	}
	return op.Key().Kind
}

func valueOf(op Op) object.Value {
	if op.After == nil {
		return op.Before
	}
	return op.After
}

func layerOf(op Op) int {
	v := valueOf(op)
	if l, ok := v.(object.Link); ok {
		return l.Layer()
	}
	return 0
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
