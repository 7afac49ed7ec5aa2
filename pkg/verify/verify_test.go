package verify

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

var (
	node = Node{
		AS: 64999, RouterID: netip.MustParseAddr("192.0.2.5"),
		Others: map[netip.Addr]string{netip.MustParseAddr("192.0.2.7"): "cmp-7"},
	}
	hop    = netip.MustParseAddr("192.0.2.5")
	tor    = Sent{Peer: "192.0.2.4", AS: 65000, Router: netip.MustParseAddr("10.0.0.4"), NextHop: hop}
	prefix = netip.MustParsePrefix("203.0.113.7/32")
	spine  = Point{Name: "192.0.2.250", Router: netip.MustParseAddr("10.0.0.250")}
)

// sent is a path of ours at the top of rack.
func sent(change func(*Path)) Path {
	p := Path{
		NLRI: Unicast(prefix), Origin: object.OriginIncomplete, Communities: object.WordsOf("64999:1", "64999:2"),
		MED: object.MetricOf(20), Sent: []Sent{tor},
	}
	if change != nil {
		change(&p)
	}
	return p
}

// held is what a spine has of it, after the top of rack.
func held(change func(*Held)) Held {
	h := Held{
		NLRI: Unicast(prefix), NextHop: netip.MustParseAddr("192.0.2.9"), ASPath: []uint32{65000, 64999},
		Origin: object.OriginIncomplete, Communities: object.WordsOf("64999:1", "64999:2"),
	}
	if change != nil {
		change(&h)
	}
	return h
}

// untouched is as a route server of another AS has it, within as a router of our own AS.
func untouched(h *Held) { h.NextHop, h.ASPath, h.MED = hop, []uint32{64999}, object.MetricOf(20) }

func within(h *Held) {
	h.NextHop, h.ASPath, h.MED, h.LocalPref = hop, nil, object.MetricOf(20), object.MetricOf(100)
}

// ibgp is a path that was sent within our AS.
func ibgp(p *Path) {
	p.Sent = []Sent{{Peer: "192.0.2.3", AS: 64999, Router: netip.MustParseAddr("10.0.0.3"), NextHop: hop}}
}

// comparison is one path at one looking point, and the state and the text that come of it.
type comparison struct {
	path  Path
	point func(*Point)
	held  []Held
	cover string
	want  string
}

var comparisons = map[string]comparison{
	"as sent":       {sent(nil), nil, []Held{held(nil)}, "", "found"},
	"not there":     {sent(nil), nil, nil, "", "missing: 192.0.2.250 does not have it"},
	"on no session": {sent(func(p *Path) { p.Sent = nil }), nil, nil, "", "not-sent: it leaves on no session"},
	"blind":         {sent(nil), func(p *Point) { p.Blind = "not up" }, nil, "", "unknown: not up"},
	"the neighbour itself": {
		sent(nil), func(p *Point) { p.Router = tor.Router }, nil, "", "filtered: neighbour 192.0.2.4 was sent it and does " +
			"not hold it: its policy for what we announce (route map, prefix list) refuses it",
	},
	"sent back": {
		sent(func(p *Path) { p.Returned = []string{"192.0.2.6"} }), nil, nil, "",
		"filtered: 192.0.2.250 does not have it; " +
			"neighbour 192.0.2.6 sends it back to us: it is filtered between there and 192.0.2.250",
	},
	"summarised": {
		sent(nil), nil, nil, "203.0.113.0/24", "missing: 192.0.2.250 has only 203.0.113.0/24, which covers it " +
			"(next hop 192.0.2.9)",
	},
	"summarised on purpose": {
		sent(nil), func(p *Point) { p.Covering = true }, nil, "203.0.113.0/24", "found",
	},
	"a community less": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { h.Communities = object.WordsOf("64999:1", "65000:9") })},
		"",
		"changed: communities 64999:2 removed, communities 65000:9 added",
	},
	"a community less on purpose": {
		sent(nil), func(p *Point) { p.Ignore = []Attribute{Communities} },
		[]Held{held(func(h *Held) { h.Communities = object.Words{} })},
		"", "found",
	},
	"a large community more": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { h.LargeCommunities = object.WordsOf("65000:1:2") })},
		"",
		"changed: large-communities 65000:1:2 added",
	},
	"prepended": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { h.ASPath = []uint32{65100, 65000, 65000, 64999} })},
		"",
		"changed: AS path 65100 65000 65000 64999 has AS 65000 more than once in a row: it was prepended",
	},
	"through a fabric": {
		sent(nil), nil, []Held{held(func(h *Held) { h.ASPath = []uint32{65001, 65100, 65000, 64999} })}, "", "found",
	},
	"another AS beside ours": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { h.ASPath = []uint32{65000, 65077, 64999} })},
		"",
		"changed: AS path 65000 65077 64999 has AS 65077 next to ours, which is no neighbour's",
	},
	"our AS removed": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { h.ASPath = []uint32{65100, 65000} })},
		"",
		"changed: AS path 65100 65000 does not end with our AS 64999: it was removed or replaced",
	},
	"drained": {
		sent(func(p *Path) { p.Prepend = object.Prepend{AS: 64999, Times: 2} }), nil,
		[]Held{held(func(h *Held) { h.ASPath = []uint32{65000, 64999, 64999, 64999} })},
		"", "found",
	},
	"drained, and not prepended": {
		sent(func(p *Path) { p.Prepend = object.Prepend{AS: 64999, Times: 2} }), nil,
		[]Held{held(nil)},
		"",
		"changed: AS path 65000 64999 does not end with what was sent, 64999 64999 64999",
	},
	"origin": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { h.Origin = object.OriginIGP })},
		"",
		"changed: origin is igp, was sent as incomplete",
	},
	"at a route server": {sent(nil), nil, []Held{held(untouched)}, "", "found"},
	"at a route server, MED": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { untouched(h); h.MED = object.Metric{} })},
		"",
		"changed: med is none, was sent as 20",
	},
	"at a route server, next hop": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { untouched(h); h.NextHop = netip.MustParseAddr("192.0.2.66") })},
		"",
		"changed: next-hop is 192.0.2.66, was sent as 192.0.2.5",
	},
	"of another AS": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { h.ASPath = []uint32{65000, 64777} })},
		"",
		"missing: 192.0.2.250 has it from somebody else only: next hop 192.0.2.9, AS path 65000 64777",
	},
	"of another node": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { untouched(h); h.NextHop = netip.MustParseAddr("192.0.2.7") })},
		"",
		"missing: 192.0.2.250 has it from somebody else only: cmp-7 (next hop 192.0.2.7), AS path 64999",
	},
	"beside that of another node": {
		sent(nil), nil, []Held{
			held(func(h *Held) { untouched(h); h.NextHop = netip.MustParseAddr("192.0.2.7") }), held(untouched),
		}, "", "found",
	},
	"the better of two": {
		sent(nil), nil,
		[]Held{held(func(h *Held) { h.Origin = object.OriginIGP }), held(func(h *Held) { h.ID = 1 })},
		"",
		"found",
	},
	"within our AS": {sent(ibgp), nil, []Held{held(within)}, "", "found"},
	"within our AS, LOCAL_PREF": {
		sent(ibgp), nil,
		[]Held{held(func(h *Held) { within(h); h.LocalPref = object.MetricOf(50) })},
		"",
		"changed: local-pref is 50, was sent as 100",
	},
	"within our AS, of another router": {
		sent(ibgp), nil, []Held{held(func(h *Held) {
			within(h)
			h.NextHop, h.Originator = netip.MustParseAddr("192.0.2.66"), netip.MustParseAddr("10.0.0.66")
		})}, "", "missing: 192.0.2.250 has it from somebody else only: next hop 192.0.2.66",
	},
}

