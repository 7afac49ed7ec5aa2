package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// subnet is a tenant subnet that is routed through a gateway on this node.
type subnet struct {
	prefix  netip.Prefix
	via     netip.Addr
	network *expose.Network
	// why are the rows without which the subnet would not be exposed. They
	// belong to each address in it too: while one of them cannot be read, none
	// of these addresses may be withdrawn.
	why []object.Source
}

// tenants exposes the tenant networks behind the gateways of this node (R7)
// and, with method host, the ports on them wherever they are (R8, R9).
func (p *pass) tenants() {
	if !p.tenantsExposed() || len(p.gateways) == 0 {
		return
	}
	given := []any{
		p.networks, p.gateways, p.Ranges(phaseRanges, p.networks), p.patches, p.sb.Datapaths, p.nb, p.nbDoubt,
		p.parts.Based(),
	}
	p.exposed = parts.Value(p.parts, phaseSubnets, given, p.exposeSubnets)
	if p.cfg.TenantMethod == MethodSubnet {
		return
	}
	for _, network := range slices.SortedFunc(maps.Keys(p.exposed), observe.UUID.Compare) {
		on := p.exposed[network]
		parts.Rows(p.parts, phaseTenantPorts, network.String(), on, p.parts.On(network), parts.ByName,
			func(port *observe.PortBinding) { p.row(port, func() { p.tenantPort(port, on) }) })
	}
}

// tenantsExposed reports whether any tenant network may be exposed.
func (p *pass) tenantsExposed() bool { return p.cfg.TenantNetworks || p.cfg.TenantGUA }

// exposeSubnets exposes the subnets behind the gateways of this node and
// returns them by logical switch.
func (p *pass) exposeSubnets() map[observe.UUID][]subnet {
	subnets := map[observe.UUID][]subnet{}
	routers := map[observe.UUID][]gateway{}
	for _, gw := range p.gateways {
		routers[gw.port.Datapath] = append(routers[gw.port.Datapath], gw)
		p.holdWhileDisconnected(gw.port.Datapath)
	}
	for _, lrp := range p.patches { // by name: of two equal subnets the lowest LRP's is used
		for _, gw := range routers[lrp.Datapath] {
			// What a panic leaves in subnets needs a route that is no longer desired:
			// if that is held, so is what is behind it, and otherwise it is blocked.
			p.row(lrp, func() { p.tenantSubnets(gw, lrp, subnets) })
		}
	}
	return subnets
}

// tenantSubnets exposes the subnets of one router port (R7).
func (p *pass) tenantSubnets(gw gateway, lrp *observe.PortBinding, subnets map[observe.UUID][]subnet) {
	lsp, ok := p.tenantSide(lrp)
	if !ok {
		return
	}
	p.reportProblems(lrp)
	for _, el := range lrp.Addresses {
		for _, prefix := range el.Addrs {
			via, ok := gatewayAddr(gw.port, prefix.Addr())
			if !ok || !p.allowed(prefix.Addr(), lsp) || !p.untranslated(lrp, prefix) {
				continue
			}
			if !p.Wired(gw.network, via) {
				p.Skip(observe.Skip{
					Table: "Port_Binding", Row: lrp.LogicalPort, Code: observe.SkipConflict,
					Text: fmt.Sprintf("subnet %s is left out: its gateway's address %s on device %s leads elsewhere",
						prefix.Masked(), via, gw.network.Dev),
				})
				continue
			}
			why := append([]object.Source{p.why("R7", lrp), p.whyHere("R7", gw.port)}, p.whySNAT(lrp.Datapath)...)
			s := subnet{prefix.Masked(), via, gw.network, why}
			if p.ExposeSubnet(gw.network, s.prefix, via, p.cfg.TenantMethod == MethodSubnet, s.why...) {
				subnets[lsp.Datapath] = append(subnets[lsp.Datapath], s)
			}
		}
	}
}

// tenantSide returns the switch's half of a router port by which a tenant
// network can be entered; false for gateways, and for ports on provider
// networks, whose ports are reached through their own nodes (R1).
func (p *pass) tenantSide(lrp *observe.PortBinding) (*observe.PortBinding, bool) {
	if lrp.Type != observe.PortPatch || !lrp.Chassis.IsZero() || lrp.Options["chassis-redirect-port"] != "" {
		return nil, false
	}
	lsp, ok := p.parts.Port(lrp.Options["peer"])
	if !ok || p.networks.IsProvider(lsp.Datapath) {
		return nil, false
	}
	return lsp, true
}

// gatewayAddr is the first address of the gateway of the same family; none if
// addr is the gateway's own.
func gatewayAddr(gw *observe.PortBinding, addr netip.Addr) (netip.Addr, bool) {
	own := portAddrs(gw)
	if slices.Contains(own, addr) {
		return netip.Addr{}, false
	}
	for _, a := range own {
		if a.Is4() == addr.Is4() {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// tenantPort exposes the addresses of a port on an exposed tenant network: of
// VMs that are bound anywhere (R8), of virtual ports and of the VIP ports of
// OVN load balancers, which are never bound (R9).
func (p *pass) tenantPort(port *observe.PortBinding, on []subnet) {
	var addrs []netip.Addr
	rule, e := "R8", p.Exposer
	switch {
	case port.Type == observe.PortVirtual, port.Type == observe.PortVIF && !port.Chassis.IsZero():
		if addrs = portAddrs(port); len(addrs) == 0 && port.Unknown {
			addrs = cidrAddrs(port)
		}
	case port.IsBalancerVIP():
		rule, e, addrs = "R9", p.vip, cidrAddrs(port)
	default:
		return
	}
	p.reportProblems(port)
	for _, addr := range addrs {
		i := slices.IndexFunc(on, func(s subnet) bool { return s.prefix.Contains(addr) })
		if i >= 0 && p.allowed(addr, port) {
			why := append([]object.Source{listing(object.ListsOwn, p.why(rule, port))}, on[i].why...)
			e.ExposeRemoteIP(on[i].network, addr, on[i].prefix, on[i].via, why...)
		}
	}
}

// allowed applies the tenant filters to an address: which families, and which
// address scopes, of the switch port that carries the scope.
func (p *pass) allowed(addr netip.Addr, port *observe.PortBinding) bool {
	return p.denied(addr, port) == ""
}

// denied is the code of the tenant filter that keeps an address back.
func (p *pass) denied(addr netip.Addr, port *observe.PortBinding) string {
	if !p.cfg.TenantNetworks && !observe.IsGUA(addr) {
		return reason.NotGlobal
	}
	if len(p.cfg.AddressScopes) == 0 {
		return ""
	}
	scope := port.ExternalIDs[scopeKey(addr)]
	if scope == "" || !slices.Contains(p.cfg.AddressScopes, scope) {
		return reason.ScopeDenied
	}
	return ""
}

// scopeKey is where Neutron writes the address scope of the family.
func scopeKey(addr netip.Addr) string {
	if addr.Is4() {
		return "neutron:subnet_pool_addr_scope4"
	}
	return "neutron:subnet_pool_addr_scope6"
}
