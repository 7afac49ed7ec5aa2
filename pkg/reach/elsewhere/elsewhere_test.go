package elsewhere_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach/elsewhere"
)

// node is one of AS 64999 with the address 192.0.2.1, a top of rack at 192.0.2.100 and a route
// reflector at 192.0.2.200.
func node() elsewhere.Node {
	addr := netip.MustParseAddr
	return elsewhere.Node{
		AS: 64999, RouterID: addr("192.0.2.1"), Addrs: map[netip.Addr]bool{addr("192.0.2.1"): true},
		Chassis: map[netip.Addr]string{addr("192.0.2.7"): "cmp-7"}, IBGP: map[string]bool{"192.0.2.200": true},
	}
}

// path reads "PREFIX PEER NEXTHOP [ORIGINATOR] | AS_PATH".
func path(text string) elsewhere.Path {
	head, as, _ := strings.Cut(text, "|")
	w := strings.Fields(head)
	p := elsewhere.Path{
		Prefix: netip.MustParsePrefix(w[0]), Peer: w[1], NextHop: netip.MustParseAddr(w[2]), ASPath: strings.TrimSpace(as),
	}
	if len(w) > 3 {
		p.Originator = netip.MustParseAddr(w[3])
	}
	numbers := strings.Fields(as)
	if len(numbers) > 0 {
		_, _ = fmt.Sscan(numbers[len(numbers)-1], &p.OriginAS)
	}
	return p
}

func find(paths []string) []elsewhere.Finding {
	s := elsewhere.NewSurvey(node())
	for _, p := range []string{"203.0.113.7/32", "203.0.113.8/32", "10.0.0.0/26"} {
		s.Announce(netip.MustParsePrefix(p), false)
	}
	for _, p := range []string{"198.51.100.0/24", "198.51.100.9/32"} {
		s.Announce(netip.MustParsePrefix(p), true)
	}
	for _, p := range paths {
		s.Add(path(p))
	}
	return s.Findings()
}

func TestSurvey(t *testing.T) {
	for _, tt := range []struct {
		name  string
		paths []string
		// want are "OURS by WHOM, NUMBER", in order.
		want []string
	}{
		{
			"another AS",
			[]string{"203.0.113.7/32 192.0.2.100 192.0.2.100 | 65000 65007"},
			[]string{"203.0.113.7/32 by 192.0.2.100, 1"},
		},
		{
			"the neighbour itself",
			[]string{"203.0.113.7/32 192.0.2.100 192.0.2.100 | 65000"},
			[]string{"203.0.113.7/32 by 192.0.2.100, 1"},
		},
		{
			"a chassis of our AS, next hop unchanged",
			[]string{"203.0.113.7/32 192.0.2.100 192.0.2.7 | 65000 64999"},
			[]string{"203.0.113.7/32 by chassis cmp-7 (192.0.2.7), 1"},
		},
		{
			"IBGP, by a reflector",
			[]string{"203.0.113.7/32 192.0.2.200 192.0.2.7 192.0.2.7 |"},
			[]string{"203.0.113.7/32 by chassis cmp-7 (192.0.2.7), 1"},
		},
		{
			"IBGP, a next hop that nobody knows",
			[]string{"203.0.113.7/32 192.0.2.200 192.0.2.9 192.0.2.9 |"},
			[]string{"203.0.113.7/32 by 192.0.2.9, 1"},
		},
		{"our own, reflected", []string{"203.0.113.7/32 192.0.2.200 192.0.2.9 192.0.2.1 |"}, nil},
		{"our own, with our next hop", []string{"203.0.113.7/32 192.0.2.100 192.0.2.1 | 65000 64999"}, nil},
		{"our own or not", []string{"203.0.113.7/32 192.0.2.100 192.0.2.100 | 65000 64999"}, nil},
		{"our own or not, from far away", []string{"203.0.113.7/32 192.0.2.100 192.0.2.100 | 65000 65009 64999"}, nil},
		{
			"more specific",
			[]string{
				"10.0.0.5/32 192.0.2.100 192.0.2.100 | 65000 65007", "10.0.0.4/31 192.0.2.100 192.0.2.100 | 65000 65007",
			},
			[]string{"10.0.0.0/26 by 192.0.2.100, 2"},
		},
		{"less specific", []string{"0.0.0.0/0 192.0.2.100 192.0.2.100 | 65000"}, nil},
		{
			"on purpose", []string{
				"198.51.100.0/24 192.0.2.100 192.0.2.100 | 65000 65007", "198.51.100.9/32 192.0.2.100 192.0.2.100 | 65000 65007",
				"198.51.100.8/32 192.0.2.100 192.0.2.100 | 65000 65007",
			}, nil,
		},
		{"something else", []string{"203.0.113.9/32 192.0.2.100 192.0.2.100 | 65000 65007"}, nil},
		{
			"several paths, the chassis first",
			[]string{
				"203.0.113.7/32 192.0.2.100 192.0.2.100 | 65000 65007", "203.0.113.7/32 192.0.2.200 192.0.2.7 192.0.2.7 |",
			},
			[]string{"203.0.113.7/32 by chassis cmp-7 (192.0.2.7), 2"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 4 { // in any order
				var got []string
				for _, f := range find(tt.paths) {
					got = append(got, fmt.Sprintf("%s by %s, %d", f.Prefix, f.By(), f.Paths))
				}
				if !slices.Equal(got, tt.want) {
					t.Fatalf("got %q, want %q", got, tt.want)
				}
				rand.Shuffle(len(tt.paths), func(i, j int) { tt.paths[i], tt.paths[j] = tt.paths[j], tt.paths[i] })
			}
		})
	}
}

func TestText(t *testing.T) {
	f := find([]string{"10.0.0.5/32 192.0.2.100 192.0.2.100 | 65000 65007"})[0]
	const want = "a part of it, 10.0.0.5/32, announced by 192.0.2.100; " +
		`heard from peer 192.0.2.100 with AS_PATH "65000 65007"`
	if f.Text() != want {
		t.Errorf("got %s, want %s", f.Text(), want)
	}
}

// BenchmarkSurvey is a pass over 100,000 paths, of which none is ours, with 1,000 addresses.
func BenchmarkSurvey(b *testing.B) {
	addr := func(base byte, i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{base, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	for b.Loop() {
		s := elsewhere.NewSurvey(node())
		for i := range 1000 {
			s.Announce(addr(10, i), false)
		}
		for i := range 100_000 {
			s.Add(elsewhere.Path{Prefix: addr(11, i), Peer: "192.0.2.100", OriginAS: 65007})
		}
		if len(s.Findings()) != 0 {
			b.Fatal("found")
		}
	}
}
