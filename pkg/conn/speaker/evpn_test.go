package speaker

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// drawAddr draws an address of either family that a host may have.
func drawAddr(t *rapid.T, label string) netip.Addr {
	if rapid.Bool().Draw(t, label+" is IPv6") {
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
		b[0] = 0x20
		return netip.AddrFrom16(b)
	}
	b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, label))
	b[0] = 10
	return netip.AddrFrom4(b)
}

// drawAdministered draws a route distinguisher or target, in each of its three types.
func drawAdministered(t *rapid.T) string {
	switch rapid.IntRange(0, 2).Draw(t, "form") {
	case 0:
		return fmt.Sprintf("%d:%d", rapid.Uint16().Draw(t, "AS"), rapid.Uint32().Draw(t, "number"))
	case 1:
		return fmt.Sprintf("%d:%d", rapid.Uint32Min(65536).Draw(t, "AS"), rapid.Uint16().Draw(t, "number"))
	default:
		return fmt.Sprintf("192.0.2.%d:%d", rapid.Byte().Draw(t, "host"), rapid.Uint16().Draw(t, "number"))
	}
}

// drawRoute draws a route with every field that its type has.
func drawRoute(t *rapid.T) EVPNRoute {
	label := rapid.Uint32Range(0, 1<<24-1)
	addr := drawAddr(t, "addr")
	r := EVPNRoute{RD: drawAdministered(t), Tag: rapid.Uint32().Draw(t, "tag")}
	types := rapid.SampledFrom([]object.EVPNType{object.EVPNMacIP, object.EVPNMulticast, object.EVPNPrefix})
	r.Type = types.Draw(t, "type")
	if r.Type == object.EVPNMulticast {
		r.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return r
	}
	r.Segment = [10]byte(rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "segment"))
	r.Label = label.Draw(t, "label")
	if r.Type == object.EVPNMacIP {
		r.MAC = object.MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "mac"))
		r.Label2 = label.Draw(t, "second label")
		if rapid.Bool().Draw(t, "has an address") {
			r.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		return r
	}
	r.Prefix = netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")).Masked()
	if rapid.Bool().Draw(t, "has a gateway") {
		r.Gateway = addr
	}
	return r
}

// Every NLRI comes back from its octets, and no part of it is taken for the whole.
func TestEVPNRouteRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRoute(t)
		wire, err := want.NLRI()
		if err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		if got, err := ParseEVPN(wire); got != want || err != nil {
			t.Fatalf("% x: got %+v, %v, want %+v", wire, got, err, want)
		}
		cut := wire[:rapid.IntRange(0, len(wire)-1).Draw(t, "length")]
		if got, err := ParseEVPN(cut); err == nil {
			t.Fatalf("% x, cut short, reads as %+v", cut, got)
		}
	})
}

// Octets that are no route are refused, and a type that is not supported is distinguished
// from a malformed one.
func TestParseEVPNRefuses(t *testing.T) {
	if _, err := ParseEVPN([]byte{1, 2, 0, 0}); !errors.Is(err, ErrOtherType) {
		t.Errorf("an Ethernet A-D route: got %v, want %v", err, ErrOtherType)
	}
	good, err := EVPNRoute{
		Type: object.EVPNPrefix, RD: "65000:1", Prefix: netip.MustParsePrefix("10.0.0.0/8"), Label: 7,
	}.NLRI()
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]int{"a length of 255 bits": 2 + rdSize + 14, "a distinguisher of type 255": 3} {
		wire := slices.Clone(good)
		wire[at] = 255
		if got, err := ParseEVPN(wire); err == nil || errors.Is(err, ErrOtherType) {
			t.Errorf("%s: got %+v, %v, want it malformed", name, got, err)
		}
	}
	for _, rd := range []string{"", "x", "65000", "65000:x", "::1:7"} {
		if wire, err := (EVPNRoute{Type: object.EVPNPrefix, RD: rd}).NLRI(); err == nil {
			t.Errorf("route distinguisher %q is written as % x", rd, wire)
		}
	}
}

// Every attribute comes back from its octets, also where they need the extended length.
func TestEVPNAttributesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		targets := rapid.SliceOfN(rapid.Custom(drawAdministered), 1, 60).Draw(t, "targets")
		want := EVPNAttributes{
			Origin: object.Origin(rapid.IntRange(0, 2).Draw(t, "origin")), NextHop: drawAddr(t, "next hop"),
			Targets:   object.WordsOf(targets...),
			RouterMAC: object.MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "router MAC")),
			Tunnels:   []bgp.TunnelType{bgp.TUNNEL_TYPE_VXLAN},
		}
		if rapid.Bool().Draw(t, "moved") {
			want.Mobility = object.MetricOf(rapid.Uint32().Draw(t, "sequence"))
		}
		if rapid.Bool().Draw(t, "floods") {
			want.HasFlood, want.Flood = true, rapid.Uint32Range(1, 1<<24-1).Draw(t, "flood label")
			want.FloodType = bgp.PMSI_TUNNEL_TYPE_INGRESS_REPL
		}
		list, err := want.Write([]byte{1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := ReadEVPNAttributes(list)
		if !ok || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %+v, %t, want %+v", got, ok, want)
		}
	})
}

// Paths without a usable next hop are refused.
func TestReadEVPNAttributesRefuses(t *testing.T) {
	reach := func(hop ...byte) []byte {
		value := append([]byte{0, bgp.AFI_L2VPN, bgp.SAFI_EVPN, byte(len(hop))}, hop...)
		return attributeOf(0, bgp.BGP_ATTR_TYPE_MP_REACH_NLRI, value)
	}
	for name, list := range map[string][][]byte{
		"nothing":                 nil,
		"an unspecified next hop": {reach(0, 0, 0, 0)},
		"a next hop of 5 octets":  {reach(192, 0, 2, 1, 7)},
		"an attribute cut short":  {reach(192, 0, 2, 1), {0x40, 1, 5, 0}},
		"an origin of 3":          {reach(192, 0, 2, 1), {0x40, 1, 1, 3}},
	} {
		if got, ok := ReadEVPNAttributes(list); ok {
			t.Errorf("%s reads as %+v", name, got)
		}
	}
	got, ok := ReadEVPNAttributes([][]byte{reach(192, 0, 2, 1)})
	if !ok || got.NextHop != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("got %+v, %t, want the next hop 192.0.2.1", got, ok)
	}
}

// An attribute is split as it was joined, on either side of the length of 255 octets
// from which on two octets hold it.
func TestAttributeRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 255, 256, 4000} {
		want := bytes.Repeat([]byte{7}, size)
		raw := attributeOf(bgp.BGP_ATTR_FLAG_OPTIONAL, bgp.BGP_ATTR_TYPE_COMMUNITIES, want)
		kind, value, ok := Attribute(raw)
		if kind != bgp.BGP_ATTR_TYPE_COMMUNITIES || !bytes.Equal(value, want) || !ok {
			t.Errorf("%d octets: got type %d, %d octets, %t", size, kind, len(value), ok)
		}
		if _, _, ok := Attribute(raw[:len(raw)-1]); ok {
			t.Errorf("%d octets: one cut short is taken for whole", size)
		}
	}
}

// An Ethernet segment is printed as ten octets; the reserved zero one is none.
func TestSegmentText(t *testing.T) {
	r := EVPNRoute{Segment: [10]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 0xff}}
	if got := r.SegmentText(); got != "00:01:02:03:04:05:06:07:08:ff" {
		t.Errorf("got %q", got)
	}
	if got := (EVPNRoute{}).SegmentText(); got != "" {
		t.Errorf("got %q for no segment", got)
	}
}
