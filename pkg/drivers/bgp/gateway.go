package bgp

import (
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

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
	why := p.whyOwn("R4", gw.port)
	for _, el := range gw.port.Addresses {
		for _, prefix := range el.Addrs {
			p.ExposeIP(gw.network, prefix.Addr(), &expose.Gateway{MAC: el.MAC}, why)
			p.ProxyNDP(gw.network, prefix, []netip.Addr{prefix.Addr()}, why)
		}
	}
}
