package lookingpoint

import (
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// maxASPath bounds the numbers that are kept of one AS_PATH.
const maxASPath = 255

// apply calls fn with each unicast path of an UPDATE, and with each that is withdrawn.
func apply(u *bgp.BGPUpdate, fn func(h verify.Held, alive bool)) {
	gone := func(list []bgp.PathNLRI) {
		for _, n := range list {
			if p, ok := prefixOf(n); ok {
				fn(verify.Held{Prefix: p, ID: n.ID}, false)
			}
		}
	}
	gone(u.WithdrawnRoutes)
	common := verify.Held{Origin: object.OriginIncomplete}
	for _, a := range u.PathAttributes {
		read(&common, a)
	}
	here := func(list []bgp.PathNLRI, hop netip.Addr) {
		for _, n := range list {
			if p, ok := prefixOf(n); ok {
				h := common
				h.Prefix, h.ID, h.NextHop = p, n.ID, hop
				fn(h, true)
			}
		}
	}
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeMpUnreachNLRI:
			gone(a.Value)
		case *bgp.PathAttributeMpReachNLRI:
			hop := a.Nexthop
			if !hop.IsValid() {
				hop = a.LinkLocalNexthop
			}
			here(a.Value, hop.Unmap())
		}
	}
	here(u.NLRI, common.NextHop)
}

// prefixOf is the prefix of a unicast route.
func prefixOf(n bgp.PathNLRI) (netip.Prefix, bool) {
	p, ok := n.NLRI.(*bgp.IPAddrPrefix)
	if !ok || !p.Prefix.IsValid() {
		return netip.Prefix{}, false
	}
	return p.Prefix.Masked(), true
}

// read takes one attribute into a path.
func read(h *verify.Held, attr bgp.PathAttributeInterface) {
	switch a := attr.(type) {
	case *bgp.PathAttributeOrigin:
		h.Origin = object.Origin(a.Value)
	case *bgp.PathAttributeAsPath:
		for _, segment := range a.Value {
			list := segment.GetAS()
			h.ASPath = append(h.ASPath, list[:min(len(list), maxASPath-len(h.ASPath))]...)
		}
	case *bgp.PathAttributeNextHop:
		h.NextHop = a.Value.Unmap()
	case *bgp.PathAttributeMultiExitDisc:
		h.MED = object.MetricOf(a.Value)
	case *bgp.PathAttributeLocalPref:
		h.LocalPref = object.MetricOf(a.Value)
	case *bgp.PathAttributeOriginatorId:
		h.Originator = a.Value
	case *bgp.PathAttributeCommunities:
		words := make([]string, len(a.Value))
		for i, c := range a.Value {
			words[i] = fmt.Sprintf("%d:%d", c>>16, c&0xffff)
		}
		h.Communities = object.WordsOf(words...)
	case *bgp.PathAttributeLargeCommunities:
		words := make([]string, len(a.Values))
		for i, c := range a.Values {
			words[i] = fmt.Sprintf("%d:%d:%d", c.ASN, c.LocalData1, c.LocalData2)
		}
		h.LargeCommunities = object.WordsOf(words...)
	}
}
