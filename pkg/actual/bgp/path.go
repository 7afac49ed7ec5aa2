package bgp

import (
	"fmt"
	"net"
	"net/netip"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// attrs is what paths have in common: everything but the prefix.
type attrs struct {
	origin             object.Origin
	hop                netip.Addr
	communities, large object.Words
	med, localPref     object.Metric
}

// encoder turns paths into GoBGP's binary form. It remembers the attributes of
// IPv4 paths: on a node with 100,000 addresses they are all the same.
type encoder struct{ encoded map[attrs][][]byte }

// toAPI is the path as GoBGP takes it, with NLRI and attributes as on the wire
// (RFC 4271 section 4.3): no protobuf Any, which costs more than the path.
func (e *encoder) toAPI(p object.Path) (*api.Path, error) {
	if err := validatePath(p); err != nil {
		return nil, err
	}
	pattrs, err := e.attributes(p)
	if err != nil {
		return nil, fmt.Errorf("encode the attributes: %w", err)
	}
	return &api.Path{
		Family: speaker.FamilyToAPI(p.Family), NlriBinary: speaker.NLRI(p.Prefix), PattrsBinary: pattrs,
		Identifier: speaker.PathMark,
	}, nil
}

// encode is any path as GoBGP takes it.
func (e *encoder) encode(v object.Value) (*api.Path, error) {
	if p, ok := v.(object.EVPNPath); ok {
		return evpnToAPI(p)
	}
	return e.toAPI(v.(object.Path))
}

// pathFromAPI is the inverse of toAPI for unicast. It is not clean if there is
// more to the path than toAPI writes.
func pathFromAPI(p *api.Path) (path object.Path, clean bool) {
	family, ok := speaker.FamilyFromAPI(p.Family)
	if !ok {
		return path, false
	}
	prefix, ok := speaker.PrefixOf(family, p.NlriBinary)
	if !ok {
		return path, false
	}
	path, clean = object.Path{Family: family, Prefix: prefix}, true
	for _, raw := range p.PattrsBinary {
		clean = readAttribute(&path, raw) && clean
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

// attributes lists the path attributes. The next hop comes last because GoBGP
// puts it there: what is listed later has the same order.
func (e *encoder) attributes(p object.Path) ([][]byte, error) {
	set := attrs{p.Origin, p.NextHop.Addr, p.Communities, p.LargeCommunities, p.MED, p.LocalPref}
	if !set.hop.IsValid() {
		// GoBGP replaces an unspecified next hop by the local address of each
		// session, on IBGP sessions too.
		set.hop = speaker.Unspecified(p.Family)
	}
	if set.hop.Is6() {
		list, err := set.common()
		if err != nil {
			return nil, err
		}
		// The prefix is part of MP_REACH_NLRI: these octets serve no other path.
		return serialize(append(list, mpReach(p.Prefix, set.hop))...)
	}
	if encoded, ok := e.encoded[set]; ok {
		return encoded, nil
	}
	list, err := set.common()
	if err != nil {
		return nil, err
	}
	wire, err := serialize(append(list, bgp.NewPathAttributeNextHop(set.hop.String()))...)
	if err != nil {
		return nil, err
	}
	if e.encoded == nil {
		e.encoded = make(map[attrs][][]byte)
	}
	e.encoded[set] = wire
	return wire, nil
}

// mpReach is MP_REACH_NLRI (RFC 4760 section 3), which IPv4 prefixes need too
// when their next hop is an IPv6 address (RFC 8950).
func mpReach(prefix netip.Prefix, hop netip.Addr) bgp.PathAttributeInterface {
	var n bgp.AddrPrefixInterface = bgp.NewIPAddrPrefix(uint8(prefix.Bits()), prefix.Addr().String())
	if prefix.Addr().Is6() {
		n = bgp.NewIPv6AddrPrefix(uint8(prefix.Bits()), prefix.Addr().String())
	}
	return bgp.NewPathAttributeMpReachNLRI(hop.String(), []bgp.AddrPrefixInterface{n})
}

// readAttribute puts one attribute into the path. It is false for one that
// toAPI does not write.
func readAttribute(path *object.Path, raw []byte) bool {
	attr, err := bgp.GetPathAttribute(raw)
	if err != nil || attr.DecodeFromBytes(raw) != nil {
		return false
	}
	var hop net.IP
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
	addr, ok := netip.AddrFromSlice(hop)
	if ok && !addr.IsUnspecified() {
		path.NextHop.Addr = addr
	}
	return ok
}

// serialize is each attribute by itself, which is how GoBGP takes and lists them.
func serialize(list ...bgp.PathAttributeInterface) ([][]byte, error) {
	out := make([][]byte, len(list))
	for i, attr := range list {
		var err error
		if out[i], err = attr.Serialize(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
