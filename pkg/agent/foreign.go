package agent

import (
	"cmp"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// foreignDefaults tells of default routes that others have put into our tables. A rule of
// ours that ignores them keeps them without effect; with any other one, and in the table of
// a VRF, they take whatever no better route is for.
func (s *statusReport) foreignDefaults(r reconcile.Round) {
	ours, ignored := map[uint32]bool{}, map[uint32]bool{}
	for k, it := range r.Want.AllOf(object.KindRule) {
		rule, ok := it.Value.(object.Rule)
		ours[k.Num], ignored[k.Num] = true, ok && rule.SuppressDefault
	}
	for _, it := range r.Want.AllOf(object.KindLink) {
		if l, ok := it.Value.(object.Link); ok && l.Type == object.LinkVRF {
			ours[l.Table] = true
		}
	}
	delete(ours, object.TableMain) // which is everybody's
	var found []object.Route
	for k, it := range r.Have.AllOf(object.KindRoute) {
		if k.Prefix.Bits() == 0 && !it.Marked && ours[k.Num] && !r.Want.Has(k) {
			found = append(found, it.Value.(object.Route))
		}
	}
	sorting.Sort(found, func(a, b object.Route) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), a.Dst.Addr().Compare(b.Dst.Addr()), cmp.Compare(a.Metric, b.Metric))
	})
	for _, route := range found {
		effect := "takes what no other route of the table is for"
		if ignored[route.Table] {
			effect = "has no effect while our rule ignores it (suppress_prefixlength 0), and takes the traffic of this node " +
				"with any other rule for the table"
		}
		f := s.problem("foreign-default", fmt.Sprintf("the default route of another owner in table %d (%s) %s", route.Table,
			route.Attrs(), effect), deleteDefault(route))
		f.Object = problem.Object{Kind: problem.KindRoute, Name: route.Key().String()}
	}
}

// deleteDefault is the command that removes a default route.
func deleteDefault(r object.Route) string {
	cmd := "ip route del default"
	if r.Dst.Addr().Is6() {
		cmd = "ip -6 route del default"
	}
	cmd += fmt.Sprintf(" table %d", r.Table)
	if r.Metric != 0 {
		cmd += fmt.Sprintf(" metric %d", r.Metric)
	}
	return cmd
}
