package evpn

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// BlockDuplicateMAC is the code of paths that are not announced because another
// VTEP goes on announcing the same MAC address.
const BlockDuplicateMAC = "duplicate-mac"

// duplicateMoves is how often a MAC address may move before it counts as a
// duplicate (RFC 7432 section 15.1). The RFC counts the moves within 180 s; here
// there is no clock, and the other's sequence number, which grows with every
// move, is the count. It begins anew when the other withdraws.
const duplicateMoves = 5

// claim is what others say about a MAC address that is on this node.
type claim struct {
	by       string // VTEP; empty if nobody claims it
	sequence uint32
	sticky   bool
}

// claimOn is a MAC address of a segment, on which the claim of others is noted.
type claimOn stationHere

// claims are those on the MAC addresses of a segment: of several on one the sticky one
// counts, or that with the highest sequence number. Routes whose VTEP cannot be reached
// count too: others follow them.
func claims(s *segment, routes []*observe.EVPNRoute) map[object.MAC]claim {
	out := map[object.MAC]claim{}
	for _, r := range routes {
		if r.Type != object.EVPNMacIP || unsupported(s.vni, r) != "" {
			continue
		}
		c := claim{by: r.NextHop.String(), sequence: r.Mobility.Value, sticky: r.Sticky}
		if have, ok := out[r.MAC]; !ok || c.beats(have) {
			out[r.MAC] = c
		}
	}
	return out
}

// beats follows RFC 7432 section 15: the higher sequence number is the later move, and a
// sticky MAC address (section 15.2) does not move at all.
func (c claim) beats(o claim) bool {
	if c.sticky != o.sticky {
		return c.sticky
	}
	return c.sequence > o.sequence
}

// mobility is the sequence number by which our path wins over the others (RFC 7432 section
// 15); nothing while nobody else announces the MAC.
func (c claim) mobility() object.Metric {
	if c.by == "" || c.sequence == math.MaxUint32 {
		return object.Metric{}
	}
	return object.MetricOf(c.sequence + 1)
}

// duplicate says why the MAC must not be announced; empty if it may.
func (c claim) duplicate() string {
	switch {
	case c.sticky:
		return fmt.Sprintf("VTEP %s announces the MAC as static; find out why it is on this node too", c.by)
	case c.sequence >= duplicateMoves:
		return fmt.Sprintf("VTEP %s announces the MAC too, with sequence number %d: duplicate MAC (RFC 7432 section 15.1); "+
			"it is announced again when the other withdraws it", c.by, c.sequence)
	default:
		return ""
	}
}

// better decides between two VTEPs for one MAC address that is not here: sticky
// before moved, the latest move, then as with other routes, which come in that
// order.
func better(r, have *observe.EVPNRoute) bool {
	return claim{sequence: r.Mobility.Value, sticky: r.Sticky}.beats(claim{
		sequence: have.Mobility.Value,
		sticky:   have.Sticky,
	})
}

// importSegment adds what others announce of a segment: where floods go, where MAC
// addresses are, and which addresses they have, so that the bridge answers for them.
func (p *pass) importSegment(s *segment, routes []*observe.EVPNRoute) {
	why := append([]object.Source{learnedSource(p, "N3")}, s.why...)
	macs := map[object.MAC]*observe.EVPNRoute{}
	addrs := map[netip.Addr]*observe.EVPNRoute{}
	for _, r := range routes {
		if text := p.unusable(s.vni, r); text != "" {
			p.unused(s.vni, r, observe.SkipDegraded, text)
			continue
		}
		if r.Type == object.EVPNMulticast {
			p.put(object.FDB{Dev: s.vxlan.Name, Dst: r.NextHop}, why, nil)
			continue
		}
		if p.parts.Told(stationHere{s.vni, r.MAC}) {
			continue // the database says that it is here
		}
		if have, ok := macs[r.MAC]; !ok || better(r, have) {
			macs[r.MAC] = r
		}
		if r.Prefix.IsValid() {
			if have, ok := addrs[r.Prefix.Addr()]; !ok || better(r, have) {
				addrs[r.Prefix.Addr()] = r
			}
		}
	}
	for mac, r := range macs { // the order does not matter: no two have a key in common
		p.put(object.FDB{Dev: s.vxlan.Name, MAC: mac, Dst: r.NextHop}, why, nil)
		p.put(object.FDB{Dev: s.vxlan.Name, MAC: mac}, why, nil)
	}
	for addr, r := range addrs {
		if !p.parts.Told(addressHere{s.vni, addr}) {
			p.put(object.Neigh{Dev: s.bridge.Name, Addr: addr, MAC: r.MAC, Learned: true}, why, nil)
		}
	}
}
