package evpn

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// tableLearned and rowEVPN are what sources and skips call the speaker's table of
// EVPN: what came from it is held while it may be incomplete.
const (
	tableLearned = "Learned"
	rowEVPN      = "l2vpn-evpn"
)

// The metrics of imported routes: worse than those of local ones, better than
// unreachable. The kernel gives local IPv6 routes 1024.
const (
	importMetric4 = 20
	importMetric6 = 1044
)

// learnedPaths hands what neighbours announce to the VNIs that import it.
func (p *pass) learnedPaths(l *observe.Learned, vrfs []*vrf, segments []*segment) {
	if len(vrfs)+len(segments) == 0 {
		return
	}
	p.hold(l)
	if l == nil {
		l = &observe.Learned{} // our own MAC addresses are announced all the same
	}
	p.noRoute = map[netip.Addr]bool{}
	for _, a := range l.NoRoute {
		p.noRoute[a.Unmap()] = true
	}
	in := parts.Value(p.parts, phaseRoutes, []any{p.vnis, p.vtep, l.EVPN}, func() imported { return p.imports(l.EVPN) })
	for _, v := range vrfs {
		routes := in.prefixes[v.vni]
		p.parts.PartOf(phasePrefixes, v.name, []any{v, routes, l.NoRoute, p.whole[v.vni]}, func() {
			p.part(&v.overlay, func() { p.importPrefixes(v, routes) })
		})
	}
	for _, s := range segments {
		routes := in.stations[s.vni]
		p.parts.PartOf(phaseClaims, s.name, []any{s, routes}, func() {
			for mac, c := range claims(s, routes) {
				p.parts.Note(claimOn{s.vni, mac}, c)
			}
		})
	}
	p.segmentStations(segments)
	for _, s := range segments {
		routes := in.stations[s.vni]
		p.parts.PartOf(phaseOthers, s.name, []any{s, routes, l.NoRoute}, func() {
			p.part(&s.overlay, func() { p.importSegment(s, routes) })
		})
	}
}

// imported are the routes that VNIs take in, the best first.
type imported struct {
	prefixes, stations map[uint32][]*observe.EVPNRoute
}

// hold keeps what was learned while it is not known whether it is still
// announced: a restart of ours must not remove tenants' routes.
func (p *pass) hold(l *observe.Learned) {
	text := "the speaker has not reported what neighbours announce"
	if l != nil {
		text = l.Unsettled
	}
	if text != "" {
		p.Skip(observe.Skip{Table: tableLearned, Row: rowEVPN, Code: observe.SkipDegraded, Text: text, Hold: true})
	}
}

// learnedSource is the source that all EVPN routes share: if they cannot be read, whatever has it as a
// source is held.
func learnedSource(p *pass, rule string) object.Source { return p.Why(rule, tableLearned, rowEVPN) }

// imports sorts routes by the VNIs that take them in; our own, which a route
// reflector may have sent back, go nowhere.
func (p *pass) imports(routes []observe.EVPNRoute) imported {
	var toVRF, toSegment importers[uint32]
	for _, v := range p.vrfs {
		toVRF.add(v.imports, v.vni)
	}
	for _, s := range p.segments {
		toSegment.add(s.imports, s.vni)
	}
	in := imported{map[uint32][]*observe.EVPNRoute{}, map[uint32][]*observe.EVPNRoute{}}
	routes = slices.Clone(routes)
	sorted := make([]*observe.EVPNRoute, 0, len(routes))
	for i := range routes {
		r := &routes[i]
		if r.NextHop = r.NextHop.Unmap(); r.NextHop != p.vtep {
			sorted = append(sorted, r)
		}
	}
	sorting.Sort(sorted, compareRoutes)
	for _, r := range sorted {
		// A route that has two of the targets comes twice in a row.
		if r.Type == object.EVPNPrefix {
			toVRF.of(r.Targets, func(vni uint32) { in.prefixes[vni] = appendOnce(in.prefixes[vni], r) })
			continue
		}
		toSegment.of(r.Targets, func(vni uint32) { in.stations[vni] = appendOnce(in.stations[vni], r) })
	}
	return in
}

