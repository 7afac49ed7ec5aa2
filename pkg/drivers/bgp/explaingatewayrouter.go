package bgp

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// onGatewayRouter reports whether the switch's half of a gateway router's port
// leads to the address: in nat_addresses, or as the router's own.
func (p *pass) onGatewayRouter(port *observe.PortBinding, addr netip.Addr) bool {
	for _, nat := range port.NAT {
		if slices.Contains(nat.Addrs, addr) {
			return true
		}
	}
	lrp, ok := p.sb.Port(port.Options["peer"])
	return ok && slices.Contains(portAddrs(lrp), addr)
}

// explainGatewayRouter accounts for an address of a router that lives whole on
// one chassis (R13).
func (p *pass) explainGatewayRouter(port *observe.PortBinding, chassis string, addr netip.Addr) reason.Account {
	a := &account{}
	a.What = "address of gateway router port " + port.LogicalPort
	a.step("OVN", true, "", "l3gateway %s on network %s", port.LogicalPort, p.datapathName(port.Datapath))
	at := port.Options["l3gateway-chassis"]
	a.candidate(at)
	if !p.cfg.GatewayRouters && a.step("policy", false, reason.OptionOff,
		"gateway routers are exposed on request, and expose_gateway_routers is off") {
		a.Try = "expose_gateway_routers: true on the nodes that have them"
	}
	switch at {
	case chassis:
		a.step("ownership", true, "", "its router is on this chassis")
	case "":
		a.step("ownership", false, reason.Unbound, "its router is on no chassis")
	default:
		a.step("ownership", false, reason.NotOwner, "its router is on chassis %s, not here", at)
	}
	p.provider(a, port)
	p.standing(a, port.Datapath, addr)
	return a.Account
}
