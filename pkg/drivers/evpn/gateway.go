package evpn

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// gateway is a router's gateway port that is on this node and annotated (E1).
type gateway struct {
	port    *observe.PortBinding // type chassisredirect
	lsp     *observe.PortBinding // its port on the provider network
	network *expose.Network
	note    annotation
	leg     *leg
	// exports are the route targets of what is announced through it.
	exports object.Words
	// vpns are those of all gateways here that the router has.
	vpns []annotation
	// lost are addresses to which the VRF does not lead: another gateway has them.
	lost []netip.Addr
}

// findGateways lists the annotated gateways on this node, by logical_port, and
// the VRFs that they make.
func (p *pass) findGateways() {
	for _, port := range p.redirects {
		if p.live(port) {
			p.row(port, func() { p.findGateway(port) })
		}
	}
}

// findGateway takes the chassisredirect port of a gateway that is up here. Its annotations
// are on the switch port opposite, where Neutron's BGPVPN service writes external_ids.
func (p *pass) findGateway(port *observe.PortBinding) {
	lsp, ok := observe.ProviderSide(p.parts, port)
	if !ok {
		return
	}
	n, ok := p.networks.Of(lsp.Datapath)
	if !ok {
		return
	}
	note, ok := p.annotationOf(lsp)
	if !ok {
		return
	}
	if lost := p.lostTargets(note); lost != "" {
		p.unreadable(lsp, "%s: no usable route target, and the default ones would connect more than was asked for; "+
			"correct the list", lost)
		return
	}
	if len(portAddrs(port)) == 0 {
		p.reportProblems(port) // what cannot be read holds the VNI
		return
	}
	p.join(&gateway{port: port, lsp: lsp, network: n, note: note})
}

// lostTargets names a list of route targets that cannot be read and in whose
// place there is nothing but the default, which is wider.
func (p *pass) lostTargets(note annotation) string {
	cfg := p.configOf(note.vni)
	switch {
	case len(cfg.Import) == 0 && len(note.imports) == 0 && note.lostImports != "":
		return note.lostImports
	case len(cfg.Export) == 0 && len(note.exports) == 0:
		return note.lostExports
	default:
		return ""
	}
}

// join puts a gateway into the VRF of its VNI.
func (p *pass) join(gw *gateway) {
	v := p.byVNI[gw.note.vni]
	if p.configured(gw.note.vni) {
		p.reportOf(gw.note.vni, "Port_Binding", gw.lsp.LogicalPort, observe.SkipConflict,
			"VNI %d is that of a provider network in evpn.networks; choose another for one of them", gw.note.vni)
		return
	}
	if v == nil {
		var problem string
		if v, problem = p.newVRF(gw.note.vni); problem != "" {
			p.refuse(gw.note.vni, gw.lsp, problem)
			return
		}
	}
	if !p.attach(v, gw) {
		return
	}
	p.addVRF(v)
	v.addWhy(p.whyHere("E1", gw.port), p.why("E1", gw.lsp))
	v.gateways = append(v.gateways, gw)
	p.targets(v, gw)
}

// shareVPNs lets each gateway know the VPNs of the others of its router.
func (p *pass) shareVPNs() {
	byRouter := map[observe.UUID][]annotation{}
	for _, v := range p.vrfs {
		for _, gw := range v.gateways {
			byRouter[gw.port.Datapath] = append(byRouter[gw.port.Datapath], gw.note)
		}
	}
	for _, v := range p.vrfs {
		for _, gw := range v.gateways {
			gw.vpns = byRouter[gw.port.Datapath]
		}
	}
}

// attach finds or makes the leg for a gateway. A VRF may have one leg on a flat
// network and one on a VLAN.
func (p *pass) attach(v *vrf, gw *gateway) bool {
	for _, l := range v.legs {
		if (l.network.VLAN == 0) != (gw.network.VLAN == 0) {
			continue
		}
		if !l.same(gw.network) {
			p.reportOf(v.vni, "Port_Binding", gw.port.LogicalPort, observe.SkipConflict,
				"VNI %d is connected to %s with VLAN %d already, and cannot be connected to %s with VLAN %d as well: "+
					"give the router a VNI of its own",
				v.vni, l.ovs.Bridge, l.network.VLAN, gw.network.Bridge.Name, gw.network.VLAN)
			return false
		}
		gw.leg = l
		return true
	}
	gw.leg = p.newLeg(v, gw.network)
	v.legs = append(v.legs, gw.leg)
	return true
}

// targets works out what the gateway exports and what its VRF imports: what is
// configured, else what is annotated, else what follows from AS and VNI.
func (p *pass) targets(v *vrf, gw *gateway) {
	cfg := p.configOf(v.vni)
	exports, imports := cfg.Export, cfg.Import
	if len(exports) == 0 {
		exports = gw.note.exports
	}
	if len(exports) == 0 {
		exports = []string{autoTarget(gw.note.as, v.vni)}
	}
	if len(imports) == 0 {
		imports = gw.note.imports
	}
	if len(imports) == 0 {
		imports = []string{autoImport(v.vni)}
	}
	gw.exports, _ = object.RouteTargetsOf(exports...) // each was checked
	for _, t := range imports {
		if !slices.Contains(v.imports, t) {
			v.imports = append(v.imports, t)
		}
	}
	rd := cfg.RD
	if rd == "" {
		rd = gw.note.rd
	}
	if v.rd == "" {
		v.rd = rd
	}
	if rd != "" && rd != v.rd {
		p.reportOf(v.vni, "Port_Binding", gw.lsp.LogicalPort, observe.SkipConflict,
			"VNI %d has route distinguisher %s already, %s is left out", v.vni, v.rd, rd)
	}
}

// gateway adds what leads to a router's gateway addresses: neighbours (V9),
// because an OVN router does not answer the kernel, host routes (V10), and
// answers for IPv6 subnets (V8).
func (p *pass) gateway(v *vrf, gw *gateway) {
	p.reportProblems(gw.port)
	why := []object.Source{p.whyHere("E1", gw.port), p.why("E1", gw.lsp)}
	block := gw.network.Bridge.Block()
	answering := gw.leg.dev
	if gw.network.VLAN == 0 {
		answering = gw.network.Bridge.Name
	}
	for _, el := range gw.port.Addresses {
		for _, prefix := range el.Addrs {
			addr := prefix.Addr()
			neigh := object.Neigh{Dev: gw.leg.dev, Addr: addr, MAC: el.MAC}
			route := object.NewRoute(v.table, hostPrefix(addr), gw.leg.dev, netip.Addr{})
			if !p.put(neigh, why, block) || !p.put(route, why, block) {
				gw.lost = append(gw.lost, addr)
				continue
			}
			p.parts.Keep(route.Key(), neigh.Key())
			if addr.Is6() {
				p.proxy(gw.leg, object.ProxyNeigh{Dev: answering, Addr: prefix.Masked().Addr()}, why, block)
			}
		}
	}
}

// via is the gateway's first address of the same family as addr to which the VRF
// leads, and its MAC; none if addr is the gateway's own.
func (gw *gateway) via(addr netip.Addr) (netip.Addr, object.MAC, bool) {
	if slices.Contains(portAddrs(gw.port), addr) {
		return netip.Addr{}, object.MAC{}, false
	}
	for _, el := range gw.port.Addresses {
		for _, prefix := range el.Addrs {
			if a := prefix.Addr(); a.Is4() == addr.Is4() && !slices.Contains(gw.lost, a) {
				return a, el.MAC, true
			}
		}
	}
	return netip.Addr{}, object.MAC{}, false
}
