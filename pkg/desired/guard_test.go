package desired_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// livesOn is a node with a management device, through which it has its default route
// and the Southbound database, a fabric device with a neighbour, and a provider
// bridge with an address of its own.
func livesOn() observe.Snapshot {
	addr := func(dev, text string) observe.DeviceAddress {
		p := netip.MustParsePrefix(text)
		return observe.DeviceAddress{Dev: dev, Addr: p.Addr(), Net: p.Masked()}
	}
	snap := observe.Snapshot{
		SB: &observe.Southbound{Encaps: []*observe.Encap{
			{IP: netip.MustParseAddr("198.51.100.2"), ChassisName: "cmp-2"},
		}},
		OVS: &observe.OpenVSwitch{
			Remotes:  []string{"tcp:10.0.0.5:6642", "unix:/run/ovn.sock"},
			Mappings: []observe.BridgeMapping{{Position: 1, Network: "public", Bridge: "br-ex"}},
			EncapIPs: []netip.Addr{netip.MustParseAddr("198.51.100.1")},
		},
		Host: &observe.Host{
			Links: []observe.Link{
				{Name: "eth0", Index: 2},
				{Name: "eth1", Index: 3},
				{Name: "br-ex", Index: 4},
				{Name: "vrf-7", Index: 5, Table: 7},
				{Name: "in-vrf", Index: 6, Master: 5},
				{Name: "vlan-1", Index: 7, Ours: true},
			},
			Addresses: []observe.DeviceAddress{
				addr("eth0", "192.168.1.20/24"), addr("eth1", "192.0.2.0/31"), addr("lo", "198.51.100.1/32"),
				addr("eth1", "2001:db8:1::2/64"), addr("br-ex", "172.24.4.1/24"), addr("in-vrf", "10.77.0.1/24"),
				addr("vlan-1", "10.88.0.1/24"),
			},
			Gateways: []observe.Gateway{
				{Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.168.1.1"), Dev: "eth0"},
				{Dst: netip.MustParsePrefix("172.16.0.0/12"), Via: netip.MustParseAddr("172.24.4.2"), Dev: "br-ex"},
			},
		},
	}
	snap.Protected = observe.Protect(snap, observe.Own{
		Peers:   []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.1")},
		Protect: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}, Northbound: []string{"ssl:[2001:db8:9::5]:6641"},
	})
	return snap
}

// TestGuard goes through what a node lives on, in a table that is looked up before
// the main one (200), in the main table, and in that of a VRF (7).
func TestGuard(t *testing.T) {
	const direct, routed, learned = "table 201 metric 0 dev br-ex", "table 201 metric 0 dev br-ex via 172.24.4.146",
		"table 254 metric 4098 dev eth1 via 192.0.2.1"
	g := desired.NewGuard(livesOn())
	for _, tt := range []struct{ route, want string }{
		{"172.24.4.92/32 " + direct, ""}, // on the provider bridge, whose network is not the node's
		{"10.0.0.0/26 " + routed, "contains 10.0.0.5/32, which is the address of the Southbound database tcp:10.0.0.5:6642"},
		{"10.0.0.5/32 " + direct, "10.0.0.5/32 is the address of the Southbound database tcp:10.0.0.5:6642"},
		{"2001:db8:9::5/128 table 201 metric 1024 dev br-ex", "the Northbound database ssl:[2001:db8:9::5]:6641"},
		{"10.0.0.6/32 " + direct, ""},
		{"192.168.1.20/32 " + direct, "an address of device eth0"},
		{"198.51.100.1/32 " + direct, "address of device lo"},
		{"172.24.4.1/32 " + direct, "an address of device br-ex"},
		{"192.168.1.53/32 " + direct, ""}, // a network may be shared, and single addresses of it exposed
		{"192.168.1.53/32 " + routed, "is in 192.168.1.0/24, which is connected to device eth0"},
		{"192.168.1.0/26 " + routed, "contains 192.168.1.1/32, which is the next hop of 0.0.0.0/0"},
		{"192.168.0.0/16 " + routed, "contains 192.168.1.0/24"},
		{"192.0.2.1/32 " + direct, "the address of BGP neighbour 192.0.2.1"},
		{"203.0.113.1/32 " + direct, "the address of BGP neighbour 203.0.113.1"},
		{"198.51.100.2/32 " + direct, "the tunnel endpoint of chassis cmp-2"},
		{"172.24.4.2/32 " + direct, "the next hop of 172.16.0.0/12"},
		{"10.9.3.0/24 " + routed, "in the configuration (protect)"},
		{"10.9.3.1/32 " + direct, "in the configuration (protect)"},
		{"10.77.0.0/24 " + routed, ""}, // a VRF's
		{"10.88.0.1/32 " + direct, ""}, // ours
		{"0.0.0.0/0 " + routed, "contains "},
		{"128.0.0.0/1 " + routed, "contains "},
		{"0.0.0.0/0 table 201 metric 0 unreachable", "contains "},
		{"0.0.0.0/0 table 7 metric 0 unreachable", ""},
		{"10.0.0.5/32 table 7 metric 0 dev in-vrf", ""},
		// In the main table what is more specific goes first.
		{"0.0.0.0/0 " + learned, ""},
		{"203.0.113.1/32 " + learned, ""}, // the fabric's to say where it is
		{"198.51.100.2/32 " + learned, ""},
		{"10.0.0.5/32 " + learned, "the Southbound database"},
		{"10.0.0.0/8 " + learned, "the Southbound database"},
		{"192.168.0.0/16 " + learned, ""}, // the connected /24 is more specific
		{"192.168.1.0/24 " + learned, ""}, // and here the kernel's metric is lower
		{"192.168.1.64/26 " + learned, "connected to device eth0"},
		{"192.168.1.1/32 " + learned, "the next hop"},
		{"192.0.2.1/32 " + learned, "BGP neighbour"},
		{"172.24.4.2/32 " + learned, "the next hop of 172.16.0.0/12"},
		{"198.51.100.1/32 " + learned, "address of device lo"},
		{"10.9.0.0/17 " + learned, "protect"},
		{"10.8.0.0/15 " + learned, "protect"},
		{"128.0.0.0/1 " + learned, ""},
		{"2001:db8:1::/64 table 254 metric 100 dev eth1 via 2001:db8:1::1", "connected to device eth1"},
		{"2001:db8:1::/64 table 254 metric 1024 dev eth1 via 2001:db8:1::1", ""},
	} {
		v, err := object.Parse("route " + tt.route)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if b := g.Block(v); b != nil {
			got = b.Text
			if b.Code != object.BlockProtected || !b.Evicts() {
				t.Errorf("%s: %+v", tt.route, b)
			}
		}
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s:\n got %q\nwant %q", tt.route, got, tt.want)
		}
	}
}

