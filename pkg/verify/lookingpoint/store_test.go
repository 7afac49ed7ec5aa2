package lookingpoint

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// here is a node whose paths have one next hop.
var here = verify.Self{
	AS: 64999, RouterID: netip.MustParseAddr("1.1.1.9"), Ends: []netip.Addr{netip.MustParseAddr("1.1.1.1")},
}

// Whatever a looking point sends, what is kept of it is bounded.
func TestBounds(t *testing.T) {
	s := newStore()
	s.is(here)
	ours := netip.MustParsePrefix("2001:db8::7/128")
	var wanted []verify.NLRI
	for i := range 100 {
		a := ours.Addr().As16()
		a[4], a[5] = byte(i), 1
		wanted = append(wanted, verify.Unicast(netip.PrefixFrom(netip.AddrFrom16(a), 128)))
	}
	verify.Sort(wanted)
	s.want(wanted)
	for _, p := range wanted {
		for bits := range 128 { // 12,700 prefixes that contain one, 128 times as many paths
			shorter, _ := p.Prefix.Addr().Prefix(bits)
			for id := range uint32(128) {
				s.update(verify.Held{NLRI: verify.Unicast(shorter), ID: id}, true)
			}
		}
		for id := range uint32(1000) {
			s.update(verify.Held{NLRI: p, ID: id}, true)
		}
	}
	for i := range 100_000 {
		a := [4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}
		p := netip.PrefixFrom(netip.AddrFrom4(a), 32)
		s.update(verify.Held{NLRI: verify.Unicast(p), NextHop: here.Ends[0], ASPath: []uint32{here.AS}}, true)
		s.update(verify.Held{NLRI: object.EVPNPath{Type: object.EVPNPrefix, RD: "65000:1", Prefix: p}.Key()}, true)
	}
	if len(s.exact) != len(wanted) || len(s.covering) > mostCovering || len(s.recent) > mostRecent ||
		len(s.extra) > mostExtra {
		t.Errorf("%d exact, %d covering, %d recent, %d extra", len(s.exact), len(s.covering), len(s.recent), len(s.extra))
	}
	for _, m := range s.tables() {
		for p, list := range m {
			if len(list) > mostPaths {
				t.Errorf("%d paths for %s", len(list), p)
			}
		}
	}
	if _, ok := s.covering[verify.Unicast(netip.PrefixFrom(netip.IPv6Unspecified(), 0))]; ok {
		t.Error("the default route covers something")
	}
}

// In whatever order prefixes become wanted and paths come and go: what is kept is what a
// table of everything would have for the prefixes that are wanted and those that contain
// one, and for the others what is this node's, as long as nothing was dropped.
func TestStoreIsATableOfWhatIsWanted(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		some := func() verify.NLRI {
			a := netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(2)), byte(r.IntN(4))})
			p, _ := a.Prefix([]int{8, 23, 24, 31, 32, 32, 32}[r.IntN(7)])
			if r.IntN(4) == 0 {
				return object.EVPNPath{Type: object.EVPNPrefix, RD: "65000:1", Prefix: p}.Key()
			}
			return verify.Unicast(p)
		}
		s, whole := newStore(), map[string]verify.Held{}
		var wanted []verify.NLRI
		for range 60 {
			switch r.IntN(8) {
			case 0:
				s.is([]verify.Self{{}, here}[r.IntN(2)])
			case 1, 2:
				set := map[verify.NLRI]bool{}
				for range r.IntN(4) {
					set[some()] = true
				}
				wanted = slices.SortedFunc(maps.Keys(set), verify.NLRI.Compare)
				s.want(wanted)
				// What became wanted is known only if it came of late: a real one asks again.
				for _, h := range whole {
					s.update(h, true)
				}
			default:
				h := verify.Held{
					NLRI: some(), ID: uint32(r.IntN(2)), NextHop: netip.AddrFrom4([4]byte{1, 1, 1, byte(r.IntN(3))}),
					ASPath: []uint32{here.AS},
				}
				alive := r.IntN(3) > 0
				s.update(h, alive)
				key := fmt.Sprint(h.NLRI, h.ID)
				if delete(whole, key); alive {
					whole[key] = h
				}
			}
			want := map[string]verify.Held{}
			for key, h := range whole {
				exact, covers := verify.CoversAny(wanted, h.NLRI)
				if exact || covers {
					want[key] = h
				}
				if !exact && s.self.Sent(h) {
					want["extra "+key] = h
				}
			}
			have := map[string]verify.Held{}
			for i, m := range s.tables() {
				for _, list := range m {
					for _, h := range list {
						have[[]string{"", "", "extra "}[i]+fmt.Sprint(h.NLRI, h.ID)] = h
					}
				}
			}
			if fmt.Sprint(have) != fmt.Sprint(want) {
				t.Fatalf("seed %d, wanted %v:\nhave %v\nwant %v", seed, wanted, have, want)
			}
		}
	}
}

// What came just before a prefix was wanted is known, and its withdrawal too.
func TestRecent(t *testing.T) {
	s := newStore()
	list := nlris(netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32"))
	a, b := list[0], list[1]
	for i := range mostRecent + 10 {
		other := netip.PrefixFrom(netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)}), 32)
		s.update(verify.Held{NLRI: verify.Unicast(other)}, true)
	}
	for range ticks + 1 {
		s.tick()
	}
	s.update(verify.Held{NLRI: a}, true)
	s.update(verify.Held{NLRI: b}, true)
	s.update(verify.Held{NLRI: b}, false)
	s.want(list)
	if len(s.exact) != 1 || len(s.exact[a]) != 1 {
		t.Errorf("%v", s.exact)
	}
	if !s.doubtful { // two have been dropped since
		t.Error("nothing is in doubt")
	}
	for range ticks + 1 {
		s.tick()
	}
	s.doubtful = false
	s.want(append(list, nlris(netip.MustParsePrefix("10.0.0.3/32"))...))
	if s.doubtful {
		t.Error("it is in doubt, and nothing was dropped of late")
	}
}
