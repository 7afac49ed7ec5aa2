package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
)

// newVTEP starts FRR with an L2VNI 70000, in which it has learned a MAC, and an
// L3VNI 1001 for its default VRF, into which it announces 10.77.0.0/16.
func newVTEP(t *testing.T) *frr {
	t.Helper()
	f := newFRR(t, frrPeer(ours4)+
		" no bgp network import-check\n address-family ipv4 unicast\n  network 10.77.0.0/16\n exit-address-family\n"+
		" address-family l2vpn evpn\n  neighbor "+ours4+
		" activate\n  advertise-all-vni\n  advertise ipv4 unicast\n  advertise ipv6 unicast\n exit-address-family\n")
	for _, line := range []string{
		"link add br70 type bridge", "link set br70 address 02:00:00:00:00:70 up",
		"link add vx70 type vxlan id 70000 dstport 4789 local " + frr4 + " nolearning",
		"link set vx70 address 02:00:00:00:00:71 master br70 up",
		"link add br1001 type bridge", "link set br1001 address 02:00:00:00:10:02 up",
		"link add vx1001 type vxlan id 1001 dstport 4789 local " + frr4 + " nolearning",
		"link set vx1001 address 02:00:00:00:10:03 master br1001 up",
		"link add h0 address 02:00:00:00:00:72 type veth peer name h1", "link set h0 master br70 up", "link set h1 up",
	} {
		f.run(append([]string{"ip"}, strings.Fields(line)...)...)
	}
	f.station()
	run(t, "vtysh", "--vty_socket", f.dir, "-d", "zebra", "-c", "configure terminal", "-c", "vni 1001")
	return f
}

// station makes a MAC appear behind FRR's bridge, which takes none at a port that
// has not seen its carrier yet.
func (f *frr) station() {
	f.t.Helper()
	f.awaitText(func() string { return f.run("bridge", "link", "show", "dev", "h0") }, "state forwarding")
	f.run("bridge", "fdb", "replace", "fa:16:3e:00:00:09", "dev", "h0", "master", "dynamic")
}

// awaitText waits until the output of a command has all these parts.
func (f *frr) awaitText(show func() string, parts ...string) {
	f.t.Helper()
	eventually(f.t, 30*time.Second, func() string {
		have := show()
		for _, p := range parts {
			if !regexp.MustCompile(p).MatchString(have) {
				return fmt.Sprintf("no %q in\n%s", p, have)
			}
		}
		return ""
	})
}

func (f *frr) details() string {
	return run(f.t, "vtysh", "--vty_socket", f.dir, "-d", "bgpd", "-c", "show bgp l2vpn evpn route detail")
}

// overFRR is a path with our end of FRR's wire as VTEP.
func overFRR(p object.EVPNPath) object.EVPNPath {
	p.NextHop = netip.MustParseAddr(ours4)
	if p.Type == object.EVPNMulticast {
		p.Prefix = netip.PrefixFrom(p.NextHop, 32)
	}
	return p
}

