package verify

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// What a prefix covers is found in a sorted list as in one that is searched through; an EVPN
// route covers nothing, and is covered by nothing.
func TestCoversAny(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		some := func() NLRI {
			a := netip.AddrFrom4([4]byte{10, byte(r.IntN(2)), byte(r.IntN(3)), byte(r.IntN(3))})
			p, _ := a.Prefix(r.IntN(33))
			if r.IntN(4) == 0 {
				return object.EVPNPath{Type: object.EVPNPrefix, RD: "65000:1", Prefix: p}.Key()
			}
			return Unicast(p)
		}
		var list []NLRI
		for range r.IntN(8) {
			list = append(list, some())
		}
		Sort(list)
		n := some()
		exact, covers := CoversAny(list, n)
		wantCovers := slices.ContainsFunc(list, func(o NLRI) bool {
			return o == n || IsUnicast(o) && IsUnicast(n) && o.Prefix.Bits() >= n.Prefix.Bits() &&
				n.Prefix.Contains(o.Prefix.Addr())
		})
		if exact != slices.Contains(list, n) || covers != wantCovers {
			t.Fatalf("seed %d: %v in %v: %v %v", seed, n, list, exact, covers)
		}
	}
}

// overlay is a path of a tenant, and the same as a spine holds it.
func overlay(change func(*Held)) (Path, Held) {
	key := object.EVPNPath{Type: object.EVPNPrefix, RD: "192.0.2.5:7", Prefix: prefix}.Key()
	over := Overlay{
		VNI: 7, Targets: object.WordsOf("64999:7"), RouterMAC: object.MAC{2, 0, 0, 0, 0, 5}, Encapsulation: VXLAN,
	}
	p := Path{
		NLRI: key, Origin: object.OriginIGP, Overlay: over,
		Sent: []Sent{{Peer: "192.0.2.4", AS: 65000, Router: tor.Router, NextHop: hop}},
	}
	h := Held{NLRI: key, NextHop: hop, ASPath: []uint32{65100, 65000, 64999}, Origin: object.OriginIGP, Overlay: over}
	if change != nil {
		change(&h)
	}
	return p, h
}

// Of an EVPN path the end of the tunnel and what names the tenant are compared wherever it is
// seen: nobody on the way has a reason to change them.
func TestCompareEVPN(t *testing.T) {
	for want, change := range map[string]func(*Held){
		"": nil,
		"next-hop is 192.0.2.66, was sent as 192.0.2.5": func(h *Held) {
			h.NextHop = netip.MustParseAddr("192.0.2.66")
		},
		"route-targets 64999:7 removed, route-targets 65000:9 added": func(h *Held) {
			h.Overlay.Targets = object.WordsOf("65000:9")
		},
		"vni is 8, was sent as 7": func(h *Held) { h.Overlay.VNI = 8 },
		"router-mac is none, was sent as 02:00:00:00:00:05; encapsulation is mpls, was sent as vxlan": func(h *Held) {
			h.Overlay.RouterMAC, h.Overlay.Encapsulation = object.MAC{}, "mpls"
		},
	} {
		p, h := overlay(change)
		r := Compare(node, p, []View{{Point: spine, Exact: []Held{h}}})[0]
		if r.Text != want || (r.State == Found) != (want == "") {
			t.Errorf("%s: %s, want %q", r.State, r.Text, want)
		}
	}
	p, h := overlay(func(h *Held) { h.NextHop = netip.MustParseAddr("192.0.2.7") })
	r := Compare(node, p, []View{{Point: spine, Exact: []Held{h}}})[0]
	want := "192.0.2.250 has it from somebody else only: cmp-7 (next hop 192.0.2.7), AS path 65100 65000 64999"
	if r.Text != want {
		t.Errorf("another node's: %s, want %s", r.Text, want)
	}
}
