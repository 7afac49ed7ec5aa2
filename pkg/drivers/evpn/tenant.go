package evpn

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// subnet is a tenant subnet that is routed through a gateway on this node.
type subnet struct {
	prefix  netip.Prefix
	vrf     *vrf
	gw      *gateway
	lrp     *observe.PortBinding
	network observe.UUID
	// why are the rows without which it would not be, route the one that leads there,
	// and after what its paths need beside what is common to all paths of the VRF.
	why   []object.Source
	route object.Key
	after []object.Key
	block *object.Block
}

// tenantSubnets routes the subnets of the gateway's router that are in the same
// VPN (E2).
func (p *pass) tenantSubnets(v *vrf, gw *gateway) {
	for _, lrp := range p.parts.On(gw.port.Datapath) { // by name: of two equal subnets the lowest LRP's is used
		lsp, ok := p.interfacePort(lrp)
		if !ok {
			continue
		}
		note, ok := p.annotationOf(lsp)
		if !ok {
			continue
		}
		if !note.same(gw.note) && gw.shares(note) {
			continue // the router has several gateways, each in a VPN of its own
		}
		if !note.same(gw.note) {
			p.reportOf(gw.note.vni, "Port_Binding", lsp.LogicalPort, observe.SkipConflict,
				"VNI %d and AS %d differ from those of the router's gateway: %s has VNI %d and AS %d: its subnets are left out",
				note.vni, note.as, gw.lsp.LogicalPort, gw.note.vni, gw.note.as)
			continue
		}
		p.reportProblems(lrp)
		for _, el := range lrp.Addresses {
			for _, prefix := range el.Addrs {
				p.tenantSubnet(v, gw, lrp, lsp, prefix)
			}
		}
	}
}

// shares reports whether the router has a gateway here in that VPN.
func (gw *gateway) shares(note annotation) bool { return slices.ContainsFunc(gw.vpns, note.same) }

// interfacePort returns the switch's half of a router port that leads to a
// tenant network.
func (p *pass) interfacePort(lrp *observe.PortBinding) (*observe.PortBinding, bool) {
	if lrp.Type != observe.PortPatch || !lrp.Chassis.IsZero() || lrp.Options["chassis-redirect-port"] != "" {
		return nil, false
	}
	lsp, ok := p.parts.Port(lrp.Options["peer"])
	return lsp, ok && lsp.Datapath != lrp.Datapath
}

// tenantSubnet adds the route into a subnet (V11) and the flow that takes what
// comes out of it into the VRF (V12). A router with several gateways here has one
// route and a flow for each of them, because it may send through any.
func (p *pass) tenantSubnet(v *vrf, gw *gateway, lrp, lsp *observe.PortBinding, prefix netip.Prefix) {
	via, mac, ok := gw.via(prefix.Addr())
	if !ok {
		return
	}
	why := []object.Source{p.why("E2", lrp), p.why("E2", lsp), p.whyHere("E1", gw.port), p.why("E1", gw.lsp)}
	in, out, block := p.wired(gw.leg)
	s := v.subnetOf(lrp, prefix.Masked())
	if s == nil {
		route := object.NewRoute(v.table, prefix.Masked(), gw.leg.dev, via)
		if !p.put(route, why, gw.network.Bridge.Block()) {
			return
		}
		s = &subnet{prefix: prefix.Masked(), vrf: v, gw: gw, lrp: lrp, network: lsp.Datapath, why: why, block: block}
		s.after = []object.Key{object.Neigh{Dev: gw.leg.dev, Addr: via}.Key(), route.Key()}
		s.route = route.Key()
		p.parts.Keep(s.route, s.after[0])
		v.subnets = append(v.subnets, s)
		v.nets = append(v.nets, s.prefix)
		v.hosts[prefix.Addr()] = true
	}
	if in != 0 {
		flow := fromTenant(gw, mac, s.prefix, in, out)
		p.put(flow, why, block)
		s.after = append(s.after, flow.Key())
		p.parts.Keep(s.route, flow.Key())
	}
}

