package native

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// station is a MAC address of a segment that is on this node.
type station struct {
	mac   object.MAC
	plain bool // announced without an address
	addrs []netip.Addr
	why   []object.Source
}

// sighting is what one row says of a station.
type sighting struct {
	segment string // the id of its domain
	mac     object.MAC
	plain   bool
	addr    netip.Addr // invalid if the row is that of a port
	why     []object.Source
}

// macHere is the fact that a MAC address of a segment is on this node, and addrHere that one of its
// stations has an address.
type (
	macHere struct {
		vni uint32
		mac object.MAC
	}
	addrHere struct {
		vni  uint32
		addr netip.Addr
	}
)

// stations announces what of the segments is on this node: rows hand what they say to the stations.
func (p *pass) stations(segments []*segment) {
	var domains []*domain
	byID, byDatapath := map[string]*domain{}, map[observe.UUID]*domain{}
	for _, s := range segments {
		d := &s.domain
		domains, byID[d.id], byDatapath[d.datapath] = append(domains, d), d, d
		parts.Rows(p.parts, phasePorts, d.id, d, p.parts.On(d.datapath), parts.ByName, func(port *observe.PortBinding) {
			if p.onSegment(port) {
				p.Row("Port_Binding", port.LogicalPort, func() { p.port(d, port) })
			}
		})
	}
	name := func(row *observe.AdvertisedMAC) string { return row.UUID.String() }
	parts.Rows(p.parts, phaseBindings, "", domains, p.sb.MACs, name, func(row *observe.AdvertisedMAC) {
		if d := byDatapath[row.Datapath]; d != nil {
			p.Row(observe.TableAdvertisedMAC, row.UUID.String(), func() { p.binding(d, row) })
		}
	})
	parts.Handed(p.parts, phaseStations, domains, func(_ string, values []any) {
		d, st := byID[values[0].(sighting).segment], stationOf(values)
		p.part(d.vni, st.why, func() { p.station(d, st) })
	})
}

// rowsOn are the rows that may lead to stations of a switch.
func (p *pass) rowsOn(datapath observe.UUID) (out []object.Source) {
	for _, port := range p.parts.On(datapath) {
		out = append(out, p.whyPort("N-52", port.LogicalPort))
	}
	for _, row := range p.sb.MACs {
		if row.Datapath == datapath {
			out = append(out, p.Why("N-53", observe.TableAdvertisedMAC, row.UUID.String()))
		}
	}
	return out
}

// port hands on the MAC addresses of a port that is on this node (N-52).
func (p *pass) port(d *domain, port *observe.PortBinding) {
	for _, el := range port.Addresses {
		if !usable(el.MAC) {
			continue
		}
		p.parts.Tell(macHere{d.vni, el.MAC})
		if d.fdb && !strings.EqualFold(port.Options[optAdvertise], "false") {
			p.seen(d, sighting{mac: el.MAC, plain: true, why: p.whyStation("N-52", port)})
		}
	}
}

// binding hands on a row of Advertised_MAC_Binding whose port is on this node (N-53).
func (p *pass) binding(d *domain, row *observe.AdvertisedMAC) {
	mac, err := object.ParseMAC(strings.TrimSpace(row.MAC))
	if err != nil || !usable(mac) {
		p.hold(observe.TableAdvertisedMAC, row.UUID, "mac: %q is not the address of a station; what it led to is held",
			cut(row.MAC))
		return
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(row.IP))
	if err != nil || addr.Zone() != "" || addr.Is4In6() {
		p.hold(observe.TableAdvertisedMAC, row.UUID, "ip: %q is not an address; what it led to is held", cut(row.IP))
		return
	}
	port, ok := p.parts.PortOf(row.LogicalPort)
	if !ok || !p.onSegment(port) {
		return
	}
	own := p.Why("N-53", observe.TableAdvertisedMAC, row.UUID.String())
	own.Lists = object.ListsOwn
	p.parts.Tell(macHere{d.vni, mac})
	p.parts.Tell(addrHere{d.vni, addr})
	p.seen(d, sighting{mac: mac, plain: d.fdb, addr: addr, why: append(p.whyStation("N-53", port), own)})
}

// seen hands what a row says to the station that it is about.
func (p *pass) seen(d *domain, what sighting) {
	what.segment = d.id
	p.parts.Hand(phaseStations, d.id+" "+what.mac.String(), what)
}

// stationOf puts together what rows say of one station.
func stationOf(values []any) *station {
	st := &station{}
	for _, v := range values {
		what := v.(sighting)
		st.mac = what.mac
		st.plain = st.plain || what.plain
		st.why = addWhy(st.why, what.why...)
		if what.addr.IsValid() {
			st.addrs = append(st.addrs, what.addr)
		}
	}
	slices.SortFunc(st.addrs, netip.Addr.Compare)
	st.addrs = slices.Compact(st.addrs)
	return st
}

// station announces a MAC of this node, and its addresses, with a sequence number above
// that of others (N-57).
func (p *pass) station(d *domain, st *station) {
	path := object.EVPNPath{
		Type: object.EVPNMacIP, RD: d.rd, MAC: st.mac, VNI: d.vni, NextHop: d.vtep, Targets: d.exports,
		Origin: p.cfg.Expose.Origin,
	}
	var block *object.Block
	if claim := p.claimOn(d.vni, st.mac); claim != nil {
		if claim.Sticky {
			block = &object.Block{Code: blockDuplicateMAC, Text: fmt.Sprintf(
				"VTEP %s announces the MAC as static; find out why it is on this node too", claim.NextHop)}
		} else if claim.Mobility.Value < math.MaxUint32 {
			path.Mobility = object.MetricOf(claim.Mobility.Value + 1)
		}
	}
	var prefixes []netip.Prefix
	if st.plain {
		prefixes = append(prefixes, netip.Prefix{})
	}
	for _, a := range st.addrs {
		prefixes = append(prefixes, hostPrefix(a))
	}
	for _, prefix := range prefixes {
		path.Prefix = prefix
		p.put(object.Item{Value: path, Why: st.why, Block: block, Shared: d.after})
	}
}

// whyStation names a port, which decides where its MAC is.
func (p *pass) whyStation(rule string, port *observe.PortBinding) []object.Source {
	src := p.whyPort(rule, port.LogicalPort)
	src.Decides = port.Type == observe.PortVIF || port.Type == observe.PortVirtual
	return []object.Source{src}
}

// usable reports whether a MAC can be that of a station.
func usable(mac object.MAC) bool { return !mac.IsZero() && mac[0]&1 == 0 }

// onSegment reports whether a port of a switch is on this node: a VM, container or
// virtual port that is bound here, or the link to a router that is. A router without a
// gateway of its own is nowhere.
func (p *pass) onSegment(port *observe.PortBinding) bool {
	switch port.Type {
	case observe.PortVIF, observe.PortVirtual:
		return p.resident(port)
	case observe.PortPatch, observe.PortL3Gateway:
		peer, ok := p.parts.Port(port.Options["peer"])
		if !ok {
			return false
		}
		if peer.Type == observe.PortL3Gateway {
			return p.resident(peer)
		}
		cr, distributed := p.redirect(peer)
		return distributed && p.resident(cr)
	default:
		return false
	}
}
