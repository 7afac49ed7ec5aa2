package evpn

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Method says how a provider network becomes a VNI.
type Method string

// The methods.
const (
	MethodVRF   Method = "vrf"   // routed: its addresses are announced as prefixes
	MethodL2VNI Method = "l2vni" // bridged: it is one Ethernet with others
)

// NetworkConfig gives a provider network a VNI. The Southbound database does not
// hold what Neutron's BGPVPN service says of networks, so it is configured.
type NetworkConfig struct {
	expose.NetworkRef
	Method Method
	VNI    uint32
	// RD, Import and Export are as in VNIConfig.
	RD             string
	Import, Export []string
	// Gateways are the addresses that the kernel has in the network with method
	// vrf: those that ports there send to.
	Gateways []netip.Addr
}

// imports are the route targets that are configured, or any AS with the VNI.
func (c NetworkConfig) imports() []string {
	if len(c.Import) > 0 {
		return c.Import
	}
	return []string{autoImport(c.VNI)}
}

// exports are the route targets that are configured, or our AS with the VNI.
func (c NetworkConfig) exports(as uint32) object.Words {
	list := c.Export
	if len(list) == 0 {
		list = []string{autoTarget(as, c.VNI)}
	}
	w, _ := object.RouteTargetsOf(list...) // validated
	return w
}

// configured reports whether a VNI is that of a provider network, on this node or
// another: tenants must not get into it.
func (p *pass) configured(vni uint32) bool {
	return slices.ContainsFunc(p.cfg.Networks, func(c NetworkConfig) bool { return c.VNI == vni })
}

// findNetworks makes the VNIs of configured provider networks. One that this node
// does not reach is none of its business.
func (p *pass) findNetworks() {
	taken := map[string]bool{} // localnets
	for _, c := range p.cfg.Networks {
		// Its rows are not known before it has been found.
		p.Part(c.row(), func() []object.Source { return nil }, func() { p.findNetwork(c, taken) })
	}
}

// portsOfVRFs has the ports on networks with method vrf tell whether anything of these is on this node:
// without, they have no part in their VNIs.
func (p *pass) portsOfVRFs() {
	for _, n := range p.networks.All() {
		if slices.ContainsFunc(p.cfg.Networks, func(c NetworkConfig) bool {
			return c.Method == MethodVRF && c.Is(p.sb, localnetOf(p.sb, n))
		}) {
			p.handStations(phaseProviderPorts, phaseProviderStations, n.Localnet, n)
		}
	}
}

// findNetwork looks for the localnet port of one entry of evpn.networks. taken are the
// localnets of earlier entries: the first entry that names a network has it.
func (p *pass) findNetwork(c NetworkConfig, taken map[string]bool) {
	for _, n := range p.networks.All() {
		if !c.Is(p.sb, localnetOf(p.parts, n)) || taken[n.Localnet] {
			continue
		}
		taken[n.Localnet] = true
		switch c.Method {
		case MethodL2VNI:
			if slices.ContainsFunc(p.segments, func(s *segment) bool { return s.vni == c.VNI }) {
				p.reportOf(c.VNI, "Port_Binding", n.Localnet, observe.SkipConflict,
					"VNI %d is that of another network in evpn.networks", c.VNI)
				continue
			}
			if problem := p.bridgeTaken(c.VNI); problem != "" {
				p.refuse(c.VNI, localnetOf(p.parts, n), problem)
				continue
			}
			p.segments = append(p.segments, p.newSegment(c, n))
		case MethodVRF:
			p.provider(c, n)
		}
		return // a network is one localnet here
	}
}
