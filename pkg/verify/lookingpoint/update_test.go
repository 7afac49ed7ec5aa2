package lookingpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// tenant are the attributes of a path of a tenant.
var tenant = speaker.EVPNAttributes{
	Origin: object.OriginIGP, NextHop: theirID, Targets: object.WordsOf("65002:7"),
	RouterMAC: object.MAC{2, 0, 0, 0, 0, 5}, Tunnels: []bgp.TunnelType{bgp.TUNNEL_TYPE_VXLAN}, HasFlood: true, Flood: 7,
	FloodType: bgp.PMSI_TUNNEL_TYPE_INGRESS_REPL,
}

// evpnUpdate is an UPDATE with EVPN routes, or one that withdraws them.
func evpnUpdate(t testing.TB, alive bool, routes ...speaker.EVPNRoute) []byte {
	t.Helper()
	var nlri []byte
	for _, r := range routes {
		octets, err := r.NLRI()
		check(t, err)
		nlri = append(nlri, octets...)
	}
	var attributes []byte
	if alive {
		list, err := tenant.Write(nlri)
		check(t, err)
		path := speakertest.Attribute(speakertest.Transitive, 2, 2, 1, 0, 0, 0xfd, 0xea)
		attributes = append(bytes.Join(list, nil), path...)
	} else {
		attributes = speakertest.Attribute(speakertest.Optional, 15, append([]byte{0, bgp.AFI_L2VPN, bgp.SAFI_EVPN},
			nlri...)...)
	}
	body := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attributes)))
	return speakertest.Message(speakertest.Update, append(body, attributes...))
}

// routes are one of each type that can be ours, with what names a tenant.
func routes() []speaker.EVPNRoute {
	mac, host := object.MAC{2, 0, 0, 0, 0, 7}, netip.MustParsePrefix("10.0.0.7/32")
	return []speaker.EVPNRoute{
		{Type: object.EVPNMacIP, RD: "192.0.2.2:7", MAC: mac, Label: 7},
		{Type: object.EVPNMacIP, RD: "192.0.2.2:7", MAC: mac, Prefix: host, Label: 7},
		{Type: object.EVPNMulticast, RD: "192.0.2.2:7", Prefix: netip.PrefixFrom(theirID, 32)},
		{Type: object.EVPNPrefix, RD: "192.0.2.2:7", Prefix: host, Label: 7},
	}
}

func keyFor(r speaker.EVPNRoute) verify.NLRI {
	return object.EVPNPath{Type: r.Type, RD: r.RD, MAC: r.MAC, Prefix: r.Prefix}.Key()
}

// Where EVPN is asked for, its routes are kept as those of prefixes are, with what names the
// tenant: the two of one MAC, with an address and without, are two.
func TestEVPNSession(t *testing.T) {
	f := newFar(t, func(c *Config) { c.EVPN = true })
	var list []verify.NLRI
	for _, r := range routes() {
		list = append(list, keyFor(r))
	}
	verify.Sort(list)
	f.Want(list)
	conn, err := f.Accept()
	check(t, err)
	p := speakertest.On(conn)
	t.Cleanup(func() { p.Close() })
	check(t, p.Establish(speakertest.OpenMessage(speakertest.AS, theirID, speakertest.FourOctetAS(speakertest.AS),
		speakertest.Families(speakertest.IPv4, speakertest.EVPN))))
	s := f.await("up", func(s Status) bool { return s.Established })
	if fmt.Sprint(s.Families) != "[ipv4-unicast l2vpn-evpn]" {
		t.Errorf("families %v", s.Families)
	}
	check(t, p.Write(evpnUpdate(t, true, routes()...)))
	f.await("received", func(s Status) bool { return s.Received == 4 && s.Kept == 4 })
	want := verify.Overlay{
		VNI: 7, Targets: object.WordsOf("65002:7"), RouterMAC: tenant.RouterMAC,
		Encapsulation: verify.VXLAN,
	}
	f.View(list, func(i int, exact []verify.Held, cover *verify.Held) {
		if len(exact) != 1 || exact[0].Overlay != want || exact[0].NextHop != theirID || cover != nil {
			t.Errorf("%s: %+v, want %+v", list[i], exact, want)
		}
	})
	check(t, p.Write(evpnUpdate(t, false, routes()[1:]...)))
	f.await("withdrawn", func(s Status) bool { return s.Kept == 1 })
	f.View(list, func(i int, exact []verify.Held, _ *verify.Held) {
		if (len(exact) == 1) != (list[i] == keyFor(routes()[0])) {
			t.Errorf("%s: %v", list[i], exact)
		}
	})
}