// TestMartians: an address that no network has is routed nowhere, in whichever table
// and whatever else is known.
func TestMartians(t *testing.T) {
	g := desired.NewGuard(observe.Snapshot{})
	for _, text := range []string{
		"0.0.0.0/32", "0.0.0.1/32", "127.0.0.1/32", "127.0.0.0/8", "169.254.169.254/32", "224.0.0.5/32", "224.0.0.0/4",
		"239.1.1.1/32", "240.0.0.1/32", "255.255.255.255/32", "::/128", "::1/128", "fe80::1/128", "ff02::1/128",
		"::ffff:10.0.0.1/128",
	} {
		for _, table := range []uint32{201, object.TableMain} {
			v := object.NewRoute(table, netip.MustParsePrefix(text), "br-ex", netip.Addr{})
			if b := g.Block(v); b == nil {
				t.Errorf("%s in table %d is let pass", text, table)
			}
		}
	}
	for _, text := range []string{"1.0.0.1/32", "223.255.255.255/32", "2001:db8::1/128", "fd00::1/128", "100.64.0.1/32"} {
		v := object.NewRoute(201, netip.MustParsePrefix(text), "br-ex", netip.Addr{})
		if b := g.Block(v); b != nil {
			t.Errorf("%s: %s", text, b.Text)
		}
	}
}

// wilful is a driver of a third party that adds what it likes.
type wilful []string

func (wilful) Name() string { return "wilful" }

func (lines wilful) Desired(_ observe.Snapshot, out *object.Set) []observe.Skip {
	for _, line := range lines {
		v, err := object.Parse(line)
		if err != nil {
			panic(err)
		}
		if err := out.Add(object.Item{Value: v}); err != nil {
			panic(err)
		}
	}
	return nil
}

// TestNoDriverGetsAround: the guard stands behind all drivers. What is in a VRF that
// the same driver makes is nobody's loss.
func TestNoDriverGetsAround(t *testing.T) {
	res := desired.Compute(livesOn(), nil, wilful{
		"route 10.0.0.5/32 table 77 metric 0 dev br-ex", "route 10.0.0.6/32 table 77 metric 0 dev br-ex",
		"link vrf-9 type vrf table 9 up", "route 10.0.0.5/32 table 9 metric 0 dev vrf-9",
	})
	for _, it := range res.Want.SortedOf(object.KindRoute) {
		k := it.Value.Key()
		want := k.Num == 77 && k.Prefix.Addr() == netip.MustParseAddr("10.0.0.5")
		if got := it.Block != nil; got != want {
			t.Errorf("%s: blocked %t, want %t", k.Text(), got, want)
		}
	}
}

