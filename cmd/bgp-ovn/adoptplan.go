package main

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// adoption is all that the plan of a take-over depends on.
type adoption struct {
	snap       observe.Snapshot
	want, have object.Set
	old        legacy.State
	ledger     plan.Ownership
	// mapped are the provider bridges, unmanaged the kinds that are not ours.
	mapped    []string
	unmanaged []object.Kind
	keep      func(object.Key, []object.Source) *object.Block
	// removeFRR takes FRR's devices away too.
	removeFRR bool

	// ours are the routing tables that are wanted or named after a bridge, and
	// tables those and the others of the predecessor.
	ours, tables map[uint32]bool
}

// noteTakenOver marks what becomes ours without being touched.
const noteTakenOver = "taken over as it is"

// noteBeforeRule marks the routes that must be gone before our rule comes.
const noteBeforeRule = "before the rule that sends every packet here"

// adoptionPlan is the difference between what is wanted and what is, in which
// all that is the predecessor's counts as ours. It is pure. The planner's order
// is kept but for one thing: a rule of the predecessor sends one address to the
// bridge's table, ours sends every packet there. So whatever nobody wants in
// that table, above all the predecessor's default route, goes after the wanted
// routes have come and before our rule does.
func adoptionPlan(a adoption) (plan.Plan, error) {
	a.have = a.have.Clone()
	a.findTables()
	a.markTheirs()
	a.addRoutes()
	for _, r := range a.old.Rules {
		if a.tables[r.Table] {
			a.have.Put(object.Item{Value: r, Marked: true})
		}
	}
	a.addVLANs()
	for _, d := range a.old.Devices {
		if a.removeFRR {
			a.have.Put(object.Item{Value: d, Marked: true})
		}
	}
	p := plan.Diff(plan.Input{Want: a.want, Have: a.have, Ledger: a.ledger, Unmanaged: a.unmanaged, Keep: a.keep})
	p.Notes = slices.DeleteFunc(p.Notes, func(n plan.Note) bool { return n.Block.Code == object.BlockUnmanaged })
	p.Notes = append(p.Notes, a.leftAlone()...)
	p.Ops = a.clearTablesFirst(p.Ops)
	for i := range p.Ops {
		if _, ok := p.Ops[i].Before.(theirs); ok {
			p.Ops[i].Before, p.Ops[i].Note = nil, noteTakenOver
		}
	}
	return p, a.trap(p)
}

// theirs is a value without a mark that equals a wanted one, or that is the
// predecessor's for another reason. It differs from every wanted value, so that
// the planner enters the key into the ledger.
type theirs struct{ object.Value }

// markTheirs finds what has no mark and is the predecessor's: what equals ours,
// the addresses that only it gives, and the neighbours and proxies of an
// address that a rule of it names.
func (a *adoption) markTheirs() {
	for _, it := range a.have.Sorted() {
		k := it.Value.Key()
		if it.Marked || a.ledger.Owned(k) {
			continue
		}
		want, wanted := a.want.Get(k)
		switch {
		case wanted && it.Value == want.Value && takenByLedger(k.Kind):
			a.have.Put(object.Item{Value: theirs{it.Value}, Marked: true})
		case wanted && k.Kind == object.KindNeigh, !wanted && a.predecessors(it.Value):
			a.have.Put(object.Item{Value: it.Value, Marked: true})
		}
	}
}

// takenByLedger lists the kinds in which another's object becomes ours by an
// entry in the ledger. A setting does not: it stands as wanted, and the value
// from before anybody changed it is not known.
func takenByLedger(k object.Kind) bool {
	return k == object.KindAddress || k == object.KindNeigh || k == object.KindProxyNeigh
}

// predecessors reports whether an unwanted object on one of our devices can only
// be the predecessor's.
func (a *adoption) predecessors(v object.Value) bool {
	switch v := v.(type) {
	case object.Address:
		tag, ok := a.deviceTag(v.Dev)
		return ok && predecessorsAddress(v.Prefix, tag)
	case object.Neigh:
		return a.ourDevice(v.Dev) && slices.ContainsFunc(a.old.Rules, func(r legacy.Rule) bool { return r.To.IsSingleIP() && r.To.Addr() == v.Addr })
	case object.ProxyNeigh:
		return a.ourDevice(v.Dev) && v.Addr.Is6() && slices.ContainsFunc(a.old.Rules, func(r legacy.Rule) bool {
			net := netip.PrefixFrom(v.Addr, 64)
			return net == net.Masked() && net.Contains(r.To.Addr())
		})
	default:
		return false
	}
}

// predecessorsAddress recognises 169.254.i.i/32 on a bridge, 169.254.i.tag/32 on
// a VLAN device, and fd53:d91e:400:7f17::i:j/128.
func predecessorsAddress(p netip.Prefix, tag uint16) bool {
	if !p.IsSingleIP() {
		return false
	}
	if p.Addr().Is6() {
		return netip.MustParsePrefix("fd53:d91e:400:7f17::/64").Contains(p.Addr())
	}
	b := p.Addr().As4()
	last := b[2]
	if tag != 0 {
		last = byte(tag)
	}
	return b[0] == 169 && b[1] == 254 && b[3] == last
}

// deviceTag returns the tag of a VLAN device on a mapped bridge, 0 for a mapped
// bridge, and false for all other devices.
func (a *adoption) deviceTag(name string) (uint16, bool) {
	for _, v := range a.old.VLANs {
		if v.Name == name {
			return v.VLAN, true
		}
	}
	return 0, slices.Contains(a.mapped, name)
}

