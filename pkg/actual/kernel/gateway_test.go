package kernel

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// gateways are routes to gateways and through them, in the order in which a plan
// builds them.
func gateways(t *testing.T) []object.Value {
	t.Helper()
	return []object.Value{
		parse(t, "route 172.24.4.146/32 table 201 metric 0  dev d0"),
		parse(t, "route 2001:db8::146/128 table 201 metric 1024  dev d0"),
		parse(t, "route 10.0.0.0/26 table 201 metric 0  dev d0 via 172.24.4.146"),
		parse(t, "route 2000:db8:1::/64 table 201 metric 1024  dev d0 via 2001:db8::146"),
		parse(t, "route 2000:db8:2::/64 table 201 metric 1024  nexthop 2001:db8::146 dev d0 nexthop fe80::1 dev d1"),
	}
}

// TestGatewayInMainByAnotherDevice: main has a route to a gateway by another device,
// as it has where FRR imports what is announced in a VRF. Ours leads where the table
// of the bridge says.
func TestGatewayInMainByAnotherDevice(t *testing.T) {
	l := newLab(t)
	l.ip("route add 172.24.4.146 dev d1")
	l.ip("-6 route add 2001:db8::146 dev d1")
	want := gateways(t)
	for _, v := range want {
		l.must(create(v))
	}
	l.agrees(want)
	if out := l.ip("-6 route show table 201"); strings.Contains(out, "onlink") {
		t.Errorf("an IPv6 gateway is onlink:\n%s", out)
	}
}

// TestLearnedGateway: routes that neighbours announced go to main, through what is
// connected there.
func TestLearnedGateway(t *testing.T) {
	l := newLab(t)
	l.ip("addr add 2001:db8:a::1/64 dev d0 nodad")
	l.ip("addr add 2001:db8:b::1/64 dev d1 nodad")
	want := []object.Value{
		parse(t, "route ::/0 table 254 metric 4098  nexthop 2001:db8:a::2 dev d0 nexthop 2001:db8:b::2 dev d1"),
		parse(t, "route 2001:db8:c::/48 table 254 metric 4098  dev d0 via 2001:db8:a::2"),
		parse(t, "route 0.0.0.0/0 table 254 metric 98  nexthop 2001:db8:a::2 dev d0 nexthop fe80::1 dev d1"),
	}
	for _, v := range want {
		l.must(create(v))
	}
	l.agrees(want)
}

// TestOnlinkOfEarlierVersions: routes through an IPv6 gateway that an earlier version
// wrote with the onlink flag differ from those that are wanted, and become those
// without the kernel ever reporting the end of one.
func TestOnlinkOfEarlierVersions(t *testing.T) {
	l := newLab(t)
	want := gateways(t)
	l.must(create(want[0]), create(want[1]), create(want[2]))
	l.ip("-6 route add 2000:db8:1::/64 via 2001:db8::146 dev d0 onlink table 201 proto 98")
	l.ip("-6 route add 2000:db8:2::/64 table 201 proto 98 nexthop via fe80::1 dev d1 onlink " +
		"nexthop via 2001:db8::146 dev d0 onlink")
	// The socket is subscribed when this returns, and is closed with the test.
	updates, done := make(chan netlink.RouteUpdate, 64), make(chan struct{})
	t.Cleanup(func() { close(done) })
	if err := netlink.RouteSubscribe(updates, done); err != nil {
		t.Fatal(err)
	}
	have := l.read(complete(wanting(t, want...)))
	l.clearSignals()
	for _, v := range want[3:] {
		it, ok := have.Get(v.Key())
		if !ok || !it.Marked || it.Value == v {
			t.Errorf("got %v, marked %v, want ours in another form than %s", it.Value, it.Marked, object.Text(v))
			continue
		}
		l.must(update(it.Value, v))
	}
	l.agrees(want)
	l.quiet()
	if out := l.ip("-6 route show table 201"); strings.Contains(out, "onlink") {
		t.Errorf("the flag is left:\n%s", out)
	}
	l.ip("route add 203.0.113.1 dev d0 table 202") // the last update
	for u := range updates {
		if u.Dst != nil && u.Dst.String() == "203.0.113.1/32" {
			break
		}
		if u.Type == unix.RTM_DELROUTE {
			t.Errorf("a route was missing for a moment: %s", u.Route)
		}
	}
}
