package control

import (
	"encoding/json"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// EVPN is the answer to which VNIs a node has.
type EVPN struct {
	Version int   `json:"version"`
	VNIs    []VNI `json:"vnis"`
}

// VNI is what a node wants of one VXLAN network identifier, and what is missing
// of it.
type VNI struct {
	VNI    uint32 `json:"vni"`
	VXLAN  string `json:"vxlan"`
	Bridge string `json:"bridge"`
	// VRF and Table are those of an L3VNI; empty and 0 for a stretched network.
	VRF   string `json:"vrf,omitempty"`
	Table uint32 `json:"table,omitempty"`
	// VTEP is our own address, RouterMAC that of the bridge in a VRF.
	VTEP      string `json:"vtep"`
	RouterMAC string `json:"router_mac,omitempty"`
	// RDs and Targets are those of what is announced, Imports the targets of what is
	// taken in.
	RDs     []string `json:"rds"`
	Targets []string `json:"route_targets"`
	Imports []string `json:"import_targets"`
	// Legs are the devices that lead to provider bridges.
	Legs []Leg `json:"legs"`
	// Announced are our paths, Local the local routes of the VRF, Remote those that lead
	// to other VTEPs.
	Announced []EVPNRoute `json:"announced"`
	Local     []VNIRoute  `json:"local"`
	Remote    []VNIRoute  `json:"remote"`
	// VTEPs are the others; Stations are MAC addresses of a stretched network and where
	// they are.
	VTEPs    []VTEP    `json:"vteps"`
	Stations []Station `json:"stations"`
	// Unused are rows and routes of the VNI that could not be used, with the reason.
	Unused []Skipped `json:"unused"`
	// Missing are objects that differ from the desired state, with the reason.
	Missing []Missing `json:"missing"`
}

// Leg is a device that leads to a provider bridge.
type Leg struct {
	Device string `json:"device"`
	// Peer is the other end of a veth; empty for a device of another type.
	Peer string `json:"peer,omitempty"`
	// Bridge is the bridge of Open vSwitch of which one of both is a port, Tag its VLAN and
	// Port its OpenFlow port number; 0 where it has none, or none is known.
	Bridge string `json:"bridge,omitempty"`
	Tag    uint16 `json:"tag,omitempty"`
	Port   uint16 `json:"ofport,omitempty"`
	// Line is all of that for people.
	Line string `json:"line"`
}

// EVPNRoute is an EVPN route that is announced.
type EVPNRoute struct {
	// Path are the fields of the path, as in the objects of desired.
	Path json.RawMessage `json:"path"`
	// Line is its NLRI for people.
	Line string `json:"line"`
}

// VNIRoute is a route in the VRF of a VNI.
type VNIRoute struct {
	Destination netip.Prefix `json:"destination"`
	// Unreachable says that what goes there is refused.
	Unreachable bool      `json:"unreachable,omitempty"`
	NextHops    []NextHop `json:"next_hops"`
	// Line is all of that for people.
	Line string `json:"line"`
}

// NextHop is one way that a route has.
type NextHop struct {
	// Address is that of the next router; null where the destination is on the link.
	Address *netip.Addr `json:"address"`
	Device  string      `json:"device"`
}

// VTEP is another tunnel end point of a VNI.
type VTEP struct {
	Address netip.Addr `json:"address"`
	// RouterMAC is the one that routes through it are sent to; empty for a flooding entry,
	// to which frames for unknown and for many stations are copied.
	RouterMAC string `json:"router_mac,omitempty"`
	// Routes is how many of the VRF's lead there.
	Routes int `json:"routes"`
	// Line is all of that for people.
	Line string `json:"line"`
}

// Station is a MAC address of a stretched network, and one thing that is known of it.
type Station struct {
	MAC string `json:"mac"`
	// Address is an IP address that it has, VTEP the one behind which it is; with neither
	// it is on this node.
	Address *netip.Addr `json:"address"`
	VTEP    *netip.Addr `json:"vtep"`
	// Line is all of that for people.
	Line string `json:"line"`
}

// Missing is an object that is not as a VNI needs it.
type Missing struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Verb is what a step will do about it; empty where Code and Text say why none will.
	Verb string `json:"verb,omitempty"`
	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
	// Line is all of that for people.
	Line string `json:"line"`
}

// VNIOf is what a round has of a VNI as an answer, in which no list is null. An error
// means that a value cannot be encoded, which only a mistake in its type can cause.
func VNIOf(v reconcile.VNI) (VNI, error) {
	out := VNI{
		VNI: v.VNI, VXLAN: v.VXLAN, Bridge: v.Bridge, VRF: v.VRF, Table: v.Table, VTEP: v.VTEP.String(),
		RouterMAC: macText(v.RouterMAC),
		RDs:       append([]string{}, v.RDs...), Targets: append([]string{}, v.Targets...),
		Imports: append([]string{}, v.Imports...), Legs: each(v.Legs, legOf), Announced: []EVPNRoute{},
		Local: each(v.Local, routeOf), Remote: each(v.Remote, routeOf), VTEPs: each(v.VTEPs, vtepOf),
		Stations: each(v.Stations, stationOf), Unused: each(v.Unused, skippedOf), Missing: each(v.Missing, missingOf),
	}
	for _, p := range v.Announced {
		raw, err := valueJSON(p)
		if err != nil {
			return out, err
		}
		out.Announced = append(out.Announced, EVPNRoute{Path: raw, Line: p.Key().String()})
	}
	return out, nil
}

// each is a list of which no element is left out; an empty one is no null in JSON.
func each[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

func legOf(l reconcile.Leg) Leg {
	return Leg{
		Device: l.Dev, Peer: l.Peer, Bridge: l.Port.Bridge, Tag: l.Port.Tag, Port: l.Port.Number, Line: l.String(),
	}
}

func routeOf(r object.Route) VNIRoute {
	out := VNIRoute{
		Destination: r.Dst, Unreachable: r.Unreachable, NextHops: []NextHop{}, Line: r.Dst.String() + " " + r.Attrs(),
	}
	if r.Unreachable {
		return out
	}
	for _, h := range r.NextHops() {
		out.NextHops = append(out.NextHops, NextHop{Address: known(h.Via), Device: h.Dev})
	}
	return out
}

func vtepOf(v reconcile.VTEP) VTEP {
	return VTEP{Address: v.Addr, RouterMAC: macText(v.RouterMAC), Routes: v.Routes, Line: v.String()}
}

func stationOf(s reconcile.Station) Station {
	return Station{MAC: s.MAC.String(), Address: known(s.Addr), VTEP: known(s.VTEP), Line: s.String()}
}

func missingOf(m reconcile.Missing) Missing {
	return Missing{
		Kind: m.Key.Kind.String(), Key: m.Key.String(), Verb: m.Verb, Code: m.Block.Code, Text: m.Block.Text,
		Line: m.String(),
	}
}

// known is an address; nil if there is none.
func known(a netip.Addr) *netip.Addr {
	if !a.IsValid() {
		return nil
	}
	return &a
}

func macText(m object.MAC) string {
	if m.IsZero() {
		return ""
	}
	return m.String()
}
