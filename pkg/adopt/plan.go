package adopt

import (
	"fmt"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// adoption is all that the plan of a take-over depends on.
type adoption struct {
	// host has the names of routing tables; nil if nobody knows them.
	host       *observe.Host
	want, have object.Set
	old        legacy.State
	// learned are FRR's routes of the main table.
	learned []legacy.Learned
	ledger  plan.Ownership
	// mapped are the provider bridges, positions those of their mappings, unmanaged the
	// kinds that are not ours.
	mapped    []string
	positions map[string][]int
	unmanaged []object.Kind
	keep      func(object.Key, []object.Source) *object.Block
	// removeFRR takes FRR's devices away too.
	removeFRR bool

	// ours are the routing tables that are wanted or named after a bridge, and
	// tables those and the others of the predecessor.
	ours, tables map[uint32]bool
	// leaving are the VLAN devices of the predecessor that nobody wants.
	leaving map[string]bool
}

// noteTakenOver marks what becomes ours without being touched: its entry in the
// ledger, or our mark on it, is all that is new.
const noteTakenOver = "taken over as it is"

// noteBeforeRule marks the routes that must be gone before our rule comes.
const noteBeforeRule = "before the rule that has every packet looked up here"

// codeLeftAlone is the code of a note about what stays because it was not asked
// for, or is not provably the predecessor's.
const codeLeftAlone = "left-alone"

// unmarked is a value without a mark that equals the wanted one. It differs from
// every wanted value, so that the planner makes a step that enters its key into
// the ledger.
type unmarked struct{ object.Value }

// plan is the difference between what is wanted and what is, in which all that is
// the predecessor's counts as ours. It is pure. The planner's order is kept but
// for what clearTablesFirst and proofsLast say.
func (a adoption) plan() plan.Plan {
	a.have = a.have.Clone()
	a.findTables()
	a.findLeaving()
	a.claimUnmarked()
	a.claimRoutes()
	a.claimLearned()
	a.claimLinks()
	for _, r := range a.old.Rules {
		if a.tables[r.Table] {
			a.have.Put(object.Item{Value: r, Marked: true})
		}
	}
	p := plan.Diff(plan.Input{
		Want: a.want, Have: a.have, Ledger: a.ledger, Unmanaged: a.unmanaged, Keep: a.keep,
	})
	p.Notes = slices.DeleteFunc(p.Notes, func(n plan.Note) bool { return n.Block.Code == object.BlockUnmanaged })
	p.Notes = append(p.Notes, a.leftAlone()...)
	p.Ops = a.onlyReplaced(p.Ops)
	p.Ops = proofsLast(a.clearTablesFirst(p.Ops))
	for i := range p.Ops {
		if _, ok := p.Ops[i].Before.(unmarked); ok {
			p.Ops[i].Before, p.Ops[i].Note = nil, noteTakenOver
		}
	}
	return p
}

// clearTablesFirst moves the deletes of the predecessor's routes in our tables
// before the first rule or later kind that is built. A rule of the predecessor
// sends one address to the bridge's table, ours has every packet looked up there:
// whatever nobody wants in that table goes after the wanted routes have come and
// before our rule does. A default route would do no harm, the rule suppresses it, but
// a route to an address that has moved away would. In a table that only its rules lead
// to, its routes are needed until ours have come.
func (a *adoption) clearTablesFirst(ops []plan.Op) []plan.Op {
	var before, rest []plan.Op
	for _, op := range ops {
		if r, ok := op.Before.(legacy.Route); ok && op.Verb == plan.Delete && a.ours[r.Table] {
			op.Phase, op.Note = plan.Clear, noteBeforeRule
			before = append(before, op)
			continue
		}
		rest = append(rest, op)
	}
	at := slices.IndexFunc(rest, func(op plan.Op) bool {
		return op.Phase == plan.Dismantle || op.Phase == plan.Build && op.Key().Kind.Place() >= object.KindRule.Place()
	})
	if at < 0 {
		at = len(rest)
	}
	return slices.Insert(rest, at, before...)
}

// proofsLast moves what shows that other things are the predecessor's to the end:
// its rules name the addresses of its neighbours and proxies, and lead to its
// tables. A take-over that was interrupted can then be run again and finds the
// rest. Until they go, these rules do no harm: they lead where ours does, or to a
// table in which nothing is left.
//
// Routes of a table that no file names come after the rules that lead there: the
// other way round, a foreign route in that table could take the packets for a
// moment. An interruption between the two leaves routes that nothing leads to.
func proofsLast(ops []plan.Op) []plan.Op {
	var out, rules, routes []plan.Op
	for _, op := range ops {
		switch op.Before.(type) {
		case legacy.Rule:
			rules = append(rules, op)
			continue
		case legacy.Route:
			if op.Phase == plan.Dismantle {
				routes = append(routes, op)
				continue
			}
		}
		out = append(out, op)
	}
	return slices.Concat(out, rules, routes)
}

// leftAlone says what looks like the predecessor's and stays.
func (a *adoption) leftAlone() []plan.Note {
	var out []plan.Note
	note := func(v object.Value, format string, args ...any) {
		block := object.Block{Code: codeLeftAlone, Text: fmt.Sprintf(format, args...)}
		out = append(out, plan.Note{Key: v.Key(), Value: v, Block: block})
	}
	for _, d := range a.old.Devices {
		if !a.removeFRR {
			note(d, "FRR announces the %d addresses on it; stop FRR, then --remove-frr-interfaces removes it", d.Addrs)
		}
	}
	for _, r := range a.old.Rules {
		if !a.tables[r.Table] {
			note(r, "table %d is not one of a provider bridge", r.Table)
		}
	}
	for _, v := range a.old.VLANs {
		if !a.want.Has(v.Key()) && !a.have.Has(v.Key()) && v.Alias == "" {
			note(v.Link, "nothing shows that ovn-bgp-agent made it; if it did: ip link del %s", v.Name)
		}
	}
	return out
}
