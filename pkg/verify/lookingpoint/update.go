package lookingpoint

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// maxASPath bounds the numbers that are kept of one AS_PATH.
const maxASPath = 255

// apply calls fn with each path of an UPDATE, unicast or EVPN, and with each that is
// withdrawn.
func apply(u *bgp.BGPUpdate, fn func(h verify.Held, alive bool)) {
	gone := func(list []bgp.PathNLRI) {
		for _, n := range list {
			if key, _, ok := nlriOf(n.NLRI); ok {
				fn(verify.Held{NLRI: key, ID: n.ID}, false)
			}
		}
	}
	gone(u.WithdrawnRoutes)
	common := verify.Held{Origin: object.OriginIncomplete}
	for _, a := range u.PathAttributes {
		read(&common, a)
	}
	here := func(list []bgp.PathNLRI, hop netip.Addr) {
		var tunnel *tunnelAttributes // read once for all EVPN routes of the message
		for _, n := range list {
			key, route, ok := nlriOf(n.NLRI)
			if !ok {
				continue
			}
			h := common
			h.NLRI, h.ID, h.NextHop = key, n.ID, hop
			if !verify.IsUnicast(key) {
				if tunnel == nil {
					tunnel = readTunnel(u.PathAttributes)
				}
				h.Overlay = tunnel.of(route)
			}
			fn(h, true)
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

// nlriOf is the key of a route. It is not ok for what no path of ours can be: a route type
// that is none of ours, an Ethernet tag, or octets that are not the one way to write it. So
// two routes never have one key.
func nlriOf(n bgp.NLRI) (key verify.NLRI, route speaker.EVPNRoute, ok bool) {
	switch n := n.(type) {
	case *bgp.IPAddrPrefix:
		return verify.Unicast(n.Prefix), route, n.Prefix.IsValid()
	case *bgp.EVPNNLRI:
		wire, err := n.Serialize()
		if err == nil {
			route, err = speaker.ParseEVPN(wire)
		}
		if err != nil || route.Tag != 0 {
			return key, route, false
		}
		again, err := route.NLRI()
		path := object.EVPNPath{Type: route.Type, RD: route.RD, MAC: route.MAC, Prefix: route.Prefix}
		return path.Key(), route, err == nil && bytes.Equal(again, wire)
	}
	return key, route, false
}

// tunnelAttributes are those of an UPDATE that EVPN routes have in common.
type tunnelAttributes struct{ speaker.EVPNAttributes }

func readTunnel(list []bgp.PathAttributeInterface) *tunnelAttributes {
	var octets [][]byte
	for _, a := range list {
		switch a.(type) {
		case *bgp.PathAttributeExtendedCommunities, *bgp.PathAttributePmsiTunnel:
			if raw, err := a.Serialize(); err == nil { // what cannot be written is missing, and so told
				octets = append(octets, raw)
			}
		}
	}
	a, _ := speaker.ReadEVPNAttributes(octets)
	return &tunnelAttributes{a}
}

// of is what the attributes mean for a route.
func (t *tunnelAttributes) of(r speaker.EVPNRoute) verify.Overlay {
	o := verify.Overlay{VNI: r.Label, Targets: t.Targets, RouterMAC: t.RouterMAC}
	if slices.Contains(t.Tunnels, bgp.TUNNEL_TYPE_VXLAN) {
		o.Encapsulation = verify.VXLAN
	} else if len(t.Tunnels) > 0 {
		o.Encapsulation = t.Tunnels[0].String()
	}
	if r.Type == object.EVPNMulticast {
		o.VNI = t.Flood
	}
	return o
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
