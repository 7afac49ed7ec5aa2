package bgp

import (
	"net/netip"
	"slices"

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
	why := p.whyOwn(rule, port)
	addrs := portAddrs(port)
	if len(addrs) == 0 && port.Unknown && p.cfg.UnknownMACFromCIDRs {
		addrs = cidrAddrs(port)
	}
	for _, addr := range addrs {
		p.ExposeIP(n, addr, nil, why)
	}
	if slices.ContainsFunc(addrs, netip.Addr.Is6) && (port.Type == observe.PortVirtual || p.cfg.Expose.ProxyPlainPorts) {
		for _, cidr := range port.CIDRs() {
			p.ProxyNDP(n, cidr, addrs, why)
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
