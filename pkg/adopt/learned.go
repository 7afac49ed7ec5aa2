package adopt

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// learnedBy takes what FRR has learned for what the neighbours announce: each next hop is a neighbour,
// as it is with EBGP. What is derived from it is what the controller derives once its own sessions
// are up. Nil if FRR has learned nothing, because then nobody has been asked.
func learnedBy(routes []legacy.Learned) *observe.Learned {
	if len(routes) == 0 {
		return nil
	}
	out := &observe.Learned{Revision: 1}
	for _, r := range routes {
		for _, hop := range r.NextHops() {
			path := observe.LearnedPath{Prefix: r.Dst, NextHop: hop.Via, Peer: hop.Via.String(), Dev: hop.Dev}
			if hop.Via.IsLinkLocalUnicast() && hop.Via.Is6() {
				path.Peer = hop.Via.WithZone(hop.Dev).String()
			}
			out.Paths = append(out.Paths, path)
		}
	}
	return out
}

// claimLearned takes over what FRR has learned: routes in tables of OVN's routers become ours as they
// are, or are replaced in place; a route of the main table goes once ours, which has another metric,
// leads to the same prefix. Where FRR runs it puts its own back, which then goes with it.
func (a *adoption) claimLearned() {
	for k, it := range a.want.AllOf(object.KindRoute) {
		want, isRoute := it.Value.(object.Route)
		have, there := a.have.Get(k)
		theirs := slices.ContainsFunc(a.learned, func(l legacy.Learned) bool { return l.Key() == k })
		switch {
		case !isRoute || !there || a.isOurs(k) || want.Protocol == 0 && !theirs:
		case have.Value == it.Value:
			a.have.Put(object.Item{Value: unmarked{have.Value}, Marked: true})
		case sameProtocol(have.Value, want):
			a.have.Put(object.Item{Value: have.Value, Marked: true})
		}
	}
	for _, l := range a.learned {
		replaced := false
		for k, it := range a.want.AllOf(object.KindRoute) {
			replaced = replaced || it.Block == nil && k.Num == object.TableMain && k.Prefix == l.Dst
		}
		if replaced && !a.want.Has(l.Key()) {
			a.have.Put(object.Item{Value: l, Marked: true})
		}
	}
}

// sameProtocol reports whether a route of another owner has the protocol of the wanted one.
func sameProtocol(have object.Value, want object.Route) bool {
	r, ok := have.(object.Route)
	return ok && r.Protocol == want.Protocol
}

// keeper says why an object that nobody wants is kept; nil if it is not.
type keeper = func(object.Key, []object.Source) *object.Block

// keepLearned keeps what was learned before: whether neighbours still announce it is known to the
// controller alone, once its sessions are up.
func keepLearned(next keeper) keeper {
	block := &object.Block{
		Code: object.BlockHeld, Text: "what neighbours announce is not known before the controller runs",
	}
	return func(k object.Key, why []object.Source) *object.Block {
		if slices.ContainsFunc(why, func(s object.Source) bool { return s.Table == tableLearned }) {
			return block
		}
		if next == nil {
			return nil
		}
		return next(k, why)
	}
}

// onlyReplaced leaves out the deletes of FRR's routes in whose place nothing of ours comes or is.
func (a *adoption) onlyReplaced(ops []plan.Op) []plan.Op {
	ours := map[netip.Prefix]bool{}
	for k, it := range a.have.AllOf(object.KindRoute) {
		if _, frr := it.Value.(legacy.Learned); !frr && it.Marked && k.Num == object.TableMain && a.want.Has(k) {
			ours[k.Prefix] = true
		}
	}
	for _, op := range ops {
		if k := op.Key(); k.Kind == object.KindRoute && k.Num == object.TableMain && op.Verb != plan.Delete {
			ours[k.Prefix] = true
		}
	}
	return slices.DeleteFunc(ops, func(op plan.Op) bool {
		l, frr := op.Before.(legacy.Learned)
		return frr && !ours[l.Dst]
	})
}
