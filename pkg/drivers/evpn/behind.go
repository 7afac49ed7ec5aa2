package evpn

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// behind is a tenant subnet behind a gateway on a provider network that is in a VRF.
type behind struct {
	pn *provider
	// prefix has the address of the router port in the subnet, and via is that of the gateway.
	prefix  netip.Prefix
	via     netip.Addr
	network observe.UUID
	// at is its place among the subnets of the VRF, from 1.
	at  int
	why []object.Source
}

// providerTenants adds the tenant networks behind gateways on provider networks.
func (p *pass) providerTenants(vrfs []*vrf) {
	byDatapath := map[observe.UUID][]*behind{}
	p.whole = map[uint32][]*behind{}
	for _, v := range vrfs {
		if len(v.providers) == 0 {
			continue
		}
		given := []any{v, p.me, p.networks, p.redirects}
		subnets := parts.ValueOf(p.parts, phaseProviderSubnets, v.name, given, func() []*behind { return p.subnetsBehind(v) })
		for _, s := range subnets {
			byDatapath[s.network] = append(byDatapath[s.network], s)
		}
		if p.cfg.SubnetMethod {
			p.whole[v.vni] = subnets
		}
	}
	byName := func(a, b observe.UUID) int { return strings.Compare(a.String(), b.String()) }
	for _, network := range slices.SortedFunc(maps.Keys(byDatapath), byName) {
		on := byDatapath[network]
		parts.Rows(p.parts, phaseProviderTenants, network.String(), on, p.parts.On(network), parts.ByName,
			func(port *observe.PortBinding) { p.row(port, func() { p.portBehind(port, on) }) })
	}
}

// subnetsBehind are those behind the gateways of a VRF. As subnets they are added here, or else the
// routers' addresses in them.
func (p *pass) subnetsBehind(v *vrf) []*behind {
	var out []*behind
	ok := p.part(&v.overlay, func() {
		for _, pn := range v.providers {
			for _, gw := range p.providerGateways(pn) {
				out = append(out, p.behindGateway(pn, gw)...)
			}
		}
	})
	if !ok {
		return nil
	}
	for i, s := range out {
		s.at = i + 1
		w := s.way(hostPrefix(s.prefix.Addr()), "", s.why)
		if p.cfg.SubnetMethod {
			w.prefix = s.prefix.Masked()
			p.parts.Tell(hostOf{v.vni, s.prefix.Addr()})
		}
		p.hand(w)
	}
	return out
}

// way is the one into the subnet, to an address that a port has.
func (s *behind) way(to netip.Prefix, port string, why []object.Source) way {
	return way{pn: s.pn, prefix: to, via: s.via, subnet: s.at, port: port, why: why}
}

// providerGateways are the routers' gateways on the network that are on this node.
func (p *pass) providerGateways(pn *provider) []*observe.PortBinding {
	if !p.cfg.TenantNetworks && !p.cfg.TenantGUA {
		return nil
	}
	var out []*observe.PortBinding
	for _, port := range p.redirects {
		if !p.live(port) {
			continue
		}
		if lsp, ok := observe.ProviderSide(p.parts, port); ok && lsp.Datapath == pn.network.Datapath {
			out = append(out, port)
		}
	}
	return out
}

// behindGateway are the tenant subnets behind a gateway on the network.
func (p *pass) behindGateway(pn *provider, gw *observe.PortBinding) []*behind {
	var out []*behind
	for _, lrp := range p.parts.On(gw.Datapath) {
		lsp, ok := p.interfacePort(lrp)
		if !ok || p.networks.IsProvider(lsp.Datapath) {
			continue
		}
		if annotated(lsp) { // it is in a VPN of its own, even if that cannot be read
			p.annotationOf(lsp) // which is reported
			continue
		}
		p.reportProblems(lrp)
		for _, prefix := range lrpPrefixes(lrp) {
			via, _, ok := (&gateway{port: gw}).via(prefix.Addr())
			if ok && p.allowed(prefix.Addr(), lsp) {
				why := []object.Source{p.why("P3", lrp), p.whyHere("P2", gw)}
				out = append(out, &behind{pn: pn, prefix: prefix, via: via, network: lsp.Datapath, why: why})
			}
		}
	}
	return out
}

// portBehind adds the addresses of a tenant's port in each subnet, by themselves or, where that is routed as a whole,
// as hosts that are known to be in it. Ports that are bound elsewhere count too, because their traffic goes
// through the gateway here.
func (p *pass) portBehind(port *observe.PortBinding, on []*behind) {
	for _, s := range on {
		for _, addr := range p.addrsBehind(s, port) {
			if p.cfg.SubnetMethod {
				p.parts.Tell(hostOf{s.pn.vrf.vni, addr})
				continue
			}
			why := append([]object.Source{listing(object.ListsOwn, p.why("P3", port))}, s.why...)
			p.hand(s.way(hostPrefix(addr), port.LogicalPort, why))
		}
	}
}

// addrsBehind are the addresses that a port has in a subnet.
func (p *pass) addrsBehind(s *behind, port *observe.PortBinding) []netip.Addr {
	return slices.DeleteFunc(tenantAddrs(port), func(addr netip.Addr) bool {
		return !s.prefix.Contains(addr) || !p.allowed(addr, port)
	})
}

// providerTenant routes a prefix through a gateway on the network, and announces it.
func (p *pass) providerTenant(w way) {
	route := object.NewRoute(w.pn.vrf.table, w.prefix, w.pn.leg.dev, w.via)
	neigh := object.Neigh{Dev: w.pn.leg.dev, Addr: w.via}.Key()
	if p.put(route, w.why, w.pn.network.Bridge.Block()) {
		p.parts.Keep(route.Key(), neigh)
		p.providerPath(w, neigh, route.Key())
	}
}

// lrpPrefixes are the networks of a router port, from Port_Binding column mac, unmasked.
func lrpPrefixes(lrp *observe.PortBinding) []netip.Prefix {
	var out []netip.Prefix
	for _, el := range lrp.Addresses {
		out = append(out, el.Addrs...)
	}
	return out
}

// allowed applies the tenant filters to an address: which families, and which
// address scopes, of the switch port that carries the scope.
func (p *pass) allowed(addr netip.Addr, port *observe.PortBinding) bool {
	if !p.cfg.TenantNetworks && !observe.IsGUA(addr) {
		return false
	}
	if len(p.cfg.AddressScopes) == 0 {
		return true
	}
	key := "neutron:subnet_pool_addr_scope6"
	if addr.Is4() {
		key = "neutron:subnet_pool_addr_scope4"
	}
	scope := port.ExternalIDs[key]
	return scope != "" && slices.Contains(p.cfg.AddressScopes, scope)
}
