package bgp

import (
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// gatewayRouter exposes a gateway router, which lives whole on one chassis
// (R13): the addresses of its port like those of a gateway, its NAT addresses
// like floating IPs without a guard.
func (p *pass) gatewayRouter(port *observe.PortBinding, chassis string) {
	n, ok := p.networks.Of(port.Datapath)
	if !ok || port.Options["l3gateway-chassis"] != chassis {
		return
	}
	p.reportProblems(port)
	for _, nat := range port.NAT {
		for _, addr := range nat.Addrs {
			p.As(expose.ClassGateway).ExposeIP(n, addr, nil, listing(object.ListsOthers, p.whyHere("R13", port)))
		}
	}
	lrp, ok := p.parts.Port(port.Options["peer"])
	if !ok {
		return
	}
	why := []object.Source{listing(object.ListsOwn, p.why("R13", lrp)), p.whyHere("R13", port)}
	for _, el := range lrp.Addresses {
		for _, prefix := range el.Addrs {
			p.ExposeIP(n, prefix.Addr(), &expose.Gateway{MAC: el.MAC}, why...)
			p.ProxyNDP(n, prefix, []netip.Addr{prefix.Addr()}, why...)
		}
	}
}
