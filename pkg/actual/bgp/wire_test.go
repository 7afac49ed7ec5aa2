package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

func TestNextHopIsTheSessionsLocalAddress(t *testing.T) {
	b := start(t, nil)
	apply(t, b, create(path("203.0.113.7/32"), path("2001:db8:1::7/128"), via(path("198.51.100.1/32"), "192.0.2.3")))
	apply(t, b, create(passive("192.0.2.2", object.IPv4Unicast), passive("2001:db8::2", object.IPv6Unicast)))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
	n.dial("2001:db8::2", "2001:db8::1", nil, object.IPv6Unicast)
	n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1", "198.51.100.1/32": "192.0.2.3"})
	n.expect(object.IPv6Unicast, map[string]string{"2001:db8:1::7/128": "2001:db8::1"})

	for _, c := range []struct{ peer, prefix, want string }{
		{"192.0.2.2", "203.0.113.7/32", "192.0.2.1 true"},
		{"192.0.2.2", "198.51.100.1/32", "192.0.2.3 true"},
		{"2001:db8::2", "2001:db8:1::7/128", "2001:db8::1 true"},
		{"192.0.2.2", "203.0.113.8/32", "invalid IP false"},    // no such path
		{"192.0.2.2", "2001:db8:1::7/128", "invalid IP false"}, // a family that was not negotiated
		{"192.0.2.99", "203.0.113.7/32", "invalid IP false"},   // no such peer
	} {
		hop, sent, err := b.Advertised(context.Background(), c.peer, netip.MustParsePrefix(c.prefix))
		if got := fmt.Sprint(hop, sent); got != c.want || err != nil {
			t.Errorf("%s to %s: got %s, %v, want %s", c.prefix, c.peer, got, err, c.want)
		}
	}

	apply(t, b, remove(path("203.0.113.7/32")))
	apply(t, b, remove(path("2001:db8:1::7/128")))
	n.expect(object.IPv4Unicast, map[string]string{"198.51.100.1/32": "192.0.2.3"})
	n.expect(object.IPv6Unicast, map[string]string{})
}

func TestInternalSession(t *testing.T) {
	b := start(t, nil)
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.AS = localAS
	apply(t, b, create(path("203.0.113.7/32")))
	apply(t, b, create(p))
	n := newNeighbour(t, localAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
	n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
}

func TestIdenticalAddSendsNothing(t *testing.T) {
	b := start(t, nil)
	p := path("203.0.113.7/32")
	apply(t, b, create(p))
	apply(t, b, create(passive("192.0.2.2", object.IPv4Unicast)))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
	n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
	before := n.updates()
	apply(t, b, create(p))
	// What is sent afterwards arrives afterwards: one UPDATE, not two.
	apply(t, b, create(path("203.0.113.8/32")))
	n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1", "203.0.113.8/32": "192.0.2.1"})
	if got := n.updates() - before; got != 1 {
		t.Errorf("%d UPDATEs for one new path", got)
	}
}

func TestManyPathsReachTheNeighbour(t *testing.T) {
	b := start(t, nil)
	apply(t, b, create(passive("192.0.2.2", object.IPv4Unicast, object.IPv6Unicast)))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast, object.IPv6Unicast)
	established(t, b, "192.0.2.2")
	paths := manyPaths(10_000)
	began := time.Now()
	apply(t, b, create(paths...))
	eventually(t, 60*time.Second, func() string {
		if got := len(n.routes(object.IPv4Unicast)); got != len(paths) {
			return fmt.Sprintf("%d paths have arrived", got)
		}
		return ""
	})
	t.Logf("10k paths at the neighbour after %s", time.Since(began).Round(time.Millisecond))
	s := stateOf(t, b, "192.0.2.2")
	if got := s.Families[0]; got.Family != object.IPv4Unicast || got.Sent != 10_000 || !got.Negotiated {
		t.Errorf("counts %+v, want 10000 sent", got)
	}
	apply(t, b, remove(paths...))
	n.expect(object.IPv4Unicast, map[string]string{})
}

// manyPaths are n IPv4 host routes.
func manyPaths(n int) []object.Path {
	out := make([]object.Path, n)
	for i := range out {
		addr := netip.AddrFrom4([4]byte{100, 64 + byte(i>>16), byte(i >> 8), byte(i)})
		out[i] = object.NewPath(netip.PrefixFrom(addr, 32), object.OriginIncomplete)
	}
	return out
}

// A node between two switches must not become transit between them.
func TestLearnedPathsAreNotPassedOn(t *testing.T) {
	b := start(t, nil)
	second := passive("192.0.2.3", object.IPv4Unicast)
	second.AS = 65003
	apply(t, b, create(path("203.0.113.7/32")))
	apply(t, b, create(passive("192.0.2.2", object.IPv4Unicast), second))
	one, two := newNeighbour(t, neighbourAS, "192.0.2.2"), newNeighbour(t, 65003, "192.0.2.3")
	one.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
	two.dial("192.0.2.3", "192.0.2.1", nil, object.IPv4Unicast)
	two.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
	one.announce("198.18.0.0/15")
	eventually(t, 20*time.Second, func() string {
		if got := stateOf(t, b, "192.0.2.2").Families[0]; got.Received != 1 || got.Accepted != 1 {
			return fmt.Sprintf("received %+v", got)
		}
		return ""
	})
	apply(t, b, create(path("203.0.113.8/32")))
	two.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1", "203.0.113.8/32": "192.0.2.1"})
	if got := read(t, b, true).LenOf(object.KindPath); got != 2 {
		t.Errorf("%d paths are ours, want 2", got)
	}
}
