package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Paths as the node of the tests announces them.
func type5(prefix string) object.EVPNPath {
	return object.EVPNPath{
		Type: object.EVPNPrefix, RD: "192.0.2.1:1001", Prefix: netip.MustParsePrefix(prefix), VNI: 1001,
		NextHop: netip.MustParseAddr("192.0.2.1"),
		Targets: object.WordsOf("65001:1001"), RouterMAC: object.MAC{2, 0, 0, 0, 0x10, 1}, Origin: object.OriginIncomplete,
	}
}

func type2(mac byte, addr string) object.EVPNPath {
	p := object.EVPNPath{
		Type: object.EVPNMacIP, RD: "192.0.2.1:70", MAC: object.MAC{0xfa, 0x16, 0x3e, 0, 0, mac}, VNI: 70000,
		NextHop: netip.MustParseAddr("192.0.2.1"),
		Targets: object.WordsOf("65001:70000"), Origin: object.OriginIGP,
	}
	if addr != "" {
		a := netip.MustParseAddr(addr)
		p.Prefix = netip.PrefixFrom(a, a.BitLen())
	}
	return p
}

func type3() object.EVPNPath {
	return object.EVPNPath{
		Type: object.EVPNMulticast, RD: "192.0.2.1:70", Prefix: netip.MustParsePrefix("192.0.2.1/32"), VNI: 70000,
		NextHop: netip.MustParseAddr("192.0.2.1"),
		Targets: object.WordsOf("65001:70000"), Origin: object.OriginIGP,
	}
}

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

func drawAdministered(t *rapid.T) string {
	switch rapid.IntRange(0, 2).Draw(t, "form") {
	case 0:
		return fmt.Sprintf("%d:%d", rapid.Uint16().Draw(t, "AS"), rapid.Uint32().Draw(t, "number"))
	case 1:
		return fmt.Sprintf("%d:%d", rapid.Uint32Range(65536, 4294967295).Draw(t, "AS"), rapid.Uint16().Draw(t, "number"))
	default:
		return fmt.Sprintf("192.0.2.%d:%d", rapid.Byte().Draw(t, "host"), rapid.Uint16().Draw(t, "number"))
	}
}

func drawEVPN(t *rapid.T) object.EVPNPath {
	mac := object.MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "mac"))
	mac[0], mac[5] = mac[0]&^1, mac[5]|1
	p := object.EVPNPath{
		RD: drawAdministered(t), VNI: rapid.Uint32Range(1, 1<<24-1).Draw(t, "vni"), NextHop: drawAddr(t, "vtep"),
		Targets: object.WordsOf(rapid.SliceOfN(rapid.Custom(drawAdministered), 1, 60).Draw(t, "targets")...),
		Origin:  object.Origin(rapid.IntRange(0, 2).Draw(t, "origin")),
	}
	addr := drawAddr(t, "addr")
	switch rapid.IntRange(0, 2).Draw(t, "type") {
	case 0:
		p.Type, p.MAC = object.EVPNMacIP, mac
		if rapid.Bool().Draw(t, "moved") {
			p.Mobility = object.MetricOf(rapid.Uint32().Draw(t, "sequence"))
		}
		if rapid.Bool().Draw(t, "has an address") {
			p.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
	case 1:
		p.Type, p.Prefix = object.EVPNMulticast, netip.PrefixFrom(addr, addr.BitLen())
	default:
		p.Type, p.RouterMAC = object.EVPNPrefix, mac
		p.Prefix = netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")).Masked()
	}
	if rapid.Bool().Draw(t, "last resort") {
		p = p.Lowered(object.LastResort{
			LocalPref: rapid.Bool().Draw(t, "local-pref"),
			Prepend:   []object.Prepend{{}, {AS: 4200000000, Times: 3}}[rapid.IntRange(0, 1).Draw(t, "prepend")],
		}).(object.EVPNPath)
	}
	return p
}

// TestEVPNOctets: every path comes back from its octets, GoBGP reads them, and
// writes the very same ones.
func TestEVPNOctets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawEVPN(t)
		raw, err := bgp.WriteEVPN(want)
		if err != nil {
			t.Fatalf("%s: %v", object.Text(want), err)
		}
		if got, clean, ok := bgp.ReadEVPN(raw); got != want || !clean || !ok {
			t.Fatalf("got %s, %t, %t, want %s", object.Text(got), clean, ok, object.Text(want))
		}
		path, err := bgp.EncodeEVPN(want)
		if err != nil {
			t.Fatalf("%s: GoBGP does not read it: %v", object.Text(want), err)
		}
		if again, err := speaker.OctetsOf(path); err != nil || !reflect.DeepEqual(again, raw) {
			t.Fatalf("GoBGP writes %+v, %v, want %+v", again, err, raw)
		}
		if got, clean, ok := bgp.DecodeEVPN(path); got != want || !clean || !ok {
			t.Fatalf("got %s, %t, %t back from GoBGP, want %s", object.Text(got), clean, ok, object.Text(want))
		}
	})
}

