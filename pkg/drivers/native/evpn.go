package native

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
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
func (p *pass) multicast(s *segment, after []object.Key) {
	p.put(object.Item{
		Value: object.EVPNPath{
			Type: object.EVPNMulticast, RD: s.rd, Prefix: hostPrefix(s.vtep), VNI: s.vni, NextHop: s.vtep, Targets: s.exports,
			Origin: p.cfg.Expose.Origin,
		},
		Why: s.why, Shared: after,
	})
}

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// importRoutes announces what is on this node, above what others say of the same MAC,
// and adds what others announce (N-52 to N-57).
func (p *pass) importRoutes(s *segment, after []object.Key) {
	routes := p.routesOf(s)
	claimed := map[object.MAC]*observe.EVPNRoute{}
	best := map[object.MAC]*observe.EVPNRoute{}
	addrs := map[netip.Addr]*observe.EVPNRoute{}
	flooding := map[netip.Addr]bool{}
	for _, r := range routes {
		if r.Type == object.EVPNMulticast {
			flooding[r.NextHop] = true
		}
	}
	for _, r := range routes {
		switch {
		case r.Type != object.EVPNMacIP || !usable(r.MAC):
		case s.local[r.MAC]:
			keep(claimed, r.MAC, r)
		default:
			keep(best, r.MAC, r)
			if r.Prefix.IsValid() {
				keep(addrs, r.Prefix.Addr(), r)
			}
		}
	}
	for _, st := range s.stations {
		p.station(s, st, claimed[st.mac], after)
	}
	p.entries(s, flooding, best, addrs, after)
}

// routesOf are the routes of others for a segment, the best first.
func (p *pass) routesOf(s *segment) (out []*observe.EVPNRoute) {
	if p.learned == nil {
		return nil
	}
	for i := range p.learned.EVPN {
		r := p.learned.EVPN[i]
		r.NextHop = r.NextHop.Unmap()
		if r.VNI == s.vni && r.NextHop.IsValid() && r.NextHop != s.vtep && r.EthernetTag == 0 && s.imported(r.Targets) {
			out = append(out, &r)
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

// keep keeps the route that wins: a sticky one before the latest move (RFC 7432 section
// 15), then the first.
func keep[K comparable](into map[K]*observe.EVPNRoute, at K, r *observe.EVPNRoute) {
	have := into[at]
	switch {
	case have == nil,
		r.Sticky && !have.Sticky,
		r.Sticky == have.Sticky && r.Mobility.Value > have.Mobility.Value:
		into[at] = r
	}
}

// station announces a MAC of this node, and its addresses, with a sequence number above
// that of others (N-57).
func (p *pass) station(s *segment, st *station, claim *observe.EVPNRoute, after []object.Key) {
	path := object.EVPNPath{
		Type: object.EVPNMacIP, RD: s.rd, MAC: st.mac, VNI: s.vni, NextHop: s.vtep, Targets: s.exports,
		Origin: p.cfg.Expose.Origin,
	}
	var block *object.Block
	if claim != nil {
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
		p.put(object.Item{Value: path, Why: st.why, Block: block, Shared: after})
	}
}

// entries adds what others announce to the kernel's databases, where ovn-controller
// reads it (N-55, N-56).
func (p *pass) entries(s *segment, flooding map[netip.Addr]bool, best map[object.MAC]*observe.EVPNRoute,
	addrs map[netip.Addr]*observe.EVPNRoute, after []object.Key,
) {
	why := append([]object.Source{p.learnedEVPN()}, s.why...)
	var src uint32
	if s.shared {
		src = s.vni
	}
	for vtep := range flooding { // the order does not matter: no two have a key in common
		p.put(object.Item{Value: object.FDB{Dev: s.vxlan, Dst: vtep, SrcVNI: src}, Why: why, Shared: after})
	}
	for mac, r := range best {
		if !flooding[r.NextHop] {
			continue // by the entry alone ovn-controller would flood to it
		}
		p.put(object.Item{
			Value: object.FDB{Dev: s.vxlan, MAC: mac, Dst: r.NextHop, SrcVNI: src, Learned: true}, Why: why, Shared: after,
		})
	}
	if !p.exists(s.bridge) {
		return
	}
	here := map[netip.Addr]bool{}
	for _, st := range s.stations {
		for _, a := range st.addrs {
			here[a] = true
		}
	}
	for addr, r := range addrs {
		if !here[addr] && flooding[r.NextHop] && best[r.MAC].NextHop == r.NextHop {
			p.put(object.Item{
				Value: object.Neigh{Dev: s.bridge, Addr: addr, MAC: r.MAC, Learned: true}, Why: why, Shared: after,
			})
		}
	}
}
