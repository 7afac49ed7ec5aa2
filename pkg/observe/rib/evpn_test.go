package rib

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// ways is a resolver that knows where nothing leads.
type ways struct {
	mu      sync.Mutex
	none    []netip.Addr
	asked   [][]netip.Addr
	changed chan struct{}
}

func newWays() *ways { return &ways{changed: make(chan struct{}, 1)} }

func (w *ways) NoRoute(_ context.Context, addrs []netip.Addr) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, slices.Clone(addrs))
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return !slices.Contains(w.none, a) }), nil
}

func (w *ways) RoutesChanged() <-chan struct{} { return w.changed }

func (w *ways) set(none ...string) {
	w.mu.Lock()
	w.none = nil
	for _, text := range none {
		w.none = append(w.none, netip.MustParseAddr(text))
	}
	w.mu.Unlock()
	signal(w.changed)
}

func type5(prefix, hop string) observe.EVPNRoute {
	return observe.EVPNRoute{
		Type: object.EVPNPrefix, RD: hop + ":7", EthernetTag: 1, Segment: "00:01", MAC: object.MAC{1},
		Prefix:  netip.MustParsePrefix(prefix),
		Gateway: netip.MustParseAddr("192.0.2.77"), VNI: 7, VNI2: 8, NextHop: netip.MustParseAddr(hop),
		Targets:   object.WordsOf("1:7"),
		RouterMAC: object.MAC{2}, Mobility: object.MetricOf(3), Sticky: true, Peer: "192.0.2.0", Stale: true,
		Rank: observe.Rank{Preference: 100, Length: 2, Origin: object.OriginEGP, MED: 5, External: true},
	}
}