// TestEVPNOctetsDamaged: whatever comes is read without a panic, and what was
// changed is not taken for what we write.
func TestEVPNOctetsDamaged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawEVPN(t)
		raw, err := bgp.WriteEVPN(want)
		if err != nil {
			t.Fatal(err)
		}
		part := rapid.SampledFrom([]*[]byte{
			&raw.NLRI, &raw.Attributes[1],
			&raw.Attributes[len(raw.Attributes)-1],
		}).Draw(t, "part")
		if rapid.Bool().Draw(t, "cut") {
			*part = (*part)[:rapid.IntRange(0, len(*part)-1).Draw(t, "length")]
		} else {
			i := rapid.IntRange(0, len(*part)-1).Draw(t, "at")
			*part = append([]byte{}, *part...)
			(*part)[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		}
		if got, clean, ok := bgp.ReadEVPN(raw); ok && clean && got == want {
			t.Fatalf("%s was changed and reads the same", object.Text(want))
		}
	})
}

func TestEVPNRefused(t *testing.T) {
	b := start(t, noListener)
	with := func(p object.EVPNPath, change func(*object.EVPNPath)) object.EVPNPath {
		change(&p)
		return p
	}
	five, two, three := type5("10.0.0.5/32"), type2(1, "10.0.0.5"), type3()
	for want, p := range map[string]object.EVPNPath{
		"route distinguisher \"7\"": with(five, func(p *object.EVPNPath) { p.RD = "7" }),
		"write it as 65001:7":       with(five, func(p *object.EVPNPath) { p.RD = "065001:7" }),
		"no route target":           with(five, func(p *object.EVPNPath) { p.Targets = object.Words{} }),
		"route target \"x\"":        with(five, func(p *object.EVPNPath) { p.Targets = object.WordsOf("x") }),
		"write them as 1:2":         with(five, func(p *object.EVPNPath) { p.Targets = object.WordsOf("1:02") }),
		"do not fit":                with(five, func(p *object.EVPNPath) { p.Targets = manyTargets(401) }),
		"VNI 0":                     with(five, func(p *object.EVPNPath) { p.VNI = 0 }),
		"VNI 16777216":              with(five, func(p *object.EVPNPath) { p.VNI = 1 << 24 }),
		"next hop invalid":          with(five, func(p *object.EVPNPath) { p.NextHop = netip.Addr{} }),
		"next hop 0.0.0.0":          with(five, func(p *object.EVPNPath) { p.NextHop = netip.IPv4Unspecified() }),
		"next hop fe80::1":          with(five, func(p *object.EVPNPath) { p.NextHop = netip.MustParseAddr("fe80::1") }),
		"next hop ::ffff:192.0.2.1": with(five,
			func(p *object.EVPNPath) { p.NextHop = netip.MustParseAddr("::ffff:192.0.2.1") }),
		"needs the router's MAC":   with(five, func(p *object.EVPNPath) { p.RouterMAC = object.MAC{} }),
		"router MAC 01:":           with(five, func(p *object.EVPNPath) { p.RouterMAC = object.MAC{1} }),
		"needs a prefix":           with(five, func(p *object.EVPNPath) { p.Prefix = netip.Prefix{} }),
		"is not a prefix":          with(five, func(p *object.EVPNPath) { p.Prefix = netip.MustParsePrefix("10.0.0.1/8") }),
		"type-5 route has no MAC":  with(five, func(p *object.EVPNPath) { p.MAC = two.MAC }),
		"type-4 is not supported":  with(five, func(p *object.EVPNPath) { p.Type = 4 }),
		"MAC 00:00:00:00:00:00":    with(two, func(p *object.EVPNPath) { p.MAC = object.MAC{} }),
		"MAC 33:33":                with(two, func(p *object.EVPNPath) { p.MAC = object.MAC{0x33, 0x33} }),
		"the address of a station": with(two, func(p *object.EVPNPath) { p.Prefix = netip.MustParsePrefix("10.0.0.0/24") }),
		"the address of an originat": with(three,
			func(p *object.EVPNPath) { p.Prefix = netip.MustParsePrefix("10.0.0.0/24") }),
		"type-3 route has no MAC":    with(three, func(p *object.EVPNPath) { p.Mobility = object.MetricOf(1) }),
		"type-3 route has no router": with(three, func(p *object.EVPNPath) { p.RouterMAC = five.RouterMAC }),
		"origin 3":                   with(three, func(p *object.EVPNPath) { p.Origin = 3 }),
	} {
		err := b.Apply(context.Background(), []object.Change{{After: p}})[0]
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", object.Text(p), err, want)
		}
	}
	if got := read(t, b, true).Len(); got != 0 {
		t.Errorf("%d values were taken", got)
	}
	apply(t, b, create(with(five, func(p *object.EVPNPath) { p.Targets = manyTargets(400) })))
}

func manyTargets(n int) object.Words {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("65001:%d", i))
	}
	return object.WordsOf(out...)
}

func TestEVPNComesBackAsWritten(t *testing.T) {
	inEachForm(t, func(t *testing.T, start func(testing.TB, func(*bgp.Config)) *bgp.Backend) {
		b := start(t, noListener)
		paths := []object.EVPNPath{
			type5("10.0.0.5/32"), type5("2001:db8::/64"), type2(1, ""), type2(1, "10.0.0.5"),
			type2(1, "2001:db8::5"), type3(),
		}
		apply(t, b, create(path("203.0.113.7/32")))
		apply(t, b, create(paths...))
		mirrored := text(read(t, b, false))
		if got := text(read(t, b, true)); got != mirrored || strings.Count(got, "marked=true") != len(paths)+1 {
			t.Errorf("GoBGP holds\n%swant\n%s", got, mirrored)
		}
		apply(t, b, remove(paths...))
		if got := read(t, b, true).LenOf(object.KindEVPN); got != 0 {
			t.Errorf("%d paths are left", got)
		}
	})
}