// FRR understands our paths to the last attribute, makes forwarding state of
// them, and we understand its own.
func TestFRRWithEVPN(t *testing.T) {
	f := newVTEP(t)
	b := start(t, noListener)
	ours := []object.EVPNPath{
		overFRR(type5("10.0.0.5/32")), overFRR(type5("2001:db8:a::/64")), overFRR(type2(1, "")),
		overFRR(type2(2, "10.0.0.5")), overFRR(type3()),
	}
	apply(t, b, create(path("203.0.113.7/32")))
	apply(t, b, create(ours...))
	apply(t, b, create(toFRR(frr4, object.IPv4Unicast, object.L2VPNEVPN)))

	attributes := func(origin, communities string) string {
		return `\s+65001\s+10\.99\.0\.1 from 10\.99\.0\.1 \(192\.0\.2\.1\)\s+Origin ` + origin +
			`, valid, external, .*best .*\s+Extended Community: ` + communities + `\s`
	}
	f.awaitText(f.details,
		`Route \[5\]:\[0\]:\[32\]:\[10\.0\.0\.5\] VNI 1001`+attributes("incomplete",
			"RT:65001:1001 ET:8 Rmac:02:00:00:00:10:01"),
		`Route \[5\]:\[0\]:\[64\]:\[2001:db8:a::\] VNI 1001`+attributes("incomplete",
			"RT:65001:1001 ET:8 Rmac:02:00:00:00:10:01"),
		`Route \[2\]:\[0\]:\[48\]:\[fa:16:3e:00:00:01\] VNI 70000`+attributes("IGP", "RT:65001:70000 ET:8"),
		`Route \[2\]:\[0\]:\[48\]:\[fa:16:3e:00:00:02\]:\[32\]:\[10\.0\.0\.5\] VNI 70000`+
			attributes("IGP", "RT:65001:70000 ET:8"),
		`Route \[3\]:\[0\]:\[32\]:\[10\.99\.0\.1\]`+attributes("IGP", "RT:65001:70000 ET:8")+
			`.*\s+PMSI Tunnel Type: Ingress Replication, label: 70000`)
	f.expect(object.IPv4Unicast, map[string]string{
		"203.0.113.7/32": ours4, "10.77.0.0/16": "0.0.0.0",
		"10.0.0.5/32": ours4,
	})
	f.awaitText(func() string { return f.run("bridge", "fdb", "show", "dev", "vx70") },
		`fa:16:3e:00:00:01 dst 10\.99\.0\.1 self extern_learn`, `fa:16:3e:00:00:02 dst 10\.99\.0\.1 self extern_learn`,
		`00:00:00:00:00:00 dst 10\.99\.0\.1 self`)
	f.awaitText(func() string { return f.run("bridge", "fdb", "show", "dev", "vx1001") },
		`02:00:00:00:10:01 dst 10\.99\.0\.1 self extern_learn`)
	f.awaitText(func() string { return f.run("ip", "route") },
		`10\.0\.0\.5 .*via 10\.99\.0\.1 dev br1001 proto bgp metric 20 onlink`)

	theirs := []string{
		"type-2 invalid Prefix rd 10.99.0.2:2 mac fa:16:3e:00:00:09 vni 70000 via 10.99.0.2 rt 65002:70000 peer 10.99.0.2",
		"type-3 10.99.0.2/32 rd 10.99.0.2:2 vni 70000 via 10.99.0.2 rt 65002:70000 peer 10.99.0.2",
		"type-5 10.77.0.0/16 rd 10.99.0.2:1 vni 1001 via 10.99.0.2 rt 65002:1001 rmac 02:00:00:00:10:02 peer 10.99.0.2",
	}
	eventually(t, 30*time.Second, func() string {
		have := evpnText(t, b)
		for _, line := range theirs {
			if !strings.Contains(anyRD(have), anyRD(line)) {
				return fmt.Sprintf("learned\n%s\nwithout\n%s", have, line)
			}
		}
		return ""
	})
	if got := len(read(t, b, true).SortedOf(object.KindEVPN)); got != len(ours) {
		t.Errorf("%d paths are ours, want %d", got, len(ours))
	}

	apply(t, b, remove(ours...))
	eventually(t, 20*time.Second, func() string {
		have := f.details()
		return emptyIf(!strings.Contains(have, "Route Distinguisher: 192.0.2.1"), have)
	})
	f.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": ours4, "10.77.0.0/16": "0.0.0.0"})
}

// anyRD hides the numbers that FRR gives out in the order of events.
func anyRD(text string) string {
	return regexp.MustCompile(`rd 10\.99\.0\.2:\d+`).ReplaceAllString(text, "rd 10.99.0.2:N")
}

// A MAC moves from FRR to us, and back.
func TestFRRWithMovingMAC(t *testing.T) {
	f := newVTEP(t)
	b := start(t, noListener)
	apply(t, b, create(toFRR(frr4, object.L2VPNEVPN)))
	learnt := func(tail string) {
		t.Helper()
		eventually(t, 30*time.Second, func() string {
			have := anyRD(evpnText(t, b))
			want := "mac fa:16:3e:00:00:09 vni 70000 via 10.99.0.2 rt 65002:70000" + tail + " peer"
			if tail == "gone" {
				return emptyIf(!strings.Contains(have, "fa:16:3e:00:00:09"), have)
			}
			return emptyIf(strings.Contains(have, want), fmt.Sprintf("learned\n%s\nwithout %s", have, want))
		})
	}
	learnt("")
	here := overFRR(type2(9, ""))
	here.Mobility = object.MetricOf(1)
	apply(t, b, create(here))
	f.awaitText(func() string { return f.run("bridge", "fdb", "show", "dev", "vx70") },
		`fa:16:3e:00:00:09 dst 10\.99\.0\.1 self extern_learn`)
	learnt("gone")
	f.station()
	learnt(" mobility 2")
	apply(t, b, remove(here))
	learnt(" mobility 2")
	again := here
	again.Mobility = object.MetricOf(3)
	apply(t, b, create(again))
	f.awaitText(f.details, `\[fa:16:3e:00:00:09\] VNI 70000(?s:.*)Extended Community: RT:65001:70000 ET:8 MM:3`)
	learnt("gone")
}

