package object

import (
	"fmt"
	"net/netip"
	"strings"
)

// EVPNType is the route type of an EVPN NLRI (RFC 7432 section 7).
type EVPNType uint8

// The route types that are made and understood.
const (
	EVPNMacIP     EVPNType = 2 // MAC/IP Advertisement (RFC 7432 section 7.2)
	EVPNMulticast EVPNType = 3 // Inclusive Multicast Ethernet Tag (RFC 7432 section 7.3)
	EVPNPrefix    EVPNType = 5 // IP Prefix (RFC 9136 section 3)
)

// String is type-2 and so on.
func (t EVPNType) String() string { return fmt.Sprintf("type-%d", uint8(t)) }

// KindEVPN is an EVPN path that originates here.
const KindEVPN Kind = 14

var evpnKind = kindOf[EVPNPath](traits{
	kind: KindEVPN, name: "evpn", key: evpnKey, readKey: readEVPNKey, parse: parseEVPNPath,
	path: true, marked: true, coexists: true, listed: true,
	oneHost: func(k Key) bool {
		return EVPNType(k.Num) == EVPNMacIP || EVPNType(k.Num) == EVPNPrefix && k.Prefix.IsSingleIP()
	},
})

// EVPNPath is one EVPN path that originates in our speaker, with VXLAN as the
// encapsulation (RFC 8365), Ethernet tag 0, no Ethernet segment and no gateway
// address.
type EVPNPath struct {
	// Type is the route type.
	Type EVPNType `json:"type"`
	// RD is the route distinguisher in the form of ParseRD.
	RD string `json:"rd"`
	// MAC is that of a MAC/IP route; zero otherwise.
	MAC MAC `json:"mac,omitzero"`
	// Prefix is the prefix of an IP Prefix route, the address (a host prefix) of
	// a MAC/IP route, which may lack one, or the originator of a multicast route.
	Prefix netip.Prefix `json:"prefix,omitzero"`
	// VNI stands in the label field (RFC 8365 section 5.1.3).
	VNI uint32 `json:"vni"`
	// NextHop is the address of our VTEP.
	NextHop netip.Addr `json:"next_hop"`
	// Targets are the route targets, see RouteTargetsOf.
	Targets Words `json:"route_targets"`
	// RouterMAC is the Router's MAC extended community (RFC 9135 section 8.1);
	// zero is none.
	RouterMAC MAC `json:"router_mac,omitzero"`
	// Mobility is the sequence number of the MAC Mobility extended community
	// (RFC 7432 section 7.7).
	Mobility Metric `json:"mobility,omitzero"`
	// Origin is ORIGIN (RFC 4271 section 5.1.1).
	Origin Origin `json:"origin"`
	// MED is MULTI_EXIT_DISC (RFC 4271 section 5.1.4).
	MED Metric `json:"med,omitzero"`
	// Communities, LocalPref and Prepend are those of Path.
	Communities Words   `json:"communities,omitzero"`
	LocalPref   Metric  `json:"local_pref,omitzero"`
	Prepend     Prepend `json:"prepend,omitzero"`
}

// Lowered is the path as a last resort, like that of [Path].
func (p EVPNPath) Lowered(by LastResort) Value {
	by.lower(&p.Communities, &p.LocalPref, &p.Prepend)
	return p
}

// Key is the NLRI: route type, route distinguisher, MAC and prefix.
func (p EVPNPath) Key() Key {
	k := Key{Kind: KindEVPN, Name: p.RD, Num: uint32(p.Type), Prefix: p.Prefix}
	if p.Type == EVPNMacIP {
		k.Sub = p.MAC.String()
	}
	return k
}

func evpnKey(k Key) string {
	words := []string{EVPNType(k.Num).String()}
	if k.Sub != "" {
		words = append(words, k.Sub)
	}
	switch {
	case !k.Prefix.IsValid():
	case EVPNType(k.Num) == EVPNPrefix:
		words = append(words, k.Prefix.String())
	default:
		words = append(words, k.Prefix.Addr().String())
	}
	return strings.Join(append(words, "rd", k.Name), " ")
}

func readEVPNKey(f *fields) Key {
	var k Key
	switch f.oneOf(EVPNMacIP.String(), EVPNMulticast.String(), EVPNPrefix.String()) {
	case EVPNPrefix.String():
		k.Num, k.Prefix = uint32(EVPNPrefix), f.prefix()
	case EVPNMulticast.String():
		k.Num, k.Prefix = uint32(EVPNMulticast), f.host()
	case EVPNMacIP.String():
		k.Num, k.Sub = uint32(EVPNMacIP), f.mac().String()
		if f.more() && f.words[0] != "rd" {
			k.Prefix = f.host()
		}
	}
	k.Name = f.wordAfter("rd")
	return k
}

// Attrs prints next hop, VNI, route targets and what else there is.
func (p EVPNPath) Attrs() string {
	text := fmt.Sprintf("next-hop %s vni %d rt %s", p.NextHop, p.VNI, p.Targets)
	if !p.RouterMAC.IsZero() {
		text += " router-mac " + p.RouterMAC.String()
	}
	if p.Mobility.Set {
		text += " mobility " + p.Mobility.String()
	}
	text += " origin " + p.Origin.String()
	if !p.Communities.Empty() {
		text += " communities " + p.Communities.String()
	}
	if p.MED.Set {
		text += " med " + p.MED.String()
	}
	if p.LocalPref.Set {
		text += " local-pref " + p.LocalPref.String()
	}
	if p.Prepend.Times > 0 {
		text += " prepend " + p.Prepend.String()
	}
	return text
}

// DependsOn is empty: what a path stands on is up to the driver.
func (p EVPNPath) DependsOn() []Key { return nil }

func parseEVPNPath(f *fields) (Value, error) {
	var p EVPNPath
	switch f.oneOf(EVPNMacIP.String(), EVPNMulticast.String(), EVPNPrefix.String()) {
	case EVPNPrefix.String():
		p.Type, p.Prefix = EVPNPrefix, f.prefix()
	case EVPNMulticast.String():
		p.Type, p.Prefix = EVPNMulticast, f.host()
	case EVPNMacIP.String():
		p.Type, p.MAC = EVPNMacIP, f.mac()
		if f.more() && f.words[0] != "rd" {
			p.Prefix = f.host()
		}
	}
	p.RD = f.wordAfter("rd")
	f.literal("next-hop")
	p.NextHop = f.addr()
	p.VNI = f.uint32After("vni")
	f.literal("rt")
	p.Targets = f.checked(RouteTargetsOf)
	for f.more() {
		switch w := f.word(); w {
		case "router-mac":
			p.RouterMAC = f.mac()
		case "mobility":
			p.Mobility = MetricOf(uint32(f.number(32)))
		case "origin":
			p.Origin = f.origin()
		case "communities":
			p.Communities = f.checked(CommunitiesOf)
		case "med":
			p.MED = MetricOf(uint32(f.number(32)))
		case "local-pref":
			p.LocalPref = MetricOf(uint32(f.number(32)))
		case "prepend":
			p.Prepend = f.prepend()
		default:
			return nil, f.unknown(w)
		}
	}
	return p, f.err
}
