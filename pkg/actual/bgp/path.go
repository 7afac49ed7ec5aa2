package bgp

import (
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// attrs is what paths have in common: everything but the prefix.
type attrs struct {
	origin             object.Origin
	hop                netip.Addr
	communities, large object.Words
	med, localPref     object.Metric
	prepend            object.Prepend
}

// encoder turns paths into GoBGP's values. It remembers the attributes of IPv4 paths:
// on a node with 100,000 addresses they are all the same. GoBGP shares attributes
// between paths too, and replaces them where it changes a path.
type encoder struct {
	encoded map[attrs][]bgp.PathAttributeInterface
}

// unicast is the path as GoBGP takes it.
func (e *encoder) unicast(p object.Path) (*apiutil.Path, error) {
	if err := validatePath(p); err != nil {
		return nil, err
	}
	nlri, err := bgp.NewIPAddrPrefix(p.Prefix)
	if err != nil {
		return nil, fmt.Errorf("encode the prefix: %w", err)
	}
	list, err := e.attributes(p, nlri)
	if err != nil {
		return nil, fmt.Errorf("encode the attributes: %w", err)
	}
	return &apiutil.Path{Family: speaker.WireFamily(p.Family), Nlri: nlri, Attrs: list, RemoteID: speaker.PathMark}, nil
}

// encode is any path as GoBGP takes it.
func (e *encoder) encode(v object.Value) (*apiutil.Path, error) {
	if p, ok := v.(object.EVPNPath); ok {
		return encodeEVPN(p)
	}
	return e.unicast(v.(object.Path))
}

// decode is the inverse of unicast. It is not clean if there is more to the path than
// that writes.
func decode(p *apiutil.Path) (path object.Path, clean bool) {
	family, prefix, ok := speaker.PrefixOf(p)
	if !ok {
		return path, false
	}
	path, clean = object.Path{Family: family, Prefix: prefix}, true
	for _, attr := range p.Attrs {
		clean = readAttribute(&path, attr) && clean
	}
	return path, clean
}

// validatePath refuses what GoBGP would accept and announce wrongly.
func validatePath(p object.Path) error {
	hop := p.NextHop.Addr
	switch {
	case !p.Prefix.IsValid() || p.Prefix.Masked() != p.Prefix:
		return fmt.Errorf("%s is not a prefix", p.Prefix)
	case object.FamilyOf(p.Prefix.Addr()) != p.Family:
		return fmt.Errorf("prefix %s is not %s", p.Prefix, p.Family)
	case validatePrepend(p.Prepend) != nil:
		return validatePrepend(p.Prepend)
	case p.Origin > object.OriginIncomplete:
		return fmt.Errorf("origin %d is unknown", p.Origin)
	case !hop.IsValid():
		return validateAttributes(p)
	case hop.IsUnspecified():
		return fmt.Errorf("next hop %s: leave it out to announce ourselves", hop)
	case hop.Zone() != "" || hop.Is4In6():
		return fmt.Errorf("next hop %s cannot be announced", hop)
	case hop.Is4() && p.Family == object.IPv6Unicast:
		return fmt.Errorf("next hop %s cannot carry %s", hop, p.Prefix)
	}
	return validateAttributes(p)
}

// validatePrepend refuses what would not come back as it was written.
func validatePrepend(p object.Prepend) error {
	if p != (object.Prepend{}) && (p.AS == 0 || p.Times == 0 || p.Times > object.MostPrepended) {
		return fmt.Errorf("prepend AS %d %d times: use 1 to %d times", p.AS, p.Times, object.MostPrepended)
	}
	return nil
}

// attributes lists the path attributes.
func (e *encoder) attributes(p object.Path, nlri bgp.NLRI) ([]bgp.PathAttributeInterface, error) {
	set := attrs{p.Origin, p.NextHop.Addr, p.Communities, p.LargeCommunities, p.MED, p.LocalPref, p.Prepend}
	if !set.hop.IsValid() {
		// GoBGP replaces an unspecified next hop by the local address of each
		// session, on IBGP sessions too.
		set.hop = speaker.Unspecified(p.Family)
	}
	if list, ok := e.encoded[set]; ok {
		return list, nil
	}
	list, err := set.common()
	if err != nil {
		return nil, err
	}
	if set.hop.Is6() {
		// MP_REACH_NLRI (RFC 4760 section 3), which IPv4 prefixes need too when their
		// next hop is an IPv6 address (RFC 8950). The prefix is part of it: this list
		// serves no other path.
		reach, err := bgp.NewPathAttributeMpReachNLRI(speaker.WireFamily(p.Family), []bgp.PathNLRI{{NLRI: nlri}}, set.hop)
		return append(list, reach), err
	}
	hop, err := bgp.NewPathAttributeNextHop(set.hop)
	if err != nil {
		return nil, err
	}
	if e.encoded == nil {
		e.encoded = make(map[attrs][]bgp.PathAttributeInterface)
	}
	e.encoded[set] = append(list, hop)
	return e.encoded[set], nil
}

// readAttribute puts one attribute into the path. It is false for one that
// unicast does not write.
func readAttribute(path *object.Path, attr bgp.PathAttributeInterface) bool {
	var hop netip.Addr
	switch a := attr.(type) {
	case *bgp.PathAttributeOrigin:
		path.Origin = object.Origin(a.Value)
		return true
	case *bgp.PathAttributeNextHop:
		hop = a.Value
	case *bgp.PathAttributeMpReachNLRI:
		hop = a.Nexthop
	default:
		return readOptional(path, attr)
	}
	// Unspecified means ourselves, which is no next hop in a desired path.
	if !hop.IsUnspecified() {
		path.NextHop.Addr = hop
	}
	return hop.IsValid()
}
