package native

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// findStations collects what of a segment is on this node (N-52, N-53).
func (p *pass) findStations(s *segment) {
	byMAC := map[object.MAC]*station{}
	at := func(mac object.MAC, why ...object.Source) *station {
		st := byMAC[mac]
		if st == nil {
			st = &station{mac: mac}
			byMAC[mac] = st
			s.stations = append(s.stations, st)
			s.local[mac] = true
		}
		st.why = addWhy(st.why, why...)
		return st
	}
	tokens := strings.FieldsFunc(s.datapath.ExternalIDs[optTokens], func(r rune) bool { return r == ',' || r == ' ' })
	fdb := slices.Contains(tokens, tokenFDB)
	for _, port := range p.parts.On(s.datapath.UUID) {
		if !p.onSegment(port) {
			continue
		}
		p.Row("Port_Binding", port.LogicalPort, func() {
			for _, el := range port.Addresses {
				if !usable(el.MAC) {
					continue
				}
				s.local[el.MAC] = true
				if fdb && !strings.EqualFold(port.Options[optAdvertise], "false") {
					at(el.MAC, p.whyStation("N-52", port)...).plain = true
				}
			}
		})
	}
	for _, row := range p.sb.MACs {
		if row.Datapath == s.datapath.UUID {
			p.Row(observe.TableAdvertisedMAC, row.UUID.String(), func() { p.binding(row, fdb, at) })
		}
	}
	slices.SortFunc(s.stations, func(a, b *station) int { return slices.Compare(a.mac[:], b.mac[:]) })
	for _, st := range s.stations {
		slices.SortFunc(st.addrs, netip.Addr.Compare)
		st.addrs = slices.Compact(st.addrs)
	}
}

// binding adds a row of Advertised_MAC_Binding whose port is on this node.
func (p *pass) binding(row *observe.AdvertisedMAC, fdb bool, at func(object.MAC, ...object.Source) *station) {
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
	st := at(mac, append(p.whyStation("N-53", port), own)...)
	st.plain = st.plain || fdb
	st.addrs = append(st.addrs, addr)
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