// evpnForms are one path of each form.
func evpnForms() []object.EVPNPath {
	return []object.EVPNPath{type5("10.0.0.5/32"), type5("2001:db8:a::/64"), type2(1, ""), type2(1, "10.0.0.5"), type3()}
}

// A speaker that dies and comes back costs no route of any family at a neighbour
// that keeps EVPN over a restart. FRR 8.4 is none, so it is another GoBGP.
func TestKilledSpeakerLosesNoEVPNRoute(t *testing.T) {
	const n = 100
	s := newListener(t)
	p := peer("192.0.2.2", object.IPv4Unicast, object.IPv6Unicast, object.L2VPNEVPN)
	p.Port, p.RestartTime, p.LocalAddress = port, 60, netip.MustParseAddr("192.0.2.1")
	plan := script{Paths: n, EVPN: true, Peers: []string{object.Text(p)}}
	families := []object.Family{object.IPv4Unicast, object.L2VPNEVPN}
	count := func() (all, stale int) {
		for _, family := range families {
			err := s.s.ListPath(listing(family), func(_ gobgp.NLRI, paths []*apiutil.Path) {
				for _, p := range paths {
					all++
					if p.Stale {
						stale++
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return all, stale
	}
	const whole = n + 5
	least := whole
	await := func(what string, ok func(all, stale int) bool) {
		t.Helper()
		eventually(t, 60*time.Second, func() string {
			all, stale := count()
			least = min(least, all)
			return emptyIf(ok(all, stale), fmt.Sprintf("%s: %d routes, %d stale, want %d", what, all, stale, whole))
		})
	}
	fresh := func(all, stale int) bool { return all == whole && stale == 0 }
	first := speakerProcess(t, plan)
	eventually(t, 60*time.Second, func() string {
		all, stale := count()
		return emptyIf(fresh(all, stale), fmt.Sprintf("%d routes, %d stale", all, stale))
	})
	for range 2 {
		if err := first.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await("killed", func(_, stale int) bool { return stale == whole })
		first = speakerProcess(t, plan)
		await("restarted", fresh)
	}
	if least != whole {
		t.Errorf("only %d of %d routes were left in between", least, whole)
	}
}

// newListener is a neighbour that waits for our speaker and helps it to restart.
func newListener(t *testing.T) *neighbour {
	t.Helper()
	n := newNeighbourOn(t, neighbourAS, "192.0.2.2", port)
	p := &api.Peer{
		Conf:            &api.PeerConf{NeighborAddress: "192.0.2.1", PeerAsn: localAS},
		Transport:       &api.Transport{LocalAddress: "192.0.2.2", PassiveMode: true},
		Timers:          &api.Timers{Config: &api.TimersConfig{HoldTime: 9}},
		GracefulRestart: &api.GracefulRestart{Enabled: true, RestartTime: 60},
	}
	for _, f := range []object.Family{object.IPv4Unicast, object.IPv6Unicast, object.L2VPNEVPN} {
		p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: wireFamily(f), Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: true}},
		})
	}
	if err := n.s.AddPeer(context.Background(), &api.AddPeerRequest{Peer: p}); err != nil {
		t.Fatal(err)
	}
	return n
}

// 10,000 EVPN routes of a neighbour are listed in well under a second.
func BenchmarkLearnedEVPN(b *testing.B) {
	backend := start(b, nil)
	apply(b, backend, create(passive("192.0.2.2", object.L2VPNEVPN)))
	n := newNeighbour(b, neighbourAS, "192.0.2.2")
	for i := range 10_000 {
		n.originate(theirs(type5(fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff))))
	}
	n.dial("192.0.2.2", "192.0.2.1", nil, object.L2VPNEVPN)
	list := func() []observe.EVPNRoute {
		list, err := rib.TableOf(backend.Conn(), nil).LearnedEVPN(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		return list
	}
	eventually(b, 60*time.Second, func() string { return emptyIf(len(list()) == 10_000, "not all are there") })
	for b.Loop() {
		list()
	}
}
