package bgp

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// providerPort exposes the addresses of a VM (R1) or a virtual port (R2) that
// is up on this node and sits directly on a provider network.
func (p *pass) providerPort(port *observe.PortBinding) {
	if !p.live(port) {
		return
	}
	n, ok := p.networks.Of(port.Datapath)
	if !ok {
		return
	}
	p.reportProblems(port)
	rule := "R1"
	if port.Type == observe.PortVirtual {
		rule = "R2"
	}
	why := p.whyHere(rule, port)
	addrs := portAddrs(port)
	if len(addrs) == 0 && port.Unknown && p.cfg.UnknownMACFromCIDRs {
		addrs = cidrAddrs(port)
	}
	for _, addr := range addrs {
		p.ExposeIP(n, addr, nil, why)
	}
	if slices.ContainsFunc(addrs, netip.Addr.Is6) && (port.Type == observe.PortVirtual || p.cfg.Expose.ProxyPlainPorts) {
		for _, cidr := range port.CIDRs() {
			p.ProxyNDP(n, cidr, why)
		}
	}
}

// portAddrs are the addresses of all elements of column mac.
func portAddrs(port *observe.PortBinding) []netip.Addr {
	var out []netip.Addr
	for _, el := range port.Addresses {
		for _, prefix := range el.Addrs {
			out = append(out, prefix.Addr())
		}
	}
	return out
}

// cidrAddrs are the addresses in neutron:cidrs.
func cidrAddrs(port *observe.PortBinding) []netip.Addr {
	var out []netip.Addr
	for _, cidr := range port.CIDRs() {
		out = append(out, cidr.Addr())
	}
	return out
}

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
		guard, ok := p.sb.Port(nat.Resident)
		if !ok || !p.resident(guard) {
			continue
		}
		why := p.why("R5", port)
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

// gateway is a router's gateway port that is on this node.
type gateway struct {
	port    *observe.PortBinding // type chassisredirect
	network *expose.Network
	lsp     *observe.PortBinding // its port on the provider network
}

// findGateways lists the gateways on this node by logical_port.
func (p *pass) findGateways() []gateway {
	var out []gateway
	for _, port := range p.sb.Ports {
		if port.Type == observe.PortChassisRedirect && p.live(port) {
			p.row(port, func() {
				lsp, ok := p.sb.ProviderSide(port)
				if !ok {
					return
				}
				if n, ok := p.networks.Of(lsp.Datapath); ok {
					out = append(out, gateway{port, n, lsp})
				}
			})
		}
	}
	return out
}

// gateway exposes the addresses of a router's gateway port (R4).
func (p *pass) gateway(gw gateway) {
	p.reportProblems(gw.port)
	why := p.whyHere("R4", gw.port)
	for _, el := range gw.port.Addresses {
		for _, prefix := range el.Addrs {
			p.ExposeIP(gw.network, prefix.Addr(), &expose.Gateway{MAC: el.MAC}, why)
			p.ProxyNDP(gw.network, prefix, why)
		}
	}
}