// subnetOf returns a router port's subnet that is routed already.
func (v *vrf) subnetOf(lrp *observe.PortBinding, prefix netip.Prefix) *subnet {
	for _, s := range v.subnets {
		if s.lrp == lrp && s.prefix == prefix {
			return s
		}
	}
	return nil
}

// nearest is the subnet to which the VRF routes an address: of nested ones the
// most specific.
func (v *vrf) nearest(addr netip.Addr) *subnet {
	var best *subnet
	for _, s := range v.subnets {
		if s.prefix.Contains(addr) && (best == nil || s.prefix.Bits() > best.prefix.Bits()) {
			best = s
		}
	}
	return best
}

// moreSpecific returns an address of ours whose traffic a route to the prefix would
// take away from the subnet that it is in: longest-prefix match prefers the learned one.
func (p *pass) moreSpecific(v *vrf, prefix netip.Prefix) (netip.Addr, bool) {
	if a := prefix.Addr(); prefix.IsSingleIP() {
		return a, v.hosts[a] || p.parts.Told(hostOf{v.vni, a})
	}
	inside := func(n netip.Prefix) bool { return n.Contains(prefix.Addr()) && n.Bits() < prefix.Bits() }
	whole := p.whole[v.vni]
	if !slices.ContainsFunc(v.nets, inside) &&
		!slices.ContainsFunc(whole, func(s *behind) bool { return inside(s.prefix.Masked()) }) {
		return netip.Addr{}, false
	}
	var lowest netip.Addr
	known := func(a netip.Addr) {
		if prefix.Contains(a) && (!lowest.IsValid() || a.Less(lowest)) {
			lowest = a
		}
	}
	for a := range v.hosts {
		known(a)
	}
	for _, s := range v.subnets {
		if !s.prefix.Overlaps(prefix) {
			continue
		}
		for _, port := range p.parts.On(s.network) {
			for _, a := range tenantAddrs(port) {
				if v.nearest(a) == s {
					known(a)
				}
			}
		}
	}
	for _, s := range whole {
		if !s.prefix.Overlaps(prefix) {
			continue
		}
		known(s.prefix.Addr())
		for _, port := range p.parts.On(s.network) {
			for _, a := range p.addrsBehind(s, port) {
				known(a)
			}
		}
	}
	return lowest, lowest.IsValid()
}

// hostOf is the fact that a tenant's or a router's port has an address to which the VRF of a VNI leads.
type hostOf struct {
	vni  uint32
	addr netip.Addr
}

// fromTenant is the flow that hands what a router sends from a subnet to its VRF,
// before the provider network's other flows see it. An explicit output does not
// take the VLAN off, as an access port would.
func fromTenant(gw *gateway, mac object.MAC, from netip.Prefix, in, out uint16) object.Flow {
	proto, field := "ip", "nw_src"
	if from.Addr().Is6() {
		proto, field = "ipv6", "ipv6_src"
	}
	f := object.Flow{Bridge: gw.network.Bridge.Name, Priority: FlowPriority, Cookie: FlowCookie}
	f.Match = fmt.Sprintf("%s,in_port=%d", proto, in)
	if gw.network.VLAN != 0 { // without it newer OpenFlow does not let the VLAN be taken off
		f.Match += fmt.Sprintf(",dl_vlan=%d", gw.network.VLAN)
	}
	f.Match += ",dl_src=" + mac.String()
	switch {
	case from.IsSingleIP(): // as ovs-ofctl prints it
		f.Match += fmt.Sprintf(",%s=%s", field, from.Addr())
	case from.Bits() > 0:
		f.Match += fmt.Sprintf(",%s=%s", field, from)
	}
	f.Actions = "mod_dl_dst:" + gw.leg.mac.String()
	if gw.network.VLAN != 0 {
		f.Actions += ",strip_vlan"
	}
	f.Actions += fmt.Sprintf(",output:%d", out)
	return f
}