// anyRoute is a route of few possible ones.
func anyRoute(r *rand.Rand) speaker.EVPNRoute {
	out := speaker.EVPNRoute{
		Type: []object.EVPNType{object.EVPNMacIP, object.EVPNMulticast, object.EVPNPrefix}[r.IntN(3)],
		RD:   []string{"65000:1", "192.0.2.1:1", "4200000000:1", "0.0.0.1:1"}[r.IntN(4)],
		Tag:  uint32(r.IntN(8) / 7), Label: uint32(r.IntN(2)),
	}
	addr := []netip.Addr{
		netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("2001:db8::1"),
	}[r.IntN(3)]
	out.Prefix = netip.PrefixFrom(addr, addr.BitLen())
	switch out.Type {
	case object.EVPNMacIP:
		if out.MAC = (object.MAC{2, 0, 0, 0, 0, byte(r.IntN(2))}); r.IntN(3) == 0 {
			out.Prefix = netip.Prefix{}
		}
	case object.EVPNPrefix:
		out.Prefix, _ = addr.Prefix([]int{0, 24, 32}[r.IntN(3)])
	}
	return out
}

// identity is what tells routes apart (RFC 7432 section 7, RFC 9136 section 3.1).
func identity(r speaker.EVPNRoute) string {
	return fmt.Sprint(r.Type, " ", r.RD, " ", r.Tag, " ", r.MAC, " ", r.Prefix, r.Prefix.Addr().BitLen())
}

// Two routes have one key, and one text, if and only if they are the same route. Those with
// an Ethernet tag are none of ours, and have none.
func TestOneKeyIsOneRoute(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	byKey, byText, byIdentity := map[verify.NLRI]string{}, map[string]string{}, map[string]verify.NLRI{}
	for range 20_000 {
		route := anyRoute(r)
		octets, err := route.NLRI()
		check(t, err)
		n, err := bgp.NLRIFromSlice(bgp.RF_EVPN, octets)
		check(t, err)
		key, _, ok := nlriOf(n)
		if ok != (route.Tag == 0) {
			t.Fatalf("%+v: %v", route, ok)
		}
		if !ok {
			continue
		}
		who := identity(route)
		for _, known := range []string{byKey[key], byText[verify.Text(key)]} {
			if known != "" && known != who {
				t.Fatalf("%s and %s have one key: %s", known, who, key)
			}
		}
		if have, had := byIdentity[who]; had && have != key {
			t.Fatalf("%s has two keys: %s and %s", who, have, key)
		}
		byKey[key], byText[verify.Text(key)], byIdentity[who] = who, who, key
	}
	if len(byKey) < 60 {
		t.Errorf("only %d routes", len(byKey))
	}
}

// The text of a route distinguisher does not tell an AS of two octets from the same one
// written in four: of the two only that which we write is taken for a route of ours.
func TestOtherWritingsHaveNoKey(t *testing.T) {
	prefixRoute := routes()[3]
	prefixRoute.RD = "65000:1"
	octets, err := prefixRoute.NLRI()
	check(t, err)
	for what, change := range map[string]func([]byte){
		"as it is written":      func([]byte) {},
		"AS in four octets":     func(b []byte) { copy(b[2:], []byte{0, 2, 0, 0, 0xfd, 0xe8, 0, 1}) },
		"bits after the prefix": func(b []byte) { b[2+22] = 24 },
	} {
		raw := bytes.Clone(octets)
		change(raw)
		n, err := bgp.NLRIFromSlice(bgp.RF_EVPN, raw)
		check(t, err)
		if key, _, ok := nlriOf(n); ok != (what == "as it is written") {
			t.Errorf("%s: %s, %v", what, key, ok)
		}
	}
}

// FuzzUpdate reads what nobody sends: nothing ends the process, what is kept is bounded, and
// each NLRI that is taken up can be written, and is found again by its key.
func FuzzUpdate(f *testing.F) {
	for _, c := range speakertest.Malformed() {
		if len(c.Messages) > bgp.BGP_HEADER_LENGTH {
			f.Add(c.Messages[bgp.BGP_HEADER_LENGTH:])
		}
	}
	f.Add(evpnUpdate(f, true, routes()...)[bgp.BGP_HEADER_LENGTH:])
	f.Add(evpnUpdate(f, false, routes()...)[bgp.BGP_HEADER_LENGTH:])
	f.Fuzz(func(t *testing.T, body []byte) {
		h := bgp.BGPHeader{Type: bgp.BGP_MSG_UPDATE, Len: uint16(min(len(body), 4000) + bgp.BGP_HEADER_LENGTH)}
		m, _ := decode(&h, body, &bgp.MarshallingOption{})
		if m == nil {
			return
		}
		s := newStore()
		list := append(nlris(netip.MustParsePrefix("203.0.113.7/32")), keyFor(routes()[0]))
		verify.Sort(list)
		s.want(list)
		apply(m.Body.(*bgp.BGPUpdate), func(held verify.Held, alive bool) {
			if verify.IsUnicast(held.NLRI) && !held.NLRI.Prefix.IsValid() || len(held.ASPath) > maxASPath {
				t.Errorf("%+v", held)
			}
			if again, err := object.ParseKey(held.NLRI.Text()); err != nil || again != held.NLRI {
				t.Errorf("%s is read as %s: %v", held.NLRI, again, err)
			}
			s.update(held, alive)
		})
		if len(s.exact) > len(list) {
			t.Errorf("%d NLRI are kept of %d", len(s.exact), len(list))
		}
	})
}
