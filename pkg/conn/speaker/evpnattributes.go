package speaker

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// EVPNAttributes are the path attributes that EVPN is about.
type EVPNAttributes struct {
	Origin    object.Origin
	NextHop   netip.Addr
	Targets   object.Words
	RouterMAC object.MAC
	Mobility  object.Metric
	Sticky    bool
	MED       object.Metric
	LocalPref object.Metric
	// Communities and Prepend are those of a last resort. Prepend is read of an AS_PATH that is
	// one number, several times.
	Communities object.Words
	Prepend     object.Prepend
	// Tunnels are the encapsulations that the neighbour offers (RFC 8365 section
	// 5.1.3).
	Tunnels []bgp.TunnelType
	// Flood is the label of the tunnel for broadcast and the like, of the type
	// that follows (RFC 6514 section 5, RFC 8365 section 9).
	Flood     uint32
	FloodType bgp.PmsiTunnelType
	HasFlood  bool
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

// ReadEVPNAttributes reads what it knows and leaves the rest.
func ReadEVPNAttributes(list [][]byte) (a EVPNAttributes, ok bool) {
	ok = true
	for _, raw := range list {
		kind, value, whole := Attribute(raw)
		switch {
		case !whole:
			ok = false
		case kind == bgp.BGP_ATTR_TYPE_ORIGIN && len(value) == 1:
			a.Origin = object.Origin(value[0])
		case kind == bgp.BGP_ATTR_TYPE_AS_PATH:
			a.Prepend = readPrepend(value)
		case kind == bgp.BGP_ATTR_TYPE_MULTI_EXIT_DISC && len(value) == 4:
			a.MED = object.MetricOf(binary.BigEndian.Uint32(value))
		case kind == bgp.BGP_ATTR_TYPE_LOCAL_PREF && len(value) == 4:
			a.LocalPref = object.MetricOf(binary.BigEndian.Uint32(value))
		case kind == bgp.BGP_ATTR_TYPE_COMMUNITIES && len(value)%4 == 0:
			a.Communities = CommunitiesOf(numbersOf(value))
		case kind == bgp.BGP_ATTR_TYPE_EXTENDED_COMMUNITIES && len(value)%8 == 0:
			a.readCommunities(value)
		case kind == bgp.BGP_ATTR_TYPE_PMSI_TUNNEL && len(value) >= 5:
			a.HasFlood, a.Flood, a.FloodType = true, readLabel(value[2:]), bgp.PmsiTunnelType(value[1])
		case kind == bgp.BGP_ATTR_TYPE_MP_REACH_NLRI:
			a.NextHop, whole = readHop(value)
			ok = ok && whole
		}
	}
	return a, ok && a.NextHop.IsValid() && a.Origin <= object.OriginIncomplete
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

func (a *EVPNAttributes) readCommunities(value []byte) {
	var targets []string
	for ; len(value) >= 8; value = value[8:] {
		kind, sub, rest := value[0], value[1], value[2:8]
		switch {
		case sub == ecTarget && kind <= as4:
			if text, ok := administeredText(kind, rest); ok {
				targets = append(targets, text)
			}
		case kind == ecOpaque && sub == ecEncapsulation:
			a.Tunnels = append(a.Tunnels, bgp.TunnelType(binary.BigEndian.Uint16(rest[4:])))
		case kind == ecEVPN && sub == ecRouterMAC:
			a.RouterMAC = object.MAC(rest)
		case kind == ecEVPN && sub == ecMobility:
			a.Mobility, a.Sticky = object.MetricOf(binary.BigEndian.Uint32(rest[2:])), rest[0]&1 != 0
		}
	}
	a.Targets = object.WordsOf(targets...)
}

// Write lists the attributes in binary form. MAC mobility is the last community
// because GoBGP appends the one that it adds itself.
func (a EVPNAttributes) Write(nlri []byte) ([][]byte, error) {
	var communities []byte
	for _, text := range a.Targets.List() {
		kind, octets, err := administeredOctets(text)
		if err != nil {
			return nil, err
		}
		communities = append(append(communities, kind, ecTarget), octets[:]...)
	}
	for _, tunnel := range a.Tunnels {
		communities = append(communities, ecOpaque, ecEncapsulation, 0, 0, 0, 0, byte(tunnel>>8), byte(tunnel))
	}
	if !a.RouterMAC.IsZero() {
		communities = append(append(communities, ecEVPN, ecRouterMAC), a.RouterMAC[:]...)
	}
	if a.Mobility.Set {
		communities = append(communities, ecEVPN, ecMobility, 0, 0)
		communities = binary.BigEndian.AppendUint32(communities, a.Mobility.Value)
	}
	const transitive, optional = bgp.BGP_ATTR_FLAG_TRANSITIVE, bgp.BGP_ATTR_FLAG_OPTIONAL
	out := [][]byte{attributeOf(transitive, bgp.BGP_ATTR_TYPE_ORIGIN, []byte{byte(a.Origin)})}
	if n := a.Prepend.Times; n > 0 {
		path := octetsOf(slices.Repeat([]uint32{a.Prepend.AS}, int(n)))
		path = append([]byte{bgp.BGP_ASPATH_ATTR_TYPE_SEQ, n}, path...)
		out = append(out, attributeOf(transitive, bgp.BGP_ATTR_TYPE_AS_PATH, path))
	}
	if a.MED.Set {
		out = append(out, attributeOf(optional, bgp.BGP_ATTR_TYPE_MULTI_EXIT_DISC, octetsOf([]uint32{a.MED.Value})))
	}
	if a.LocalPref.Set {
		out = append(out, attributeOf(transitive, bgp.BGP_ATTR_TYPE_LOCAL_PREF, octetsOf([]uint32{a.LocalPref.Value})))
	}
	if !a.Communities.Empty() {
		numbers, err := CommunityNumbers(a.Communities)
		if err != nil {
			return nil, err
		}
		out = append(out, attributeOf(transitive|optional, bgp.BGP_ATTR_TYPE_COMMUNITIES, octetsOf(numbers)))
	}
	out = append(out, attributeOf(transitive|optional, bgp.BGP_ATTR_TYPE_EXTENDED_COMMUNITIES, communities))
	if a.HasFlood {
		value := append(appendLabel([]byte{0, byte(a.FloodType)}, a.Flood), a.NextHop.AsSlice()...)
		out = append(out, attributeOf(transitive|optional, bgp.BGP_ATTR_TYPE_PMSI_TUNNEL, value))
	}
	reach := append([]byte{0, bgp.AFI_L2VPN, bgp.SAFI_EVPN, byte(a.NextHop.BitLen() / 8)}, a.NextHop.AsSlice()...)
	reach = append(append(reach, 0), nlri...)
	return append(out, attributeOf(optional, bgp.BGP_ATTR_TYPE_MP_REACH_NLRI, reach)), nil
}