// appendOnce relies on the order of calls: a route that comes again is the last of the list.
func appendOnce(list []*observe.EVPNRoute, r *observe.EVPNRoute) []*observe.EVPNRoute {
	if n := len(list); n > 0 && list[n-1] == r {
		return list
	}
	return append(list, r)
}

// compareRoutes puts better routes first, and otherwise orders by what they are,
// so that every choice is the same each time.
func compareRoutes(a, b *observe.EVPNRoute) int {
	if c := a.Rank.Compare(b.Rank); c != 0 {
		return c
	}
	if c := a.NextHop.Compare(b.NextHop); c != 0 {
		return c
	}
	c := cmp.Or(
		cmp.Compare(a.Type, b.Type), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
		bytes.Compare(a.MAC[:], b.MAC[:]), strings.Compare(a.RD, b.RD),
	)
	if c != 0 {
		return c
	}
	// The same destination twice: by several neighbours, which a source does not
	// tell us of, but may.
	return cmp.Or(
		strings.Compare(a.Peer, b.Peer), cmp.Compare(a.VNI, b.VNI), bytes.Compare(a.RouterMAC[:], b.RouterMAC[:]),
		strings.Compare(a.Targets.String(), b.Targets.String()), strings.Compare(a.Segment,
			b.Segment), a.Gateway.Compare(b.Gateway),
	)
}

// keyOf is the route key of RFC 7432 section 7 and RFC 9136 section 3.1, by which a skip
// names the route.
func keyOf(r *observe.EVPNRoute) object.Key {
	return object.EVPNPath{Type: r.Type, RD: r.RD, MAC: r.MAC, Prefix: r.Prefix}.Key()
}

// unusable says why nothing can be sent by a route: what it demands is not
// supported (K4), or its VTEP cannot be reached (K6).
func (p *pass) unusable(vni uint32, r *observe.EVPNRoute) string {
	if text := unsupported(vni, r); text != "" {
		return text
	}
	switch {
	case !r.NextHop.Is4():
		return fmt.Sprintf("its VTEP %s is not an IPv4 address", r.NextHop)
	case p.noRoute[r.NextHop]:
		return fmt.Sprintf("no route of this node leads to its VTEP %s", r.NextHop)
	case r.Type == object.EVPNPrefix && r.Gateway.IsValid():
		return fmt.Sprintf("Gateway IP %s as overlay index is not supported (RFC 9136)", r.Gateway)
	case r.Type == object.EVPNPrefix && r.RouterMAC.IsZero() && r.Segment != "":
		return "ESI " + r.Segment + " as overlay index is not supported (RFC 9136)"
	case r.Type == object.EVPNPrefix && r.RouterMAC.IsZero():
		return "it has no Router's MAC"
	case r.Type == object.EVPNPrefix && r.RouterMAC[0]&1 != 0:
		return fmt.Sprintf("its Router's MAC %s is a multicast address", r.RouterMAC)
	case r.Type == object.EVPNPrefix && p.byVNI[vni] != nil && r.RouterMAC == p.byVNI[vni].bridge.MAC:
		return fmt.Sprintf("its Router's MAC %s is this node's own", r.RouterMAC)
	default:
		return ""
	}
}

// unsupported says what is demanded by a route that cannot be one of the VNI.
func unsupported(vni uint32, r *observe.EVPNRoute) string {
	switch {
	case r.VNI != vni:
		return fmt.Sprintf("it demands VNI %d: a VNI that the receiver chooses is not supported, it must be %d at both ends",
			r.VNI, vni)
	case r.EthernetTag != 0:
		return fmt.Sprintf("it has Ethernet tag %d: VLAN-aware bundles are not supported", r.EthernetTag)
	case r.Type == object.EVPNMacIP && (r.MAC.IsZero() || r.MAC[0]&1 != 0):
		return fmt.Sprintf("MAC address %s is not a unicast address", r.MAC)
	default:
		return ""
	}
}

