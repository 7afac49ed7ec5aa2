package bgp

import (
	"encoding/binary"
	"net/netip"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// evpnAttrs are the path attributes that EVPN is about.
type evpnAttrs struct {
	origin    object.Origin
	hop       netip.Addr
	targets   object.Words
	routerMAC object.MAC
	mobility  object.Metric
	sticky    bool
	// tunnels are the encapsulations that the neighbour offers (RFC 8365 section
	// 5.1.3).
	tunnels []bgp.TunnelType
	// flood is the label of the tunnel for broadcast and the like, of the type
	// that follows (RFC 6514 section 5, RFC 8365 section 9).
	flood     uint32
	floodType bgp.PmsiTunnelType
	hasFlood  bool
}

// The types and subtypes of extended communities that are read and written.
const (
	ecOpaque        = byte(bgp.EC_TYPE_TRANSITIVE_OPAQUE)
	ecEVPN          = byte(bgp.EC_TYPE_EVPN)
	ecTarget        = byte(bgp.EC_SUBTYPE_ROUTE_TARGET)
	ecEncapsulation = byte(bgp.EC_SUBTYPE_ENCAPSULATION)
	ecMobility      = byte(bgp.EC_SUBTYPE_MAC_MOBILITY)
	ecRouterMAC     = byte(bgp.EC_SUBTYPE_ROUTER_MAC)
)

// readEVPNAttrs reads what it knows and leaves the rest.
func readEVPNAttrs(list [][]byte) (a evpnAttrs, ok bool) {
	ok = true
	for _, raw := range list {
		kind, value, whole := attribute(raw)
		switch {
		case !whole:
			ok = false
		case kind == bgp.BGP_ATTR_TYPE_ORIGIN && len(value) == 1:
			a.origin = object.Origin(value[0])
		case kind == bgp.BGP_ATTR_TYPE_EXTENDED_COMMUNITIES && len(value)%8 == 0:
			a.readCommunities(value)
		case kind == bgp.BGP_ATTR_TYPE_PMSI_TUNNEL && len(value) >= 5:
			a.hasFlood, a.flood, a.floodType = true, readLabel(value[2:]), bgp.PmsiTunnelType(value[1])
		case kind == bgp.BGP_ATTR_TYPE_MP_REACH_NLRI:
			a.hop, whole = readHop(value)
			ok = ok && whole
		}
	}
	return a, ok && a.hop.IsValid() && a.origin <= object.OriginIncomplete
}

// readHop reads the next hop of MP_REACH_NLRI (RFC 4760 section 3).
func readHop(value []byte) (netip.Addr, bool) {
	if len(value) < 4 || len(value) < 4+int(value[3]) {
		return netip.Addr{}, false
	}
	hop := value[4 : 4+int(value[3])]
	if len(hop) == 32 { // a link-local one follows
		hop = hop[:16]
	}
	addr, ok := netip.AddrFromSlice(hop)
	addr = addr.Unmap()
	return addr, ok && !addr.IsUnspecified()
}

func (a *evpnAttrs) readCommunities(value []byte) {
	var targets []string
	for ; len(value) >= 8; value = value[8:] {
		kind, sub, rest := value[0], value[1], value[2:8]
		switch {
		case sub == ecTarget && kind <= as4:
			if text, ok := administeredText(kind, rest); ok {
				targets = append(targets, text)
			}
		case kind == ecOpaque && sub == ecEncapsulation:
			a.tunnels = append(a.tunnels, bgp.TunnelType(binary.BigEndian.Uint16(rest[4:])))
		case kind == ecEVPN && sub == ecRouterMAC:
			a.routerMAC = object.MAC(rest)
		case kind == ecEVPN && sub == ecMobility:
			a.mobility, a.sticky = object.MetricOf(binary.BigEndian.Uint32(rest[2:])), rest[0]&1 != 0
		}
	}
	a.targets = object.WordsOf(targets...)
}

// write lists the attributes in binary form. MAC mobility is the last community
// because GoBGP appends the one that it adds itself.
func (a evpnAttrs) write(nlri []byte) ([][]byte, error) {
	var communities []byte
	for _, text := range a.targets.List() {
		kind, octets, err := administeredOctets(text)
		if err != nil {
			return nil, err
		}
		communities = append(append(communities, kind, ecTarget), octets[:]...)
	}
	for _, tunnel := range a.tunnels {
		communities = append(communities, ecOpaque, ecEncapsulation, 0, 0, 0, 0, byte(tunnel>>8), byte(tunnel))
	}
	if !a.routerMAC.IsZero() {
		communities = append(append(communities, ecEVPN, ecRouterMAC), a.routerMAC[:]...)
	}
	if a.mobility.Set {
		communities = append(communities, ecEVPN, ecMobility, 0, 0)
		communities = binary.BigEndian.AppendUint32(communities, a.mobility.Value)
	}
	const transitive, optional = bgp.BGP_ATTR_FLAG_TRANSITIVE, bgp.BGP_ATTR_FLAG_OPTIONAL
	out := [][]byte{
		attributeOf(transitive, bgp.BGP_ATTR_TYPE_ORIGIN, []byte{byte(a.origin)}),
		attributeOf(transitive|optional, bgp.BGP_ATTR_TYPE_EXTENDED_COMMUNITIES, communities),
	}
	if a.hasFlood {
		value := append(appendLabel([]byte{0, byte(a.floodType)}, a.flood), a.hop.AsSlice()...)
		out = append(out, attributeOf(transitive|optional, bgp.BGP_ATTR_TYPE_PMSI_TUNNEL, value))
	}
	reach := append([]byte{0, bgp.AFI_L2VPN, bgp.SAFI_EVPN, byte(a.hop.BitLen() / 8)}, a.hop.AsSlice()...)
	reach = append(append(reach, 0), nlri...)
	return append(out, attributeOf(optional, bgp.BGP_ATTR_TYPE_MP_REACH_NLRI, reach)), nil
}