// TestGuardIsThatOfNow: a memory blocks what the whole does, whatever VRFs come and go on the node and
// among what is wanted, and whatever is protected then.
func TestGuardIsThatOfNow(t *testing.T) {
	route := object.Item{Value: object.NewRoute(9, netip.MustParsePrefix("10.0.0.5/32"), "vrf-9", netip.Addr{})}
	vrf := object.Item{Value: object.Link{Name: "vrf-9", Type: object.LinkVRF, Table: 9, Up: true}}
	without := livesOn()
	with, less := without, without
	host := *with.Host
	host.Links = append(slices.Clip(host.Links), observe.Link{Name: "vrf-9", Index: 9, Table: 9})
	with.Host = &host
	less.Protected = &observe.Protected{}
	var memory desired.Memory
	for i, step := range []struct {
		snap  observe.Snapshot
		fixed []object.Item
		block bool
	}{
		{with, []object.Item{route}, false},
		{with, []object.Item{route}, false},
		{without, []object.Item{route}, true},
		{less, []object.Item{route}, false},
		{without, []object.Item{route}, true},
		{without, []object.Item{route, vrf}, false},
		{without, []object.Item{route}, true},
	} {
		for what, res := range map[string]desired.Result{
			"again": memory.Compute(step.snap, step.fixed), "whole": desired.Compute(step.snap, step.fixed),
		} {
			if it, _ := res.Want.Get(route.Value.Key()); (it.Block != nil) != step.block {
				t.Errorf("step %d, %s: blocked %v, want %t", i, what, it.Block, step.block)
			}
		}
	}
}

// TestNeedsOfProtectedAreBlocked: what needs a route that may not be is blocked with
// it, and says what that would have hit.
func TestNeedsOfProtectedAreBlocked(t *testing.T) {
	route := object.NewRoute(201, netip.MustParsePrefix("10.0.0.5/32"), "br-ex", netip.Addr{})
	subnet := object.NewRoute(201, netip.MustParsePrefix("10.5.0.0/24"), "br-ex", route.Dst.Addr())
	path := object.NewPath(netip.MustParsePrefix("10.5.0.9/32"), object.OriginIGP)
	other := object.NewPath(netip.MustParsePrefix("10.5.0.10/32"), object.OriginIGP)
	fixed := []object.Item{
		{Value: path, After: []object.Key{subnet.Key()}},
		{Value: subnet, After: []object.Key{route.Key()}},
		{Value: route},
		{Value: other},
	}
	res := desired.Compute(livesOn(), fixed)
	for _, it := range fixed {
		got, _ := res.Want.Get(it.Value.Key())
		if want := it.Value != object.Value(other); (got.Block != nil) != want {
			t.Errorf("%s: %+v", it.Value.Key().Text(), got.Block)
		}
		if got.Block != nil && !strings.Contains(got.Block.Text, "10.0.0.5/32 is the address of the Southbound database") {
			t.Errorf("%s: %s", it.Value.Key().Text(), got.Block.Text)
		}
	}
}

// TestAcceptedByName: a prefix that learn.accept names by itself may lead to a
// database in it, as it must where the fabric is the way to that.
func TestAcceptedByName(t *testing.T) {
	snap := livesOn()
	for _, accept := range []string{"10.0.0.5/32", "10.0.0.0/24"} {
		snap.Protected = observe.Protect(snap, observe.Own{Accept: []netip.Prefix{netip.MustParsePrefix(accept)}})
		g := desired.NewGuard(snap)
		main := object.NewRoute(object.TableMain, netip.MustParsePrefix(accept), "eth1", netip.MustParseAddr("192.0.2.1"))
		if b := g.Block(main); b != nil {
			t.Errorf("%s: %s", accept, b.Text)
		}
		if g.Block(object.NewRoute(201, netip.MustParsePrefix("10.0.0.5/32"), "br-ex", netip.Addr{})) == nil {
			t.Errorf("%s: a driver may take it away", accept)
		}
	}
}

// BenchmarkGuard is what 100,000 routes cost beside 1,000 tunnel endpoints.
func BenchmarkGuard(b *testing.B) {
	snap := livesOn()
	sb := &observe.Southbound{}
	for i := range 1000 {
		sb.Encaps = append(sb.Encaps, &observe.Encap{
			IP: netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), ChassisName: fmt.Sprint("cmp-", i),
		})
	}
	snap.SB, snap.Protected = sb, nil
	var routes []object.Value
	for i := range 100_000 {
		host := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		routes = append(routes, object.NewRoute(201, host, "br-ex", netip.Addr{}))
	}
	for b.Loop() {
		g := desired.NewGuard(snap)
		for _, r := range routes {
			g.Block(r)
		}
	}
}
