package native

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"

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

// others is what others announce for a segment.
type others struct {
	// flooding are the VTEPs that take part in it.
	flooding map[netip.Addr]bool
	// best has the route that wins for each MAC, and macs are these by MAC.
	best map[object.MAC]*observe.EVPNRoute
	macs []*observe.EVPNRoute
	// addrs are the addresses of these MACs.
	addrs []*address
}

// address has the routes that say where an address is.
type address struct {
	text   string
	addr   netip.Addr
	routes []*observe.EVPNRoute
}

// claim is a MAC address of a segment under which the route of others for it is noted.
type claim macHere

// findOthers sorts what others announce by segments, and notes who claims a MAC.
func (p *pass) findOthers(segments []*segment) map[string]*others {
	out := map[string]*others{}
	if p.learned == nil {
		return out
	}
	byVNI := parts.Value(p.parts, phaseRoutes, p.learned.EVPN, p.routesByVNI)
	for _, s := range segments {
		routes := byVNI[s.vni]
		given := []any{s.vtep, s.imports, routes}
		out[s.id] = parts.ValueOf(p.parts, phaseOthers, s.id, given, func() *others { return othersOf(s.wanted(routes)) })
	}
	for _, s := range segments {
		o := out[s.id]
		p.parts.PartOf(phaseClaims, s.id, o, func() {
			for _, r := range o.macs {
				p.parts.Note(claim{r.VNI, r.MAC}, r)
			}
		})
	}
	return out
}

// claimOn is the route of others for a MAC that is here; nil if there is none.
func (p *pass) claimOn(d *domain, mac object.MAC) *observe.EVPNRoute {
	for _, r := range p.parts.Noted(claim{d.vni, mac}) {
		return r.(*observe.EVPNRoute)
	}
	return nil
}

// routesByVNI are the routes of others that can be those of a segment.
func (p *pass) routesByVNI() map[uint32][]*observe.EVPNRoute {
	out := map[uint32][]*observe.EVPNRoute{}
	for _, r := range p.learned.EVPN {
		if r.NextHop = r.NextHop.Unmap(); r.NextHop.IsValid() && r.EthernetTag == 0 {
			out[r.VNI] = append(out[r.VNI], &r)
		}
	}
	return out
}

// wanted are the routes that a segment takes in, the best first.
func (s *segment) wanted(routes []*observe.EVPNRoute) (out []*observe.EVPNRoute) {
	for _, r := range routes {
		if r.NextHop != s.vtep && s.imported(r.Targets) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b *observe.EVPNRoute) int {
		return cmp.Or(a.Rank.Compare(b.Rank), a.NextHop.Compare(b.NextHop), strings.Compare(a.RD, b.RD),
			bytes.Compare(a.MAC[:], b.MAC[:]), object.ComparePrefix(a.Prefix, b.Prefix), strings.Compare(a.Peer, b.Peer))
	})
	return out
}

// imported reports whether one of the route targets is taken in.
func (s *segment) imported(targets object.Words) bool {
	return slices.ContainsFunc(targets.List(), func(have string) bool {
		return slices.ContainsFunc(s.imports, func(want string) bool {
			number, any := strings.CutPrefix(want, "*:")
			_, of, _ := strings.Cut(have, ":")
			return have == want || any && of == number
		})
	})
}

// othersOf sorts routes, the best first, by what they are about.
func othersOf(routes []*observe.EVPNRoute) *others {
	o := &others{flooding: map[netip.Addr]bool{}, best: map[object.MAC]*observe.EVPNRoute{}}
	byAddr := map[netip.Addr]*address{}
	for _, r := range routes {
		switch {
		case r.Type == object.EVPNMulticast:
			o.flooding[r.NextHop] = true
		case r.Type == object.EVPNMacIP && usable(r.MAC):
			o.best[r.MAC] = winner(o.best[r.MAC], r)
			if !r.Prefix.IsValid() {
				continue
			}
			at := byAddr[r.Prefix.Addr()]
			if at == nil {
				at = &address{text: r.Prefix.Addr().String(), addr: r.Prefix.Addr()}
				byAddr[at.addr], o.addrs = at, append(o.addrs, at)
			}
			at.routes = append(at.routes, r)
		}
	}
	for _, r := range o.best {
		o.macs = append(o.macs, r)
	}
	slices.SortFunc(o.macs, func(a, b *observe.EVPNRoute) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })
	slices.SortFunc(o.addrs, func(a, b *address) int { return strings.Compare(a.text, b.text) })
	return o
}

