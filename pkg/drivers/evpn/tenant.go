package evpn

import (
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// subnet is a tenant subnet that is routed through a gateway on this node.
type subnet struct {
	prefix netip.Prefix
	vrf    *vrf
	gw     *gateway
	// why are the rows without which it would not be, and after what its paths
	// stand on beside what is common to all paths of the VRF.
	why   []object.Source
	after []object.Key
	block *object.Block
}

// tenantSubnets routes the subnets of the gateway's router that are in the same
// VPN (E2).
func (p *pass) tenantSubnets(v *vrf, gw *gateway) {
	for _, lrp := range p.portsOn(gw.port.Datapath) { // by name: of two equal subnets the one behind the lowest LRP stands
		lsp, ok := p.interfacePort(lrp)
		if !ok {
			continue
		}
		note, ok := p.annotationOf(lsp)
		if !ok {
			continue
		}
		if !note.same(gw.note) && p.gatewayFor(lrp, note) {
			continue // the router has several gateways, each in a VPN of its own
		}
		if !note.same(gw.note) {
			p.reportOf(gw.note.vni, "Port_Binding", lsp.LogicalPort, observe.SkipConflict,
				"it has VNI %d and AS %d, but the router's gateway %s has VNI %d and AS %d: its subnets are left out",
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

// gatewayFor reports whether the router has a gateway here in that VPN.
func (p *pass) gatewayFor(lrp *observe.PortBinding, note annotation) bool {
	for _, v := range p.vrfs {
		for _, gw := range v.gateways {
			if gw.port.Datapath == lrp.Datapath && note.same(gw.note) {
				return true
			}
		}
	}
	return false
}

// interfacePort returns the switch's half of a router port that leads to a
// tenant network.
func (p *pass) interfacePort(lrp *observe.PortBinding) (*observe.PortBinding, bool) {
	if lrp.Type != observe.PortPatch || !lrp.Chassis.IsZero() || lrp.Options["chassis-redirect-port"] != "" {
		return nil, false
	}
	lsp, ok := p.sb.Port(lrp.Options["peer"])
	return lsp, ok && lsp.Datapath != lrp.Datapath
}

// tenantSubnet adds the route into a subnet (V11) and the flow that takes what
// comes out of it into the VRF (V12).
func (p *pass) tenantSubnet(v *vrf, gw *gateway, lrp, lsp *observe.PortBinding, prefix netip.Prefix) {
	via, mac, ok := gw.via(prefix.Addr())
	if !ok {
		return
	}
	s := subnet{prefix: prefix.Masked(), vrf: v, gw: gw}
	s.why = []object.Source{p.why("E2", lrp), p.why("E2", lsp), p.whyHere("E1", gw.port), p.why("E1", gw.lsp)}
	route := object.NewRoute(v.table, s.prefix, gw.leg.dev, via)
	if !p.put(route, s.why, gw.network.Bridge.Block()) {
		return
	}
	s.after = []object.Key{object.Neigh{Dev: gw.leg.dev, Addr: via}.Key(), route.Key()}
	in, out, block := gw.leg.wired()
	s.block = block
	if in != 0 {
		flow := fromTenant(gw, mac, s.prefix, in, out)
		p.put(flow, s.why, block)
		s.after = append(s.after, flow.Key())
	}
	p.subnets[lsp.Datapath] = append(p.subnets[lsp.Datapath], s)
	if p.cfg.SubnetMethod {
		p.announce(s, s.prefix, s.why)
	}
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
func (p *pass) announce(s subnet, prefix netip.Prefix, why []object.Source) {
	v := s.vrf
	p.putItem(object.Item{
		Value: object.EVPNPath{
			Type: object.EVPNPrefix, RD: v.rd, Prefix: prefix, VNI: v.vni, NextHop: p.vtep,
			Targets: s.gw.exports, RouterMAC: v.bridge.MAC, Origin: p.cfg.Expose.Origin,
		},
		Why: why, Block: s.block, Shared: p.pathNeeds(v, s.gw.leg, prefix.Addr().Is6()), After: s.after,
	})
}

// tenantPorts announces the ports on the subnets, wherever they are (E3).
func (p *pass) tenantPorts() {
	if p.cfg.SubnetMethod || len(p.subnets) == 0 {
		return
	}
	for _, port := range p.sb.Ports {
		if on := p.subnets[port.Datapath]; on != nil {
			p.tenantPort(port, on)
		}
	}
}

func (p *pass) tenantPort(port *observe.PortBinding, on []subnet) {
	addrs := tenantAddrs(port)
	if port.Type == observe.PortVIF || port.Type == observe.PortVirtual {
		p.reportProblems(port)
	}
	for _, addr := range addrs {
		for _, s := range on {
			if s.prefix.Contains(addr) {
				p.announce(s, hostPrefix(addr), append([]object.Source{p.why("E3", port)}, s.why...))
			}
		}
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
