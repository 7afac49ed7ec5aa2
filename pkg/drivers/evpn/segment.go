package evpn

import (
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// segment is a bridged VNI: a provider network that is one Ethernet on all nodes
// and with others (method l2vni). Nothing is learned from traffic: which MAC is
// here tells the Southbound database, which is elsewhere tells BGP.
type segment struct {
	overlay
	network *expose.Network
	leg     *leg
	exports object.Words
	after   []object.Key // what all paths stand on
	block   *object.Block
}

// station is a MAC address that is reached through this node.
type station struct {
	mac   object.MAC
	addrs []netip.Addr
	why   []object.Source
	port  string // the first that has it
}

// newSegment returns the segment of a configured network.
func (p *pass) newSegment(c NetworkConfig, n *expose.Network) *segment {
	s := &segment{overlay: p.newOverlay(c.VNI, ""), network: n}
	inside, outside := vethNames(c.VNI, "veth-br-%d", "vb-%d")
	s.leg = p.vethLeg(c.VNI, s.bridge.Name, n, inside, outside)
	s.leg.links[0].NoLearning = true
	s.leg.ovs.Tag = n.VLAN
	s.addWhy(p.why("N1", localnetOf(p.parts, n)), p.Why("N1", "configuration", c.row()))
	s.networks = []*expose.Network{n}
	s.rd, s.imports, s.exports = c.RD, c.imports(), c.exports(p.cfg.AS)
	return s
}

// fresh is a segment that has been found, with nothing of it derived yet.
func (s *segment) fresh() *segment {
	c := *s
	return &c
}

// segment adds the devices of a bridged VNI.
func (p *pass) segment(s *segment) {
	p.overlay(&s.overlay)
	p.legDevices(s.leg, s.why)
	p.parts.Keep(s.bridge.Key(), s.leg.device())
	s.after = append([]object.Key{s.bridge.Key(), s.vxlan.Key()}, s.leg.keys()...)
	_, _, s.block = p.wired(s.leg)
	p.putItem(object.Item{
		Value: object.EVPNPath{
			Type: object.EVPNMulticast, RD: s.rd, Prefix: hostPrefix(p.vtep), VNI: s.vni, NextHop: p.vtep, Targets: s.exports,
			Origin: p.cfg.Expose.Origin,
		},
		Why: s.why, Block: s.block, Shared: s.after,
	})
}

// findStations collects the MAC addresses of ports that are live here, where they are not derived one by one.
func (p *pass) findStations(n *expose.Network) []*station {
	f := &found{byMAC: map[object.MAC]*station{}}
	for _, port := range p.portsOf(n) {
		p.stationsOf(n, port, f.add)
	}
	return f.stations
}

// stationsOf calls add for what a port has on a network: VMs and virtual ports that are live here,
// gateways of routers, and floating IPs that are resident here.
func (p *pass) stationsOf(n *expose.Network, port *observe.PortBinding, add addStation) {
	switch {
	case port.Type == observe.PortChassisRedirect && p.live(port):
		if lsp, ok := observe.ProviderSide(p.parts, port); ok && lsp.Datapath == n.Datapath {
			p.reportProblems(port)
			p.row(port, func() { add(port.Addresses, p.whyOwn("N2", port), p.why("N2", lsp)) })
		}
	case port.Type == observe.PortVIF && p.live(port):
		p.reportProblems(port)
		p.row(port, func() { add(port.Addresses, p.whyOwn("N2", port)) })
	case port.Type == observe.PortVirtual && p.live(port):
		p.reportProblems(port)
		p.row(port, func() { add(p.virtualAddresses(port), p.whyOwn("N2", port)) })
	case port.Type == observe.PortPatch:
		p.row(port, func() { p.floatingStations(port, add) })
	}
}

// addStation takes addresses with their MACs, and the rows that they are from.
type addStation func(list []observe.PortAddress, why ...object.Source)

// segmentStations adds what this node has on a segment, station by station.
func (p *pass) segmentStations(segments []*segment) {
	byName := map[string]*segment{}
	for _, s := range segments {
		byName[s.name] = s
		p.handStations(phaseSegmentPorts, phaseSegmentStations, s.name, s.network)
	}
	parts.Handed(p.parts, phaseSegmentStations, segments, func(_ string, values []any) {
		on, at := handedStation(values)
		s := byName[on]
		p.Part(fmt.Sprintf("VNI %d", s.vni), func() []object.Source { return at.why }, func() { p.station(s, at) })
	})
}

// handStations has the ports on a network, in one phase, hand what they have there to the stations, which
// are parts of another. name is what these know the network by. That there is a station is told, too.
func (p *pass) handStations(ports, stations, name string, n *expose.Network) {
	given := []any{n.Datapath, p.me}
	parts.Rows(p.parts, ports, name, given, p.portsOf(n), parts.ByName, func(port *observe.PortBinding) {
		p.stationsOf(n, port, func(list []observe.PortAddress, why ...object.Source) {
			for _, el := range list {
				p.parts.Tell(stationOn{name})
				p.parts.Hand(stations, name+" "+el.MAC.String(), handed{name, port.LogicalPort, el, why})
			}
		})
	})
}

// stationOn is the fact that this node has a station on a network.
type stationOn struct{ network string }

// handed is an element of column mac, or what stands for one, that a port has on a network.
type handed struct {
	network, port string
	el            observe.PortAddress
	why           []object.Source
}

// handedStation is the station of which ports have handed elements with its MAC, and the network that it is on.
func handedStation(values []any) (network string, at *station) {
	f := &found{byMAC: map[object.MAC]*station{}}
	for _, v := range values {
		f.add([]observe.PortAddress{v.(handed).el}, v.(handed).why...)
	}
	first := values[0].(handed)
	f.stations[0].port = first.port
	return first.network, f.stations[0]
}

// station adds a MAC address that is on this node, and tells of it.
func (p *pass) station(s *segment, at *station) {
	p.put(object.FDB{Dev: s.leg.dev, MAC: at.mac}, at.why, s.leg.network.Bridge.Block())
	p.parts.Tell(stationHere{s.vni, at.mac})
	for _, a := range at.addrs {
		p.parts.Tell(addressHere{s.vni, a})
	}
	c := claim{}
	for _, noted := range p.parts.Noted(claimOn{s.vni, at.mac}) {
		c = noted.(claim)
	}
	p.announceStation(s, at, c)
}

// stationHere is the fact that a MAC address of a segment is on this node, and addressHere that one of
// these has an address.
type (
	stationHere struct {
		vni uint32
		mac object.MAC
	}
	addressHere struct {
		vni  uint32
		addr netip.Addr
	}
)

// portsOf are the ports on a network and those of gateways that may lead to it, by logical_port.
func (p *pass) portsOf(n *expose.Network) []*observe.PortBinding {
	var out []*observe.PortBinding
	redirects := p.redirects
	for _, port := range p.parts.On(n.Datapath) {
		for len(redirects) > 0 && redirects[0].LogicalPort < port.LogicalPort {
			out, redirects = append(out, redirects[0]), redirects[1:]
		}
		if port.Type != observe.PortChassisRedirect {
			out = append(out, port)
		}
	}
	return append(out, redirects...)
}

// found are stations in the order in which they were found.
type found struct {
	stations []*station
	byMAC    map[object.MAC]*station
}

// add adds addresses to the stations that have their MACs.
func (f *found) add(list []observe.PortAddress, why ...object.Source) {
	for _, el := range list {
		at := f.byMAC[el.MAC]
		if at == nil {
			at = &station{mac: el.MAC}
			f.byMAC[el.MAC] = at
			f.stations = append(f.stations, at)
		}
		at.why = object.MergeSources(at.why, why)
		for _, prefix := range el.Addrs {
			at.addrs = append(at.addrs, prefix.Addr())
		}
	}
}

// virtualAddresses are those of a virtual port, behind the MAC of the port that
// has claimed it: that is who answers for them.
func (p *pass) virtualAddresses(port *observe.PortBinding) []observe.PortAddress {
	parent, ok := p.parts.Port(port.VirtualParent)
	if !ok || len(parent.Addresses) == 0 {
		return port.Addresses
	}
	var out []observe.PortAddress
	for _, el := range port.Addresses {
		out = append(out, observe.PortAddress{MAC: parent.Addresses[0].MAC, Addrs: el.Addrs})
	}
	return out
}

// floatingStations adds the floating IPs of a router's port whose guard is here,
// with the MAC that answers for them.
func (p *pass) floatingStations(port *observe.PortBinding, add addStation) {
	if len(port.NAT) > 0 || len(port.Problems) > 0 {
		p.reportProblems(port)
	}
	for _, nat := range port.NAT {
		guard, ok := p.parts.Port(nat.Resident)
		if !ok || !p.resident(guard) {
			continue
		}
		el := observe.PortAddress{MAC: nat.MAC}
		for _, a := range nat.Addrs {
			el.Addrs = append(el.Addrs, hostPrefix(a))
		}
		add([]observe.PortAddress{el}, listing(object.ListsOthers, p.why("N2", port)), p.whyHere("N2", guard))
	}
}

// resident reports whether is_chassis_resident holds here: the guard is bound,
// and up where OVN keeps that state.
func (p *pass) resident(guard *observe.PortBinding) bool {
	if guard.Type == observe.PortVIF || guard.Type == observe.PortVirtual {
		return p.live(guard)
	}
	return !p.me.IsZero() && guard.Chassis == p.me
}

// localnetOf returns the row that a network was found by.
func localnetOf(sb observe.Ports, n *expose.Network) *observe.PortBinding {
	if port, ok := sb.Port(n.Localnet); ok {
		return port
	}
	return &observe.PortBinding{LogicalPort: n.Localnet}
}

// announceStation adds the MAC/IP routes of a station: one for the MAC, which is
// all that bridging needs, and one for each address, which lets others answer for
// it. claim is what is known of the MAC at others. That is no reason for the routes
// to be: they go with the station, even while what was learned is held.
func (p *pass) announceStation(s *segment, at *station, claim claim) {
	path := object.EVPNPath{
		Type: object.EVPNMacIP, RD: s.rd, MAC: at.mac, VNI: s.vni, NextHop: p.vtep, Targets: s.exports,
		Mobility: claim.mobility(),
		Origin:   p.cfg.Expose.Origin,
	}
	block := s.block
	if text := claim.duplicate(); text != "" {
		block = &object.Block{Code: BlockDuplicateMAC, Text: text}
		p.reportOf(s.vni, at.why[0].Table, at.why[0].Row, observe.SkipConflict, "VNI %d: %s", s.vni, text)
	}
	after := []object.Key{object.FDB{Dev: s.leg.dev, MAC: at.mac}.Key()}
	prefixes := []netip.Prefix{{}}
	for _, a := range at.addrs {
		prefixes = append(prefixes, hostPrefix(a))
	}
	for _, prefix := range prefixes {
		path.Prefix = prefix
		p.putItem(object.Item{Value: path, Why: at.why, Block: block, Shared: s.after, After: after})
	}
}

// row names the entry of the configuration as the source of what it leads to.
func (c NetworkConfig) row() string { return fmt.Sprintf("evpn.networks vni %d", c.VNI) }
