package speaker

import (
	"net/netip"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Unspecified is the unspecified address of the family, which GoBGP replaces by our own address
// as next hop.
func Unspecified(f object.Family) netip.Addr {
	if f == object.IPv4Unicast {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// FamilyToAPI is the family as GoBGP's messages about peers and policies name it.
func FamilyToAPI(f object.Family) *api.Family {
	wire := WireFamily(f)
	return &api.Family{Afi: api.Family_Afi(wire.Afi()), Safi: api.Family_Safi(wire.Safi())}
}

// FamilyFromAPI is the inverse of FamilyToAPI; not ok for a family that is not
// spoken here.
func FamilyFromAPI(f *api.Family) (object.Family, bool) {
	return FamilyOf(bgp.NewFamily(uint16(f.GetAfi()), uint8(f.GetSafi())))
}

// WireFamily is the family by its numbers (RFC 4760), as paths have it.
func WireFamily(f object.Family) bgp.Family {
	switch f {
	case object.IPv4Unicast:
		return bgp.RF_IPv4_UC
	case object.L2VPNEVPN:
		return bgp.RF_EVPN
	}
	return bgp.RF_IPv6_UC
}

// FamilyOf is the inverse of WireFamily; not ok for a family that is not spoken here.
func FamilyOf(f bgp.Family) (object.Family, bool) {
	switch f {
	case bgp.RF_IPv4_UC:
		return object.IPv4Unicast, true
	case bgp.RF_IPv6_UC:
		return object.IPv6Unicast, true
	case bgp.RF_EVPN:
		return object.L2VPNEVPN, true
	}
	return 0, false
}