func openEVPN(t *testing.T, s *table, w *ways, accept ...observe.PrefixRange) *Source {
	t.Helper()
	src, err := Open(Config{Speaker: s, EVPN: true, Resolver: w, Accept: accept})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

func TestFollowsEVPN(t *testing.T) {
	s, w := &table{notifies: true}, newWays()
	src := openEVPN(t, s, w)
	await(t, src, "settled", func(l *observe.Learned) bool { return l.Unsettled == "" })
	s.change(speaker.Heard{EVPN: true}, func() {
		s.evpn = []observe.EVPNRoute{
			type5("10.0.0.0/8", "192.0.2.9"), type5("10.1.0.0/16", "192.0.2.9"),
			type5("10.0.0.0/8", "2001:db8::9"),
		}
	})
	first := await(t, src, "three", func(l *observe.Learned) bool { return len(l.EVPN) == 3 })
	want := observe.EVPNRoute{
		Type: object.EVPNPrefix, RD: "192.0.2.9:7", EthernetTag: 1, Segment: "00:01", MAC: object.MAC{1},
		Prefix:  netip.MustParsePrefix("10.0.0.0/8"),
		Gateway: netip.MustParseAddr("192.0.2.77"), VNI: 7, VNI2: 8, NextHop: netip.MustParseAddr("192.0.2.9"),
		Targets:   object.WordsOf("1:7"),
		RouterMAC: object.MAC{2}, Mobility: object.MetricOf(3), Sticky: true, Peer: "192.0.2.0", Stale: true,
		Rank: observe.Rank{Preference: 100, Length: 2, Origin: object.OriginEGP, MED: 5, External: true},
	}
	if first.EVPN[0] != want {
		t.Errorf("got %+v, want %+v", first.EVPN[0], want)
	}
	w.mu.Lock()
	asked := fmt.Sprint(w.asked[len(w.asked)-1])
	w.mu.Unlock()
	if asked != "[192.0.2.9 2001:db8::9]" {
		t.Errorf("the routes to %s were looked up, want each VTEP once", asked)
	}
	w.set("2001:db8::9")
	second := await(t, src, "one is out of reach",
		func(l *observe.Learned) bool { return fmt.Sprint(l.NoRoute) == "[2001:db8::9]" })
	w.set()
	await(t, src, "none is", func(l *observe.Learned) bool { return len(l.NoRoute) == 0 })
	s.change(speaker.Heard{EVPN: true}, func() { s.evpn = nil })
	await(t, src, "nothing left", func(l *observe.Learned) bool { return len(l.EVPN) == 0 })
	if len(first.EVPN) != 3 || len(first.NoRoute) != 0 || len(second.NoRoute) != 1 || second.Revision <= first.Revision {
		t.Errorf("what was read has changed: %+v, %+v", first, second)
	}
}

// An event of one family is no reason to list the other one, and one that nobody
// follows is no reason for anything.
func TestListsWhatHasChanged(t *testing.T) {
	all, err := observe.ParsePrefixRange("0.0.0.0/0")
	if err != nil {
		t.Fatal(err)
	}
	fresh := type5("10.0.0.0/8", "192.0.2.9")
	fresh.Stale = false
	s, w := &table{notifies: true, paths: []observe.LearnedPath{path("0.0.0.0/0", "192.0.2.2", false)}}, newWays()
	src := openEVPN(t, s, w, all)
	await(t, src, "a path", count(1))
	counts := func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Sprint(s.asked.unicast, s.asked.evpn)
	}
	if got := counts(); got != "1 1" {
		t.Fatalf("asked %s at first", got)
	}
	s.change(speaker.Heard{EVPN: true}, func() { s.evpn = []observe.EVPNRoute{fresh} })
	await(t, src, "EVPN", func(l *observe.Learned) bool { return len(l.EVPN) == 1 && len(l.Paths) == 1 })
	if got := counts(); got != "1 2" {
		t.Errorf("asked %s after news of EVPN", got)
	}
	s.change(speaker.Heard{Unicast: true}, func() { s.paths = nil })
	await(t, src, "no path", func(l *observe.Learned) bool { return len(l.EVPN) == 1 && len(l.Paths) == 0 })
	if got := counts(); got != "2 2" {
		t.Errorf("asked %s after news of unicast", got)
	}
	w.set("192.0.2.9")
	await(t, src, "out of reach", func(l *observe.Learned) bool { return len(l.NoRoute) == 1 })
	if got := counts(); got != "2 2" {
		t.Errorf("asked %s after a route has changed", got)
	}

	plain := &table{notifies: true}
	other := open(t, plain, 0, "0.0.0.0/0")
	await(t, other, "settled", func(l *observe.Learned) bool { return l.Unsettled == "" })
	plain.change(speaker.Heard{EVPN: true}, func() {})
	plain.change(speaker.Heard{Unicast: true}, func() {
		plain.paths = []observe.LearnedPath{path("0.0.0.0/0", "192.0.2.2", false)}
	})
	await(t, other, "a path", count(1))
	plain.mu.Lock()
	defer plain.mu.Unlock()
	if plain.asked.evpn != 0 || plain.asked.unicast != 2 {
		t.Errorf("asked %+v where EVPN is not followed", plain.asked)
	}
}

// Stale paths of EVPN are listed again until they go, as those of unicast are.
func TestAsksForStaleEVPN(t *testing.T) {
	s, w := &table{notifies: true, evpn: []observe.EVPNRoute{type5("10.0.0.0/8", "192.0.2.9")}}, newWays()
	src := openEVPN(t, s, w)
	await(t, src, "a path", func(l *observe.Learned) bool { return len(l.EVPN) == 1 })
	s.mu.Lock()
	s.evpn = nil
	s.mu.Unlock()
	await(t, src, "none", func(l *observe.Learned) bool { return len(l.EVPN) == 0 })
}

func BenchmarkPublish(b *testing.B) {
	s := &table{}
	for i := range 10_000 {
		p := type5("10.0.0.0/8", "192.0.2.9")
		p.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		s.evpn = append(s.evpn, p)
	}
	src := &Source{cfg: Config{Speaker: s, EVPN: true}, state: &observe.Learned{}, changed: make(chan struct{}, 1)}
	for b.Loop() {
		src.relist(context.Background(), true)
	}
}
