package bgp

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// floatingIPs exposes what nat_addresses of a router's port on a provider
// network promises (R5): each entry where its guard is bound. That is the VM's
// node for a distributed floating IP and the gateway's for a centralised one;
// nothing here has to know which.
func (p *pass) floatingIPs(port *observe.PortBinding) {
	if len(port.NAT) == 0 && len(port.Problems) == 0 {
		return
	}
	n, ok := p.networks.Of(port.Datapath)
	if !ok {
		return
	}
	p.reportProblems(port)
	for _, nat := range port.NAT {
		guard, ok := p.parts.Port(nat.Resident)
		if !ok || !p.resident(guard) {
			continue
		}
		why := listing(object.ListsOthers, p.why("R5", port))
		for _, addr := range nat.Addrs {
			p.fip.ExposeIP(n, addr, nil, why, p.whyHere("R5", guard))
		}
	}
}

// resident reports whether is_chassis_resident holds here: the guard is bound,
// and up where OVN keeps that state.
func (p *pass) resident(guard *observe.PortBinding) bool {
	if guard.Type == observe.PortVIF || guard.Type == observe.PortVirtual {
		return p.live(guard)
	}
	return p.bound(guard)
}
