package kernel

import (
	"net"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestLibraryAgrees reads with an independent implementation what our encoder
// has written: that our own decoder reads it back proves nothing if both are
// wrong in the same way.
func TestLibraryAgrees(t *testing.T) {
	l := newLab(t)
	l.build(append(everyKind(t),
		parse(t, "route 10.0.2.0/24 table 1000 metric 7  dev d0 via 10.0.0.5 src 169.254.1.1")))
	got := map[string]bool{}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		for _, table := range []int{201, 1000} {
			routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range routes {
				if r.Protocol != 98 || r.Type != unix.RTN_UNICAST {
					t.Errorf("route %v: protocol %v, type %d", r, r.Protocol, r.Type)
				}
				if onlink := r.Flags&unix.RTNH_F_ONLINK != 0; onlink != (r.Gw != nil) {
					t.Errorf("route %v: onlink %v", r, onlink)
				}
				if wantLink := family == unix.AF_INET && r.Gw == nil; wantLink != (r.Scope == netlink.SCOPE_LINK) {
					t.Errorf("route %v: scope %v", r, r.Scope)
				}
				got["route "+r.Dst.String()] = true
			}
		}
		rules, err := netlink.RuleListFiltered(family, &netlink.Rule{Priority: 32000}, netlink.RT_FILTER_PRIORITY)
		if err != nil || len(rules) != 1 || rules[0].Table != 201 || rules[0].Protocol != 98 {
			t.Errorf("rules %v, %v", rules, err)
		}
		addrs, err := netlink.AddrList(device(t, "d0"), family)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			if a.Flags&unix.IFA_F_TENTATIVE == 0 {
				got["address "+a.IPNet.String()] = true
			}
		}
	}
	neighs, err := netlink.NeighList(device(t, "d0").Attrs().Index, unix.AF_INET)
	if err != nil || len(neighs) != 1 || neighs[0].State != netlink.NUD_PERMANENT ||
		neighs[0].HardwareAddr.String() != "fa:16:3e:74:e6:3b" || !neighs[0].IP.Equal(net.ParseIP("172.24.4.146")) {
		t.Errorf("neighbours %v, %v", neighs, err)
	}
	proxies, err := netlink.NeighProxyList(device(t, "d0").Attrs().Index, unix.AF_INET6)
	if err != nil || len(proxies) != 1 || !proxies[0].IP.Equal(net.ParseIP("2001:db8::")) {
		t.Errorf("proxies %v, %v", proxies, err)
	}
	for _, want := range []string{
		"route 10.0.0.5/32", "route 10.0.1.0/24", "route 10.0.2.0/24", "route 2001:db8::5/128",
		"address 169.254.1.1/32", "address fd53:d91e:400:7f17::1:1/128",
	} {
		if !got[want] {
			t.Errorf("no %s in %v", want, got)
		}
	}
}

// device finds a device in the namespace of the thread.
func device(t *testing.T, name string) netlink.Link {
	t.Helper()
	d, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestLibraryWrites: what the library writes, our decoder reads.
func TestLibraryWrites(t *testing.T) {
	l := newLab(t)
	want := []object.Value{
		parse(t, "route 10.0.1.0/24 table 201 metric 9  dev d0 via 10.0.0.5"),
		parse(t, "address 192.0.2.1/24 dev d0"),
	}
	d := device(t, "d0")
	_, dst, _ := net.ParseCIDR("10.0.1.0/24")
	err := netlink.RouteAdd(&netlink.Route{
		LinkIndex: d.Attrs().Index, Dst: dst, Table: 201, Priority: 9, Protocol: 98,
		Gw: net.ParseIP("10.0.0.5"), Flags: int(netlink.FLAG_ONLINK),
	})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := netlink.ParseAddr("192.0.2.1/24")
	if err := netlink.AddrAdd(d, addr); err != nil {
		t.Fatal(err)
	}
	l.agrees(want)
}
