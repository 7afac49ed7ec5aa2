package host

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestGateways: the next hops of others in the main table, default routes and those
// of several next hops among them; none of ours, of other tables, or that refuse.
func TestGateways(t *testing.T) {
	l := newLab(t, "a0")
	for _, args := range []string{
		"link set lo up", "link set a0 up", "address add 192.0.2.2/24 dev a0", "address add 2001:db8::2/64 dev a0 nodad",
		"route add default via 192.0.2.1 dev a0", "-6 route add default via 2001:db8::1 dev a0",
		"route add 10.1.0.0/16 nexthop via 192.0.2.3 dev a0 nexthop via 192.0.2.4 dev a0",
		"route add 10.2.0.0/16 via inet6 2001:db8::3 dev a0",
		"route add 10.3.0.0/16 via 192.0.2.5 dev a0 proto 98", "route add 10.4.0.0/16 via 192.0.2.6 dev a0 table 300",
		"route add unreachable 10.5.0.0/16", "route add 10.6.0.0/16 dev a0",
	} {
		l.ip(args)
	}
	l.open(Config{})
	gw := func(dst, via string) observe.Gateway {
		return observe.Gateway{Dst: netip.MustParsePrefix(dst), Via: netip.MustParseAddr(via), Dev: "a0"}
	}
	want := []observe.Gateway{
		gw("0.0.0.0/0", "192.0.2.1"), gw("10.1.0.0/16", "192.0.2.3"), gw("10.1.0.0/16", "192.0.2.4"),
		gw("10.2.0.0/16", "2001:db8::3"), gw("::/0", "2001:db8::1"),
	}
	if diff := cmp.Diff(want, l.read().Gateways, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestMaster: a device is known to be in a bridge or VRF.
func TestMaster(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link add b0 type bridge")
	l.ip("link set a0 master b0")
	l.open(Config{})
	a0, _ := l.read().Link("a0")
	b0, _ := l.read().Link("b0")
	if a0.Master == 0 || a0.Master != b0.Index || b0.Master != 0 {
		t.Errorf("a0 %+v, b0 %+v", a0, b0)
	}
}