// announce adds the IP Prefix route of something in a subnet.
func (p *pass) announce(s *subnet, prefix netip.Prefix, why []object.Source) {
	v := s.vrf
	p.putItem(object.Item{
		Value: object.EVPNPath{
			Type: object.EVPNPrefix, RD: v.rd, Prefix: prefix, VNI: v.vni, NextHop: p.vtep,
			Targets: s.gw.exports, RouterMAC: v.bridge.MAC, Origin: p.cfg.Expose.Origin,
		},
		Why: why, Block: s.block, Shared: v.shared[sharedBy{s.gw.leg.dev, prefix.Addr().Is6()}], After: s.after,
	})
}

// tenantNetwork is a logical switch with subnets that are routed through a gateway here.
type tenantNetwork struct {
	datapath observe.UUID
	name     string
	on       []*subnet
}

// tenants announces the subnets, or the ports on them, wherever they are (E3).
func (p *pass) tenants(vrfs []*vrf) {
	networks := parts.Value(p.parts, phaseSubnets, vrfs, func() []*tenantNetwork {
		if p.cfg.SubnetMethod {
			for _, v := range vrfs {
				for _, s := range v.subnets {
					p.announce(s, s.prefix, s.why)
				}
			}
		}
		return tenantNetworks(vrfs)
	})
	for _, n := range networks {
		parts.Rows(p.parts, phaseTenantPorts, n.name, n.on, p.parts.On(n.datapath), parts.ByName,
			func(port *observe.PortBinding) { p.row(port, func() { p.tenantPort(port, n.on) }) })
	}
}

// tenantNetworks sorts the subnets of all VRFs by the networks that they are of.
func tenantNetworks(vrfs []*vrf) []*tenantNetwork {
	byDatapath := map[observe.UUID]*tenantNetwork{}
	for _, v := range vrfs {
		for _, s := range v.subnets {
			n := byDatapath[s.network]
			if n == nil {
				n = &tenantNetwork{datapath: s.network, name: s.network.String()}
				byDatapath[s.network] = n
			}
			n.on = append(n.on, s)
		}
	}
	byName := func(a, b *tenantNetwork) int { return strings.Compare(a.name, b.name) }
	return slices.SortedFunc(maps.Values(byDatapath), byName)
}

// tenantPort adds the addresses of one port in each VPN that its network is in.
func (p *pass) tenantPort(port *observe.PortBinding, on []*subnet) {
	addrs := tenantAddrs(port)
	if port.Type == observe.PortVIF || port.Type == observe.PortVirtual {
		p.reportProblems(port)
	}
	for _, addr := range addrs {
		for _, s := range on {
			if s.prefix.Contains(addr) {
				p.tenantAddress(s, port, addr)
			}
		}
	}
}

// tenantAddress announces an address with its most specific subnet only: the VRF routes
// to that one, so a path by another would attract traffic that it does not deliver.
func (p *pass) tenantAddress(s *subnet, port *observe.PortBinding, addr netip.Addr) {
	if nearest := s.vrf.nearest(addr); nearest != s {
		p.reportOf(s.vrf.vni, "Port_Binding", port.LogicalPort, observe.SkipConflict,
			"%s is in subnet %s, but VNI %d leads it to %s, which is more specific, behind router port %s: it is not announced",
			addr, s.prefix, s.vrf.vni, nearest.prefix, nearest.lrp.LogicalPort)
		return
	}
	p.parts.Tell(hostOf{s.vrf.vni, addr})
	if !p.cfg.SubnetMethod {
		p.announce(s, hostPrefix(addr), append([]object.Source{listing(object.ListsOwn, p.why("E3", port))}, s.why...))
	}
}

// tenantAddrs are the addresses of a port on a tenant network: of a VM that is
// bound anywhere, or a virtual port. Where the port's MAC is not known, Neutron's
// own list tells.
func tenantAddrs(port *observe.PortBinding) []netip.Addr {
	if port.Type != observe.PortVirtual && (port.Type != observe.PortVIF || port.Chassis.IsZero()) {
		return nil
	}
	addrs := portAddrs(port)
	if len(addrs) == 0 && port.Unknown {
		for _, cidr := range port.CIDRs() {
			addrs = append(addrs, cidr.Addr())
		}
	}
	return addrs
}
