package native

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// rowEVPN is what sources and skips call the speaker's table of EVPN.
const rowEVPN = "l2vpn-evpn"

// learnedEVPN is the source that all EVPN routes of others share, by which they are held.
func (p *pass) learnedEVPN() object.Source { return p.Why("N-55", tableLearned, rowEVPN) }

// holdEVPN keeps entries of others while it is not known whether they are still announced.
func (p *pass) holdEVPN() {
	text := "the speaker has not reported what neighbours announce"
	if p.learned != nil {
		text = p.learned.Unsettled
	}
	if text != "" {
		p.Skip(observe.Skip{Table: tableLearned, Row: rowEVPN, Code: observe.SkipDegraded, Text: text, Hold: true})
	}
}

// multicast adds the type-3 route, by which others send us what is flooded (N-50).
func (p *pass) multicast(s *segment) {
	p.put(object.Item{
		Value: object.EVPNPath{
			Type: object.EVPNMulticast, RD: s.rd, Prefix: hostPrefix(s.vtep), VNI: s.vni, NextHop: s.vtep, Targets: s.exports,
			Origin: p.cfg.Expose.Origin,
		},
		Why: s.why, Shared: s.after,
	})
}

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// claim is a MAC address of a segment under which the route of others for it is noted.
type claim macHere

// floods is the fact that a VTEP takes part in the flooding of a segment.
type floods struct {
	vni  uint32
	vtep netip.Addr
}

// findOthers sorts what others announce by segments, and notes who claims a MAC.
func (p *pass) findOthers(segments []*segment) map[string]*others {
	out := map[string]*others{}
	if p.learned == nil {
		return out
	}
	all := parts.ValueFrom(p.parts, phaseRoutes, "", announced(p.learned.EVPN), p.routes)
	for _, s := range segments {
		given := &wanted{s.vtep, s.imports, all.byVNI[s.vni]}
		out[s.id] = parts.ValueFrom(p.parts, phaseOthers, s.id, given, given.sorted)
	}
	for _, s := range segments {
		parts.Rows(p.parts, phaseClaims, s.id, s.vni, out[s.id].macs, (*subject).name, func(mac *subject) {
			r := best(mac.routes)
			p.parts.Note(claim{s.vni, r.MAC}, r)
		})
	}
	return out
}

// claimOn is the route of others for a MAC that counts; nil if there is none.
func (p *pass) claimOn(vni uint32, mac object.MAC) *observe.EVPNRoute {
	for _, r := range p.parts.Noted(claim{vni, mac}) {
		return r.(*observe.EVPNRoute)
	}
	return nil
}

// best is the route that counts, of those for one MAC or address: a sticky one before the latest move
// (RFC 7432 section 15), then the first.
func best(routes []*observe.EVPNRoute) (r *observe.EVPNRoute) {
	for _, next := range routes {
		switch {
		case r == nil,
			next.Sticky && !r.Sticky,
			next.Sticky == r.Sticky && next.Mobility.Value > r.Mobility.Value:
			r = next
		}
	}
	return r
}

// importRoutes adds what others announce to the kernel's databases, where ovn-controller reads it.
func (p *pass) importRoutes(segments []*segment, from map[string]*others) {
	segments = slices.DeleteFunc(slices.Clone(segments), func(s *segment) bool { return from[s.id] == nil })
	for _, s := range segments {
		vteps := from[s.id].vteps
		p.parts.PartOf(phaseFlooding, s.id, []any{s, vteps}, func() {
			p.part(s.vni, s.whyOthers, func() { p.flood(s, vteps) })
		})
	}
	for _, s := range segments {
		parts.Rows(p.parts, phaseEntries, s.id, s, from[s.id].macs, (*subject).name, func(mac *subject) {
			p.part(s.vni, s.whyOthers, func() { p.entry(s, best(mac.routes)) })
		})
	}
	for _, s := range segments {
		parts.Rows(p.parts, phaseNeighbours, s.id, s, from[s.id].addrs, (*subject).name, func(addr *subject) {
			p.part(s.vni, s.whyOthers, func() { p.neighbour(s, addr.routes) })
		})
	}
}

// sourceVNI is that which entries on a VXLAN device have, where it is that of several.
func (s *segment) sourceVNI() uint32 {
	if s.shared {
		return s.vni
	}
	return 0
}

// flood has what is flooded go to whoever takes part (N-55).
func (p *pass) flood(s *segment, vteps []netip.Addr) {
	for _, vtep := range vteps {
		p.parts.Tell(floods{s.vni, vtep})
		p.put(object.Item{
			Value: object.FDB{Dev: s.vxlan, Dst: vtep, SrcVNI: s.sourceVNI()}, Why: s.whyOthers, Shared: s.after,
		})
	}
}

// entry says where a MAC is (N-56). By an entry alone ovn-controller would flood to it.
func (p *pass) entry(s *segment, r *observe.EVPNRoute) {
	if p.parts.Told(macHere{s.vni, r.MAC}) || !p.parts.Told(floods{s.vni, r.NextHop}) {
		return
	}
	p.put(object.Item{
		Value: object.FDB{Dev: s.vxlan, MAC: r.MAC, Dst: r.NextHop, SrcVNI: s.sourceVNI(), Learned: true}, Why: s.whyOthers,
		Shared: s.after,
	})
}

// neighbour says which MAC has an address (N-56), if frames to that go where the route says.
func (p *pass) neighbour(s *segment, routes []*observe.EVPNRoute) {
	addr := routes[0].Prefix.Addr()
	if !s.bridged || p.parts.Told(addrHere{s.vni, addr}) {
		return
	}
	r := best(slices.DeleteFunc(slices.Clone(routes), func(r *observe.EVPNRoute) bool {
		return p.parts.Told(macHere{s.vni, r.MAC})
	}))
	if r == nil || !p.parts.Told(floods{s.vni, r.NextHop}) || p.claimOn(s.vni, r.MAC).NextHop != r.NextHop {
		return
	}
	p.put(object.Item{
		Value: object.Neigh{Dev: s.bridge, Addr: addr, MAC: r.MAC, Learned: true}, Why: s.whyOthers, Shared: s.after,
	})
}
