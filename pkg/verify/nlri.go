package verify

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// NLRI is what a path is for, in the form that paths of ours are told apart by: family and
// prefix of a unicast path; route type, route distinguisher and MAC or prefix of an EVPN one
// with Ethernet tag 0 (RFC 7432 section 7, RFC 9136 section 3.1). Other fields of an EVPN
// route, such as its label, are no part of its identity. It is comparable.
type NLRI = object.Key

// Unicast is the NLRI of a prefix.
func Unicast(p netip.Prefix) NLRI { return object.NewPath(p, object.OriginIncomplete).Key() }

// IsUnicast reports whether it is the NLRI of a prefix.
func IsUnicast(n NLRI) bool { return n.Kind == object.KindPath }

// Text is how an NLRI is printed: a prefix, or an EVPN route by its type.
func Text(n NLRI) string {
	if IsUnicast(n) {
		return n.Prefix.String()
	}
	return n.String()
}

// Overlay are the attributes of an EVPN path that say into which tenant a packet goes, and
// how (RFC 8365 section 5.1, RFC 9135 section 8.1).
type Overlay struct {
	// VNI stands in the label of the route or, for a multicast one, of its tunnel.
	VNI uint32
	// Unlabelled says that whoever tells of the path leaves the label out: what it is remains
	// unknown.
	Unlabelled bool
	// Targets are the route targets.
	Targets object.Words
	// RouterMAC is zero where there is none.
	RouterMAC object.MAC
	// Encapsulation is what the path offers; empty leaves it to who receives it, and some
	// routers pass on no more than that.
	Encapsulation string
}

// VXLAN is the encapsulation that paths of ours offer.
const VXLAN = "vxlan"

// Sort puts NLRI in order: those of prefixes first.
func Sort(list []NLRI) { slices.SortFunc(list, NLRI.Compare) }

// CoversAny reports whether an NLRI is one of a sorted list, or a prefix that contains one.
func CoversAny(sorted []NLRI, n NLRI) (exact, covers bool) {
	i, exact := slices.BinarySearchFunc(sorted, n, NLRI.Compare)
	if exact {
		return true, true
	}
	if !IsUnicast(n) || i == len(sorted) || !IsUnicast(sorted[i]) {
		return false, false
	}
	// What a prefix contains follows it, in this order, before anything else does.
	return false, n.Prefix.Bits() < sorted[i].Prefix.Bits() && n.Prefix.Contains(sorted[i].Prefix.Addr())
}
