package agent

import (
	"fmt"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	source "github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// cordonAfter is how far the node is taken out of service after a round because it is
// cordoned in Kubernetes; nil if it is in service. See [reconcile.DrainConfig].
func (n *Node) cordonAfter(r reconcile.Round, drivers []desired.Driver) *reconcile.DrainState {
	st, ok := n.sources.followedKube()
	if !ok || st.Cordoned.IsZero() || r.Snapshot.Kube == nil {
		return nil
	}
	for _, d := range drivers {
		d, ok := d.(*kube.Driver)
		if !ok {
			continue
		}
		var all kube.Listing
		if err := isolated(func() { all, _ = d.List(r.Snapshot) }); err == nil {
			return cordonState(st, all, r)
		}
	}
	return nil
}

// cordonState is the drain of a node that is cordoned, in the words of one by an operator.
// It concerns addresses of services; what else is announced keeps the node from being
// stopped.
func cordonState(st source.Status, all kube.Listing, r reconcile.Round) *reconcile.DrainState {
	if all.State != observe.NodeDraining && all.State != observe.NodeDrained {
		return nil
	}
	s := &reconcile.DrainState{
		Phase: reconcile.DrainLowered, Since: st.Cordoned, Until: st.Drained, By: control.DrainByCordon,
	}
	lowered, withdrawn := map[object.Key]bool{}, map[object.Key]bool{}
	for _, svc := range all.Services {
		for _, a := range svc.Addresses {
			k := object.NewPath(a.Path, object.OriginIncomplete).Key()
			switch it, wanted := r.Want.Get(k); {
			case !a.Addr.IsValid():
			case a.Code == kube.CodeNodeCordoned && !wanted:
				withdrawn[k] = true
			case a.Code == "" && wanted && it.Block == nil:
				lowered[k] = true
			}
		}
	}
	s.Lowered, s.Withdrawn = sortedKeys(lowered), sortedKeys(withdrawn)
	if all.State == observe.NodeDraining {
		return s
	}
	left, there := map[object.Key]bool{}, r.There()
	for _, kind := range object.KindsThat(object.Kind.IsPath) {
		for k := range r.Have.AllOf(kind) {
			left[k] = there(k)
		}
		for k := range r.Want.AllOf(kind) {
			left[k] = there(k)
		}
	}
	s.Remaining = sortedKeys(left)
	s.Phase = reconcile.DrainSafe
	if len(s.Remaining) > 0 || r.ReadErr != nil {
		s.Phase = reconcile.DrainWaiting
	}
	return s
}

// sortedKeys are those that are set, in order.
func sortedKeys(of map[object.Key]bool) (out []object.Key) {
	for k, yes := range of {
		if yes {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, object.Key.Compare)
	return out
}

// cordoned tells that the node is taken out of service as far as services go, as of a drain.
func (s *statusReport) cordoned(state *reconcile.DrainState, node string) {
	d := drainOf(state)
	s.Drain = &d
	const why = "because it is cordoned in Kubernetes"
	code, text, try := "drained", "", "kubectl uncordon "+node+" takes it back into service"
	switch state.Phase {
	case reconcile.DrainLowered:
		text = fmt.Sprintf("the node is drained, %s: its %d service paths are a last resort, and are withdrawn from %s", why,
			d.Lowered, clock(state.Until.Local()))
	case reconcile.DrainSafe:
		text = fmt.Sprintf("the node is drained, %s: safe to stop, %d service paths are withdrawn", why, d.Withdrawn)
	case reconcile.DrainWaiting:
		code = "drain-waiting"
		text = fmt.Sprintf("the node is drained, %s, and not safe to stop: %d service paths are withdrawn, %d other paths "+
			"are left; the first: %s", why, d.Withdrawn, d.Left, firstOf(state.Remaining))
		try = "kubectl drain " + node + " moves the pods behind them; " + try
	}
	f := s.problem(code, text, try)
	f.Object, f.Since = problem.Object{Kind: problem.KindNode, Name: node}, state.Since
}

func firstOf(keys []object.Key) string {
	if len(keys) == 0 {
		return "none that can be read"
	}
	return keys[0].Text()
}

// tellCordon logs when a phase of a drain by cordon begins, and when it ends. It is called
// from the loop alone.
func (n *Node) tellCordon(s *reconcile.DrainState) {
	var phase reconcile.DrainPhase
	if s != nil && s.By == control.DrainByCordon {
		phase = s.Phase
	}
	if phase == n.cordonTold {
		return
	}
	n.cordonTold = phase
	switch {
	case phase != "":
		n.opts.Log.Info("drain: the node is cordoned in Kubernetes", "phase", string(phase), "lowered", len(s.Lowered),
			"withdrawn", len(s.Withdrawn), "left", len(s.Remaining))
	case s == nil:
		n.opts.Log.Info("drain: the node is not cordoned any more")
	}
}
