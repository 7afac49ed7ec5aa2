package interop_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const v4, v6 = object.IPv4Unicast, object.IPv6Unicast

func TestIPv4(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4}})
		n.want(path("203.0.113.7/32"), path("203.0.113.128/25"), toRouter(w.theirs4, v4))
		expect(t, r, v4, map[string]string{"203.0.113.7/32": w.ours4, "203.0.113.128/25": w.ours4})
		n.remove(path("203.0.113.7/32"))
		expect(t, r, v4, map[string]string{"203.0.113.128/25": w.ours4})
	})
}

func TestIPv6(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{ours: w.ours6, theirs: w.theirs6, families: []object.Family{v6}})
		n.want(path("2001:db8:1::7/128"), path("2001:db8:2::/64"), toRouter(w.theirs6, v6))
		expect(t, r, v6, map[string]string{"2001:db8:1::7/128": w.ours6, "2001:db8:2::/64": w.ours6})
	})
}

// RFC 8950: IPv4 prefixes with an IPv6 next hop, both families on one session.
func TestIPv4OverIPv6(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{ours: w.ours6, theirs: w.theirs6, families: []object.Family{v4, v6}})
		n.want(path("203.0.113.7/32"), path("2001:db8:1::7/128"), toRouter(w.theirs6, v4, v6))
		expect(t, r, v4, map[string]string{"203.0.113.7/32": w.ours6})
		expect(t, r, v6, map[string]string{"2001:db8:1::7/128": w.ours6})
	})
}

// RFC 2385, on sessions of both families. The wrong password stays outside.
func TestPassword(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4}, password: "secret"},
			session{ours: w.ours6, theirs: w.theirs6, families: []object.Family{v6}, password: "secret"})
		right, wrong := toRouter(w.theirs4, v4), toRouter(w.theirs6, v6)
		right.Password, wrong.Password = "secret", "guess"
		n.want(path("203.0.113.7/32"), path("2001:db8:1::7/128"), right, wrong)
		expect(t, r, v4, map[string]string{"203.0.113.7/32": w.ours4})
		if s := n.state(w.theirs6); s.State == bgp.Established {
			t.Error("a session with the wrong password is up")
		}
		corrected := wrong
		corrected.Password = "secret"
		n.change(wrong, corrected)
		expect(t, r, v6, map[string]string{"2001:db8:1::7/128": w.ours6})
	})
}

// RFC 5082.
func TestTTLSecurity(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4}, gtsm: true})
		p := toRouter(w.theirs4, v4)
		p.TTLSecurity = true
		n.want(path("203.0.113.7/32"), p)
		expect(t, r, v4, map[string]string{"203.0.113.7/32": w.ours4})
	})
}

func TestAttributes(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4}},
			session{ours: w.ours6, theirs: w.theirs6, families: []object.Family{v6}})
		p4, p6 := path("203.0.113.7/32"), path("2001:db8:1::7/128")
		want := map[object.Family]route{v4: {Hop: w.ours4, MED: "77"}, v6: {Hop: w.ours6, MED: "77"}}
		for _, p := range []*object.Path{&p4, &p6} {
			p.Communities = words(t, object.CommunitiesOf, []string{"65000:100", "65000:7"})
			p.LargeCommunities = words(t, object.LargeCommunitiesOf, []string{"4200000000:1:2"})
			p.MED, p.LocalPref = object.MetricOf(77), object.MetricOf(300)
		}
		n.want(p4, p6, toRouter(w.theirs4, v4), toRouter(w.theirs6, v6))
		for prefix, family := range map[string]object.Family{"203.0.113.7/32": v4, "2001:db8:1::7/128": v6} {
			expected := want[family]
			expected.Communities, expected.Large = p4.Communities, p4.LargeCommunities
			harness.Eventually(t, 30*time.Second, func() string {
				got, _ := r.learned(family, prefix)
				return unless(got == expected, fmt.Sprintf("got %+v, want %+v", got, expected))
			})
		}
		// Without them again: an update, not a withdrawal.
		n.change(p4, path("203.0.113.7/32"))
		harness.Eventually(t, 30*time.Second, func() string {
			got, _ := r.learned(v4, "203.0.113.7/32")
			return unless(got.Communities.Empty() && got.Large.Empty() && got.Hop == w.ours4, fmt.Sprintf("got %+v", got))
		})
	})
}

// A session from an address of our choice.
func TestLocalAddress(t *testing.T) {
	each(t, func(t *testing.T, start func(*wire, ...session) router) {
		w, n := newWire(t), newNode(t)
		r := start(w, session{ours: w.alias4, theirs: w.theirs4, families: []object.Family{v4}})
		p := toRouter(w.theirs4, v4)
		p.LocalAddress = netip.MustParseAddr(w.alias4)
		n.want(path("203.0.113.7/32"), p)
		expect(t, r, v4, map[string]string{"203.0.113.7/32": w.alias4})
		if got := n.state(w.theirs4).LocalAddress; got != w.alias4 {
			t.Errorf("our end is %s", got)
		}
	})
}