// unused reports a route that a VNI imports and cannot use.
func (p *pass) unused(vni uint32, r *observe.EVPNRoute, code, text string) {
	p.reportOf(vni, tableLearned, keyOf(r).String(), code, "VNI %d, peer %s: %s", vni, r.Peer, text)
}

// importPrefixes adds the routes of a VRF (K1) and what they need: a
// neighbour for each VTEP (K2) and where its router MAC is (K3).
func (p *pass) importPrefixes(v *vrf, routes []*observe.EVPNRoute) {
	why := append([]object.Source{learnedSource(p, "K1")}, v.why...)
	macs := map[netip.Addr]object.MAC{} // by VTEP
	vteps := map[object.MAC]netip.Addr{}
	byPrefix := map[netip.Prefix][]*observe.EVPNRoute{}
	for _, r := range routes { // the best first: its MAC is used (K5)
		if text := p.unusable(v.vni, r); text != "" {
			p.unused(v.vni, r, observe.SkipDegraded, text)
			continue
		}
		if addr, ok := p.moreSpecific(v, r.Prefix.Masked()); ok {
			p.unused(v.vni, r, observe.SkipConflict, fmt.Sprintf("%s, which is behind a router here, would be routed to VTEP %s",
				addr, r.NextHop))
			continue
		}
		if at, ok := vteps[r.RouterMAC]; ok && at != r.NextHop {
			p.unused(v.vni, r, observe.SkipConflict, fmt.Sprintf("router MAC %s is at VTEP %s, so it cannot be at %s",
				r.RouterMAC, at, r.NextHop))
			continue
		}
		if mac, ok := macs[r.NextHop]; ok && mac != r.RouterMAC {
			p.unused(v.vni, r, observe.SkipConflict, fmt.Sprintf("VTEP %s has router MAC %s by a better route, %s is left out",
				r.NextHop, mac, r.RouterMAC))
		} else {
			macs[r.NextHop], vteps[r.RouterMAC] = r.RouterMAC, r.NextHop
		}
		prefix := r.Prefix.Masked()
		byPrefix[prefix] = append(byPrefix[prefix], r)
	}
	for prefix, group := range byPrefix { // the order does not matter: no two have a key in common
		p.importPrefix(v, prefix, group, macs, why)
	}
}

// importPrefix adds the route of one prefix over the best of its paths.
func (p *pass) importPrefix(v *vrf, prefix netip.Prefix, group []*observe.EVPNRoute, macs map[netip.Addr]object.MAC,
	why []object.Source,
) {
	route := object.Route{Table: v.table, Dst: prefix, Metric: importMetric4}
	if prefix.Addr().Is6() {
		route.Metric = importMetric6
	}
	var hops []object.Hop
	var after []object.Key
	for _, r := range group {
		if r.Rank.Compare(group[0].Rank) != 0 {
			break
		}
		mac := macs[r.NextHop]
		neigh := object.Neigh{Dev: v.bridge.Name, Addr: r.NextHop, MAC: mac, Learned: true}
		if prefix.Addr().Is6() {
			neigh.Addr = netip.AddrFrom16(r.NextHop.As16()) // IPv4-mapped
		}
		self := object.FDB{Dev: v.vxlan.Name, MAC: mac, Dst: r.NextHop}
		master := object.FDB{Dev: v.vxlan.Name, MAC: mac}
		for _, value := range []object.Value{neigh, self, master} {
			p.put(value, why, nil)
			after = append(after, value.Key())
		}
		hops = append(hops, object.Hop{Via: neigh.Addr, Dev: v.bridge.Name})
	}
	p.putItem(object.Item{Value: route.WithHops(hops...), Why: why, After: after})
}