func (a *adoption) ourDevice(name string) bool {
	_, ok := a.deviceTag(name)
	return ok
}

// findTables sorts out the routing tables: ours are those that are wanted and
// those that rt_tables names after a mapped bridge. The predecessor's are these,
// and those that a rule of it leads to and that hold routes to our devices and
// to no others.
func (a *adoption) findTables() {
	a.ours, a.tables = map[uint32]bool{}, map[uint32]bool{}
	for k := range a.want.AllOf(object.KindRoute) {
		a.ours[k.Num] = true
	}
	if a.snap.Host != nil {
		for _, t := range a.snap.Host.Tables {
			if slices.Contains(a.mapped, t.Name) {
				a.ours[t.ID] = true
			}
		}
	}
	alien := map[uint32]bool{}
	for _, r := range a.old.Routes {
		a.tables[r.Table] = true
		alien[r.Table] = alien[r.Table] || !a.ourDevice(r.Dev)
	}
	for id := range alien {
		a.tables[id] = !alien[id]
	}
	for id := range a.ours {
		a.tables[id] = true
	}
	for _, reserved := range []uint32{0, 253, 254, 255} {
		delete(a.ours, reserved)
		delete(a.tables, reserved)
	}
}

// trap finds a default route that nobody may delete in a table to which our rule
// would send every packet of the node.
func (a *adoption) trap(p plan.Plan) error {
	for _, r := range a.old.Routes {
		going := slices.ContainsFunc(p.Ops, func(op plan.Op) bool { return op.Key() == r.Key() })
		if r.Dst.Bits() == 0 && a.ours[r.Table] && !going {
			return fmt.Errorf("table %d is a bridge's and holds a default route that is not the predecessor's (%s): our rule would send every packet of this node there; remove it first", r.Table, r.Attrs())
		}
	}
	return nil
}

// addRoutes puts the predecessor's routes, with their protocol, in the place of
// what the backend shows.
func (a *adoption) addRoutes() {
	for _, r := range a.old.Routes {
		have, there := a.have.Get(r.Key())
		if (!there || !have.Marked) && r.Unmarked() && a.ourDevice(r.Dev) && a.tables[r.Table] {
			a.have.Put(object.Item{Value: r, Marked: true})
		}
	}
}

// addVLANs takes VLAN devices over that are as wanted but for the admin state,
// and lets go of those that have the predecessor's name and address. Others are
// the operator's.
func (a *adoption) addVLANs() {
	for _, v := range a.old.VLANs {
		have, there := a.have.Get(v.Key())
		if there && have.Marked || a.ledger.Owned(v.Key()) {
			continue
		}
		want, wanted := a.want.Get(v.Key())
		as := v.Link
		as.Up = true
		switch {
		case wanted && want.Value == object.Value(as):
			a.have.Put(object.Item{Value: theirs{v.Link}, Marked: true})
		case !wanted && a.predecessorsVLAN(v):
			a.have.Put(object.Item{Value: v.Link, Marked: true})
		}
	}
}

// bridgePart is how much of a bridge's name is in the names of its VLAN devices.
const bridgePart = 10

func (a *adoption) predecessorsVLAN(v legacy.VLAN) bool {
	name := fmt.Sprintf("%s.%d", v.Parent[:min(bridgePart, len(v.Parent))], v.VLAN)
	return v.Name == name && v.Alias == "" && slices.ContainsFunc(v.Addrs, func(p netip.Prefix) bool { return predecessorsAddress(p, v.VLAN) })
}

// leftAlone says what looks like the predecessor's and stays.
func (a *adoption) leftAlone() []plan.Note {
	var out []plan.Note
	note := func(v object.Value, format string, args ...any) {
		out = append(out, plan.Note{Key: v.Key(), Value: v, Block: object.Block{Code: codeLeftAlone, Text: fmt.Sprintf(format, args...)}})
	}
	for _, d := range a.old.Devices {
		if !a.removeFRR {
			note(d, "FRR announces the %d addresses on it; --remove-frr-interfaces removes it once FRR has been stopped", d.Addrs)
		}
	}
	for _, r := range a.old.Rules {
		if !a.tables[r.Table] {
			note(r, "table %d is not one of a mapped bridge", r.Table)
		}
	}
	for _, v := range a.old.VLANs {
		if !a.want.Has(v.Key()) && !a.have.Has(v.Key()) && v.Alias == "" {
			note(v.Link, "nothing on it shows that the predecessor made it")
		}
	}
	return out
}

// codeLeftAlone is the code of a note about what stays because it was not asked
// for, or is not provably the predecessor's.
const codeLeftAlone = "left-alone"

// clearTablesFirst moves the deletes of the predecessor's routes in our tables
// before the first rule or later kind that is built. In a table that only its
// rules lead to, its routes are needed until ours have come.
func (a *adoption) clearTablesFirst(ops []plan.Op) []plan.Op {
	var clear, rest []plan.Op
	for _, op := range ops {
		if r, ok := op.Before.(legacy.Route); ok && op.Verb == plan.Delete && a.ours[r.Table] {
			op.Phase, op.Note = plan.Clear, noteBeforeRule
			clear = append(clear, op)
			continue
		}
		rest = append(rest, op)
	}
	at := slices.IndexFunc(rest, func(op plan.Op) bool {
		return op.Phase == plan.Dismantle || op.Phase == plan.Build && op.Key().Kind >= object.KindRule
	})
	if at < 0 {
		at = len(rest)
	}
	return slices.Insert(rest, at, clear...)
}
