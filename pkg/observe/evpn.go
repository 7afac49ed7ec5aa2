package observe

import (
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// EVPNRoute is a path of family l2vpn-evpn that a neighbour announces (RFC 7432,
// RFC 9136). Its route targets decide which virtual networks import it.
type EVPNRoute struct {
	// Type is the route type; only those of object.EVPNType are kept.
	Type object.EVPNType `json:"type"`
	// RD is the route distinguisher in the form of object.ParseRD.
	RD string `json:"rd"`
	// EthernetTag is 0 unless the neighbour has VLAN-aware bundles.
	EthernetTag uint32 `json:"ethernet_tag,omitempty"`
	// Segment is the Ethernet Segment Identifier of a multihomed MAC or prefix as
	// ten octets with colons; empty for none.
	Segment string `json:"segment,omitempty"`
	// MAC is that of a MAC/IP route.
	MAC object.MAC `json:"mac,omitzero"`
	// Prefix is the prefix of an IP Prefix route, the address of a MAC/IP route
	// as a host prefix, if it has one, or the originator of a multicast route.
	Prefix netip.Prefix `json:"prefix,omitzero"`
	// Gateway is the gateway address of an IP Prefix route that resolves through
	// another route (RFC 9136 section 4.4.1); usually invalid.
	Gateway netip.Addr `json:"gateway,omitzero"`
	// VNI is the first label, VNI2 the second one that a MAC/IP route may have for
	// its VRF; 0 is none.
	VNI  uint32 `json:"vni"`
	VNI2 uint32 `json:"vni2,omitempty"`
	// NextHop is the address of the VTEP.
	NextHop netip.Addr `json:"next_hop"`
	// Targets are the route targets, see object.RouteTargetsOf.
	Targets object.Words `json:"route_targets"`
	// RouterMAC is the Router's MAC extended community; zero is none.
	RouterMAC object.MAC `json:"router_mac,omitzero"`
	// Mobility is the sequence number of the MAC Mobility extended community;
	// Sticky says that the MAC must not move (RFC 7432 section 15.2).
	Mobility object.Metric `json:"mobility,omitzero"`
	Sticky   bool          `json:"sticky,omitempty"`
	// Rank is by what it is compared with others for the same destination.
	Rank Rank `json:"rank"`
	// Peer is the neighbour's address as configured.
	Peer string `json:"peer"`
	// Stale is set while graceful restart keeps the path of a lost session.
	Stale bool `json:"stale,omitempty"`
}

// Rank is what decides between paths for one destination that are different
// NLRIs, and so never met in the speaker: the steps of RFC 4271 section 9.1.2.2
// before the cost of the next hop. Equal ones share the traffic.
type Rank struct {
	// Preference is LOCAL_PREF, 100 if there is none; more is better.
	Preference uint32 `json:"local_pref"`
	// Length is that of AS_PATH; less is better.
	Length int `json:"as_path_length"`
	// Origin is ORIGIN; less is better.
	Origin object.Origin `json:"origin"`
	// MED is MULTI_EXIT_DISC, 0 if there is none; less is better.
	MED uint32 `json:"med"`
	// External says that it came over EBGP, which is better.
	External bool `json:"external"`
}

// Compare is negative if r is the better one.
func (r Rank) Compare(o Rank) int {
	switch {
	case r.Preference != o.Preference:
		return sign(r.Preference > o.Preference)
	case r.Length != o.Length:
		return sign(r.Length < o.Length)
	case r.Origin != o.Origin:
		return sign(r.Origin < o.Origin)
	case r.MED != o.MED:
		return sign(r.MED < o.MED)
	case r.External != o.External:
		return sign(r.External)
	default:
		return 0
	}
}

// sign is negative for what is better.
func sign(better bool) int {
	if better {
		return -1
	}
	return 1
}
