package speaker

import (
	"context"
	"net/netip"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// LocalSource is how GoBGP prints the neighbour of a path that has none.
const LocalSource = "<nil>"

// Whole turns an ended context into an error: GoBGP's listings then stop in the
// middle and report success.
func Whole(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	return ctx.Err()
}

// NLRI is a prefix on the wire: its length in bits, then as many octets as
// hold them.
func NLRI(p netip.Prefix) []byte {
	addr := p.Addr().AsSlice()
	return append([]byte{uint8(p.Bits())}, addr[:(p.Bits()+7)/8]...)
}

// PrefixOf is the inverse of NLRI.
func PrefixOf(family object.Family, wire []byte) (netip.Prefix, bool) {
	if len(wire) == 0 {
		return netip.Prefix{}, false
	}
	full := Unspecified(family).AsSlice()
	copy(full, wire[1:])
	addr, _ := netip.AddrFromSlice(full)
	prefix := netip.PrefixFrom(addr, int(wire[0]))
	return prefix, prefix.IsValid()
}

// Unspecified is the unspecified address of the family, which GoBGP replaces by our own address
// as next hop.
func Unspecified(f object.Family) netip.Addr {
	if f == object.IPv4Unicast {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// FamilyToAPI is the family as GoBGP names it.
func FamilyToAPI(f object.Family) *api.Family {
	switch f {
	case object.IPv4Unicast:
		return &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}
	case object.L2VPNEVPN:
		return &api.Family{Afi: api.Family_AFI_L2VPN, Safi: api.Family_SAFI_EVPN}
	}
	return &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}
}

// FamilyFromAPI is the inverse of FamilyToAPI; not ok for a family that is not
// spoken here.
func FamilyFromAPI(f *api.Family) (object.Family, bool) {
	switch {
	case f.GetAfi() == api.Family_AFI_L2VPN && f.GetSafi() == api.Family_SAFI_EVPN:
		return object.L2VPNEVPN, true
	case f.GetSafi() != api.Family_SAFI_UNICAST:
		return 0, false
	case f.GetAfi() == api.Family_AFI_IP:
		return object.IPv4Unicast, true
	case f.GetAfi() == api.Family_AFI_IP6:
		return object.IPv6Unicast, true
	}
	return 0, false
}
