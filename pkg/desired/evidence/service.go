package evidence

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// tableService is that of sources that are Services of Kubernetes, namespace/name.
const tableService = "Service"

// services is what the Kubernetes API proves about the address of services; false where
// none is among the sources.
//
// It is told of by three who must agree, so that what one of them has taken away is proof
// and goes at once. But where the API still has the service with its address and an endpoint
// that serves here, and where it has lost the service, many at once may as well be a database
// that was emptied: that counts for the fuse. What the API asks for does not.
func (c court) services(why []object.Source, snap observe.Snapshot) (Verdict, bool) {
	out, found := Verdict{}, false
	for _, src := range why {
		if src.Table != tableService {
			continue
		}
		v := c.service(src.Row, snap)
		if !found || out.Class == Asked {
			out, found = v, true
		}
	}
	return out, found
}

// service is what the API proves about the address of one service.
func (c court) service(row string, snap observe.Snapshot) Verdict {
	k := snap.Kube
	if k == nil {
		return Verdict{Unexplained, "nothing is known of the Kubernetes API"}
	}
	name := k.NodeName
	if own, ok := c.sb.ChassisByName(c.name); ok && name == "" {
		name = own.Hostname
	}
	if p, ok := c.sb.Port("rtoe-GR_" + name); ok {
		if other := c.sb.ChassisName(p.Chassis); other != "" && other != c.name {
			return Verdict{Elsewhere, "Port_Binding " + p.LogicalPort + " is bound to chassis " + other}
		}
	}
	if node, ok := k.Node(name); ok {
		switch {
		case node.Excluded:
			return Verdict{Asked, "Node " + name + " has the label " + observe.KubeLabelExclude}
		case node.NetworkUnavailable:
			return Verdict{Asked, "Node " + name + " has the condition NetworkUnavailable"}
		case k.NodeState == observe.NodeDrained:
			return Verdict{Asked, "Node " + name + " is cordoned"}
		}
	}
	namespace, short, _ := strings.Cut(row, "/")
	s, ok := k.Service(namespace, short)
	switch {
	case !ok:
		return Verdict{Ended, "Service " + row + " is deleted"}
	case !c.key.Prefix.IsValid() || !c.key.Prefix.IsSingleIP():
		return Verdict{Ended, "no address in it is served here any more"}
	case !hasAddress(s, c.key.Prefix.Addr()):
		return Verdict{Ended, "Service " + row + " does not have " + c.key.Prefix.Addr().String() + " any more"}
	case !served(k, s, c.key.Prefix.Addr(), name):
		return Verdict{Asked, "no endpoint of Service " + row + " serves it here"}
	}
	return Verdict{Ended, "Service " + row + " has it, and this node cannot serve it any more"}
}

// hasAddress reports whether a service has an address of any kind.
func hasAddress(s *observe.KubeService, a netip.Addr) bool {
	ingress := func(in observe.KubeIngress) bool { return in.IP == a }
	return slices.Contains(s.ExternalIPs, a) || slices.Contains(s.ClusterIPs, a) || slices.ContainsFunc(s.Ingress, ingress)
}

// served reports whether an endpoint serves an address of a service on a node (K-13).
func served(k *observe.Kube, s *observe.KubeService, a netip.Addr, node string) bool {
	var all, local observe.KubeEndpoints
	first, _ := slices.BinarySearchFunc(k.Slices, s.Namespace, func(x *observe.KubeSlice, want string) int {
		return strings.Compare(x.Namespace, want)
	})
	for _, slice := range k.Slices[first:] {
		if slice.Namespace != s.Namespace {
			break
		}
		if slice.Service == s.Name {
			slice.Count(a, node, &all, &local)
		}
	}
	onlyHere := s.ExternalLocal
	if slices.Contains(s.ClusterIPs, a) {
		onlyHere = s.InternalLocal
	}
	if onlyHere {
		return local.Served(s.PublishNotReady)
	}
	return all.Served(s.PublishNotReady)
}
