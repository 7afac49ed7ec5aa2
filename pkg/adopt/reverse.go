package adopt

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// noteHandedBack marks what becomes the predecessor's without ever being missing.
const noteHandedBack = "handed back as it is"

// handBack is all that the plan of a hand-back depends on.
type handBack struct {
	have   object.Set
	old    legacy.State
	ledger plan.Ownership
}

// list is the rule list of a family and a table that it leads to.
type list struct {
	table uint32
	ipv6  bool
}

// PlanReverse reads everything and computes the steps by which the node goes back to
// ovn-bgp-agent. It needs no database: what is there is handed back, whatever is
// wanted. It writes nothing.
func (n Node) PlanReverse(ctx context.Context) (plan.Plan, error) {
	h := handBack{ledger: n.Ledger}
	var err error
	if h.have, _, err = n.Backends.Read(ctx, actual.Focus{Complete: true}); err != nil {
		return plan.Plan{}, fmt.Errorf("cannot read current state, nothing is handed back: %w", err)
	}
	var scope legacy.Scope
	for l := range h.lists() {
		scope.Tables = append(scope.Tables, l.table)
	}
	if h.old, err = n.Predecessor.Read(scope); err != nil {
		return plan.Plan{}, fmt.Errorf("cannot read rules and routes of others, nothing is handed back: %w", err)
	}
	return h.plan(), nil
}

// ExecuteReverse applies the plan. The first failure ends it: traffic is as it was
// then, PlanReverse finds what is left to do, and Plan the way back to us.
func (n Node) ExecuteReverse(ctx context.Context, p plan.Plan, journal execute.Journal) execute.Result {
	x := execute.Executor{Backends: n.backends(p), Journal: leaving{journal}, Now: time.Now, StopAtFailure: true}
	return x.Run(ctx, p)
}

// lists are those in which a rule of ours leads to a table of a bridge.
func (h *handBack) lists() map[list]bool {
	out := map[list]bool{}
	for _, it := range h.have.SortedOf(object.KindRule) {
		if r, ok := it.Value.(object.Rule); ok && it.Marked {
			out[list{r.Table, r.IPv6}] = true
		}
	}
	return out
}

// plan makes our routes the predecessor's in place, gives each destination in the
// bridges' tables its own rule, as the predecessor does, and only then deletes the
// rules that led there. It is pure. Neighbours, proxies, addresses and flows are those
// that the predecessor makes and stay; none of them is ours any more.
func (h *handBack) plan() plan.Plan {
	var p plan.Plan
	lists := h.lists()
	led := map[legacy.Rule]bool{}
	lead := func(dst netip.Prefix, table uint32) {
		if lists[list{table, dst.Addr().Is6()}] && dst.Bits() > 0 {
			led[legacy.Rule{To: dst, Table: table, Priority: legacy.RulePriority}] = true
		}
	}
	for _, it := range h.have.Sorted() {
		switch v := it.Value.(type) {
		case object.Link:
			if it.Marked && v.Type == object.LinkVLAN {
				p.Ops = append(p.Ops, handedBack(v, legacy.Released{Link: v}))
			}
		case object.Route:
			if it.Marked && lists[list{v.Table, v.Dst.Addr().Is6()}] {
				p.Ops = append(p.Ops, handedBack(v, legacy.AsMade(v)))
				lead(v.Dst, v.Table)
			}
		}
	}
	for _, r := range h.old.Routes { // of an earlier hand-back that was interrupted
		if r.Unmarked() {
			lead(r.Dst, r.Table)
		}
	}
	for _, r := range h.old.Rules {
		for want := range led {
			if want.Key() == r.Key() {
				delete(led, want)
			}
		}
	}
	for _, r := range sortedRules(led) {
		p.Ops = append(p.Ops, plan.Op{Verb: plan.Create, Phase: plan.Build, After: r})
	}
	for _, it := range h.have.SortedOf(object.KindRule) {
		if it.Marked {
			p.Ops = append(p.Ops, plan.Op{Verb: plan.Delete, Phase: plan.Dismantle, Before: it.Value})
		}
	}
	p.Notes = h.stays(lists)
	for _, kind := range object.Kinds() {
		p.Forget = append(p.Forget, h.ledger.Keys(kind)...)
	}
	return p
}

func handedBack(before, after object.Value) plan.Op {
	return plan.Op{Verb: plan.Update, Phase: plan.Build, Before: before, After: after, Note: noteHandedBack}
}

func sortedRules(rules map[legacy.Rule]bool) []legacy.Rule {
	var out []legacy.Rule
	for r := range rules {
		out = append(out, r)
	}
	sorting.Sort(out, func(a, b legacy.Rule) int { return a.Key().Compare(b.Key()) })
	return out
}

// stays says what of ours the predecessor has nothing like on a provider bridge: routes
// that were learned, and what belongs to a VRF.
func (h *handBack) stays(lists map[list]bool) []plan.Note {
	var out []plan.Note
	for _, it := range h.have.Sorted() {
		what := ""
		switch v := it.Value.(type) {
		case object.Route:
			if !lists[list{v.Table, v.Dst.Addr().Is6()}] {
				what = "route"
			}
		case object.Link:
			if v.Type != object.LinkVLAN {
				what = "device"
			}
		}
		if it.Marked && what != "" {
			block := object.Block{Code: codeLeftAlone, Text: "ovn-bgp-agent has no such " + what + " on a provider bridge: it " +
				"stays; remove it with ip when FRR and the agent have their own"}
			out = append(out, plan.Note{Key: it.Value.Key(), Value: it.Value, Block: block})
		}
	}
	return out
}

// leaving records in a journal that what is handed back is not ours any more. What the
// predecessor gets is never entered: the ledger is about our own.
type leaving struct{ execute.Journal }

// Begin implements execute.Journal.
func (l leaving) Begin(p plan.Plan) error {
	ours, _ := l.ours(p, make([]error, len(p.Ops)))
	return l.Journal.Begin(ours)
}

// End implements execute.Journal. The ledger is emptied only if all has been handed
// back.
func (l leaving) End(p plan.Plan, outcomes []error, took time.Duration) error {
	ours, kept := l.ours(p, outcomes)
	if slices.ContainsFunc(outcomes, func(err error) bool { return err != nil }) {
		ours.Forget = nil
	}
	return l.Journal.End(ours, kept, took)
}

// ours is the plan as it is for us: what becomes the predecessor's is deleted, and what
// it gets beside is nothing.
func (leaving) ours(p plan.Plan, outcomes []error) (out plan.Plan, kept []error) {
	out = plan.Plan{Notes: p.Notes, Forget: p.Forget}
	for i, op := range p.Ops {
		if op.Before == nil {
			continue
		}
		op.Verb, op.Phase, op.After = plan.Delete, plan.Dismantle, nil
		out.Ops, kept = append(out.Ops, op), append(kept, outcomes[i])
	}
	return out, kept
}