func TestCompare(t *testing.T) {
	for name, c := range comparisons {
		t.Run(name, func(t *testing.T) {
			v := View{Point: spine, Exact: c.held}
			if c.point != nil {
				c.point(&v.Point)
			}
			if c.cover != "" {
				v.Cover = &Held{NLRI: Unicast(netip.MustParsePrefix(c.cover)), NextHop: netip.MustParseAddr("192.0.2.9")}
			}
			r := Compare(node, c.path, []View{v})[0]
			if got := strings.TrimSuffix(string(r.State)+": "+r.Text, ": "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if (r.State == Changed) != (len(r.Changes) > 0) || r.Changes == nil {
				t.Errorf("changes %v", r.Changes)
			}
		})
	}
}

// Of two looking points of which one has it, the other is behind the one that filters.
func TestFilteredBetween(t *testing.T) {
	other := spine
	other.Name = "192.0.2.251"
	all := Compare(node, sent(nil), []View{{Point: spine, Exact: []Held{held(nil)}}, {Point: other}})
	worst := Worst(all)
	if all[0].State != Found || worst.State != Filtered || !strings.Contains(worst.Text, "192.0.2.250 has it") {
		t.Errorf("%+v", all)
	}
	if Worst(nil).State != Unknown {
		t.Error("without a looking point")
	}
}

// The order in which a looking point sends its paths does not matter, and more paths never
// make it worse than the best one alone.
func TestMorePathsAreNotWorse(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		pick := func(list ...uint32) uint32 { return list[r.IntN(len(list))] }
		var list []Held
		for i := range 1 + r.IntN(4) {
			list = append(list, held(func(h *Held) {
				h.ID = uint32(i)
				h.NextHop = netip.AddrFrom4([4]byte{192, 0, 2, byte(pick(5, 7, 9))})
				h.ASPath = [][]uint32{{64999}, {65000, 64999}, {65000, 65000, 64999}, {65000, 64777}, nil}[r.IntN(5)]
				h.Communities = []object.Words{h.Communities, {}}[r.IntN(2)]
			}))
		}
		p := sent(nil)
		state := func(list []Held) Result { return Compare(node, p, []View{{Point: spine, Exact: list}})[0] }
		whole := state(list)
		mixed := slices.Clone(list)
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		if again := state(mixed); again.State != whole.State || len(again.Changes) != len(whole.Changes) {
			t.Fatalf("seed %d: %v and %v for %v", seed, whole, again, list)
		}
		sure := slices.ContainsFunc(list, func(h Held) bool { return h.NextHop == hop })
		for _, h := range list {
			alone := state([]Held{h})
			if whole.State.Worse(alone.State) && (h.NextHop == hop || !sure) {
				t.Fatalf("seed %d: all %v is %v, one of them %v", seed, list, whole, alone)
			}
		}
	}
}

func ExampleCompare() {
	p := sent(nil)
	r := Compare(node, p, []View{{Point: spine}})
	fmt.Println(r[0].State, "-", r[0].Text, "- sent to", p.Peers())
	// Output: missing - 192.0.2.250 does not have it - sent to 192.0.2.4
}
