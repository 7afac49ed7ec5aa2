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
func (p *pass) findGateways(redirects []*observe.PortBinding) []gateway {
	var out []gateway
	for _, port := range redirects {
		if p.live(port) {
			p.row(port, func() {
				if gw, ok := p.gatewayOf(port); ok {
					out = append(out, gw)
				}
			})
		}
	}
	return out
}

// gatewayOf is the gateway that a chassisredirect row is, if this node reaches its network.
func (p *pass) gatewayOf(port *observe.PortBinding) (gateway, bool) {
	lsp, ok := observe.ProviderSide(p.parts, port)
	if !ok {
		return gateway{}, false
	}
	n, ok := p.networks.Of(lsp.Datapath)
	return gateway{port, n, lsp}, ok
}

// gatewayPorts are the rows of the gateways on this node.
func (p *pass) gatewayPorts() []*observe.PortBinding {
	out := make([]*observe.PortBinding, len(p.gateways))
	for i, gw := range p.gateways {
		out[i] = gw.port
	}
	return out
}

// gateway exposes the addresses of a router's gateway port (R4).
func (p *pass) gateway(port *observe.PortBinding) {
	gw, ok := p.gatewayOf(port)
	if !ok {
		return
	}
	p.reportProblems(gw.port)
	why := p.whyOwn("R4", gw.port)
	for _, el := range gw.port.Addresses {
		for _, prefix := range el.Addrs {
			p.ExposeIP(gw.network, prefix.Addr(), &expose.Gateway{MAC: el.MAC}, why)
			p.ProxyNDP(gw.network, prefix, []netip.Addr{prefix.Addr()}, why)
		}
	}
}