// winner is the route that counts of one and the next: a sticky one before the latest move (RFC 7432
// section 15), then the first.
func winner(have, r *observe.EVPNRoute) *observe.EVPNRoute {
	switch {
	case have == nil,
		r.Sticky && !have.Sticky,
		r.Sticky == have.Sticky && r.Mobility.Value > have.Mobility.Value:
		return r
	}
	return have
}

// reaches reports whether frames to the MAC of a route go where it says, and what is flooded too: by an
// entry alone ovn-controller would flood to it.
func (o *others) reaches(r *observe.EVPNRoute) bool {
	return o.flooding[r.NextHop] && o.best[r.MAC].NextHop == r.NextHop
}

// importRoutes adds what others announce to the kernel's databases, where ovn-controller reads it.
func (p *pass) importRoutes(segments []*segment, from map[string]*others) {
	for _, s := range segments {
		if o := from[s.id]; o != nil {
			p.parts.PartOf(phaseFlooding, s.id, []any{s, o}, func() {
				p.part(s.vni, s.whyOthers, func() { p.floods(s, o) })
			})
		}
	}
	for _, s := range segments {
		if o := from[s.id]; o != nil {
			name := func(r *observe.EVPNRoute) string { return r.MAC.String() }
			parts.Rows(p.parts, phaseEntries, s.id, []any{s, o}, o.macs, name, func(r *observe.EVPNRoute) {
				p.part(s.vni, s.whyOthers, func() { p.entry(s, o, r) })
			})
		}
	}
	for _, s := range segments {
		if o := from[s.id]; o != nil {
			name := func(a *address) string { return a.text }
			parts.Rows(p.parts, phaseNeighbours, s.id, []any{s, o}, o.addrs, name, func(a *address) {
				p.part(s.vni, s.whyOthers, func() { p.neighbour(s, o, a) })
			})
		}
	}
}

// sourceVNI is that which entries on a VXLAN device have, where it is that of several.
func (s *segment) sourceVNI() uint32 {
	if s.shared {
		return s.vni
	}
	return 0
}

// floods has what is flooded go to whoever takes part (N-55).
func (p *pass) floods(s *segment, o *others) {
	for vtep := range o.flooding { // the order does not matter: no two have a key in common
		p.put(object.Item{
			Value: object.FDB{Dev: s.vxlan, Dst: vtep, SrcVNI: s.sourceVNI()}, Why: s.whyOthers, Shared: s.after,
		})
	}
}

// entry says where a MAC is (N-56).
func (p *pass) entry(s *segment, o *others, r *observe.EVPNRoute) {
	if p.parts.Told(macHere{s.vni, r.MAC}) || !o.reaches(r) {
		return
	}
	p.put(object.Item{
		Value: object.FDB{Dev: s.vxlan, MAC: r.MAC, Dst: r.NextHop, SrcVNI: s.sourceVNI(), Learned: true}, Why: s.whyOthers,
		Shared: s.after,
	})
}

// neighbour says which MAC has an address (N-56).
func (p *pass) neighbour(s *segment, o *others, a *address) {
	if !s.bridged || p.parts.Told(addrHere{s.vni, a.addr}) {
		return
	}
	var best *observe.EVPNRoute
	for _, r := range a.routes {
		if !p.parts.Told(macHere{s.vni, r.MAC}) {
			best = winner(best, r)
		}
	}
	if best != nil && o.reaches(best) {
		p.put(object.Item{
			Value: object.Neigh{Dev: s.bridge, Addr: a.addr, MAC: best.MAC, Learned: true}, Why: s.whyOthers, Shared: s.after,
		})
	}
}
