package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// The speaker of a node changes from FRR, which redistributes what the
// predecessor has put in its way, to bgp-ovn, with traffic running. The forwarding
// state is taken over before (TestAdopt is about that). In the first two ways
// nothing is lost; in the third the neighbours drop the routes, and what counts
// is that they come back.
func TestChangeOfSpeaker(t *testing.T) {
	hv := shared.Chassis[0]
	addrs := []string{"172.24.4.72", "2001:db8:4::72"}
	guest(t, "vm-speaker", shared.public, hv, addrs...)
	const graceful = " bgp graceful-restart\n"
	for _, tt := range []struct {
		name   string
		bgpd   string
		change func(*testing.T, *product.Agent, *lab.FRR, []string)
		loss   bool
	}{
		{"second session address", "", bySecondAddress, false},
		{"bgpd killed, graceful restart", graceful, byKill, false},
		{"FRR stopped, graceful restart", graceful, byStop, false},
		{"FRR stopped", "", byStop, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := shared.agents[0]
			for _, addr := range addrs {
				at(t, addr, hv)
			}
			frr := predecessorSpeaks(t, a, addrs, tt.bgpd)
			running := []*lab.Traffic{traffic(t, addrs[0]), traffic(t, addrs[1])}
			tt.change(t, a, frr, addrs)
			settled(t)
			for _, addr := range addrs {
				at(t, addr, hv)
			}
			if tt.loss {
				outcome(t, running...)
			} else {
				undisturbed(t, running...)
			}
		})
	}
}

// The way back: bgp-ovn is stopped, the node handed back, and FRR announces again, with
// traffic running. FRR has what it announces at once here; a real agent has to fill
// bgp-nic first. With graceful restart, and FRR telling that it has kept the forwarding
// state, nothing is lost.
func TestGoingBack(t *testing.T) {
	hv, a, ctx := shared.Chassis[0], shared.agents[0], testContext(t)
	addrs := []string{"172.24.4.74", "2001:db8:4::74"}
	guest(t, "vm-going-back", shared.public, hv, addrs...)
	for _, addr := range addrs {
		at(t, addr, hv)
	}
	const graceful = " bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n"
	byKill(t, a, predecessorSpeaks(t, a, addrs, graceful), addrs)
	running := []*lab.Traffic{traffic(t, addrs[0]), traffic(t, addrs[1])}
	harness.Check(t, a.Stop(ctx))
	if res := adopt(t, a, "--reverse"); res.Exit != 0 {
		t.Fatalf("adopt --reverse ended with %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	frr := harness.Must(hv.NewFRR(frrOfPredecessor(hv, addrs) + graceful))(t)
	harness.Check(t, frr.Start(ctx))
	t.Cleanup(func() { harness.Check(t, frr.Stop(context.WithoutCancel(ctx))) })
	for i, from := range []netip.Addr{hv.Addr4, hv.Addr6} {
		harness.Check(t, shared.Tor.AwaitPeer(ctx, from))
		if err := harness.Until(ctx, "FRR's path instead of bgp-ovn's", func() bool {
			family := []lab.Family{lab.IPv4, lab.IPv6}[i]
			out, _ := shared.Tor.Vtysh(ctx, fmt.Sprintf("show bgp %s unicast %s", family, host(addrs[i])))
			return strings.Contains(out, from.String()) && !strings.Contains(out, "stale")
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, addr := range addrs {
		at(t, addr, hv)
	}
	undisturbed(t, running...)
}

// predecessorSpeaks leaves a node as after step 5 of docs/migration.md: the
// predecessor's forwarding state is ours, bgp-ovn is not running, and FRR
// announces. bgp-nic is a dummy in a VRF, which this kernel may not have: kernel
// routes stand in for its addresses. They are not used, the rule of the bridge's
// table comes before.
func predecessorSpeaks(t *testing.T, a *product.Agent, addrs []string, bgpd string) *lab.FRR {
	t.Helper()
	ctx, hv := context.WithoutCancel(t.Context()), a.Chassis
	retire(t, a)
	predecessor(t, hv, addrs)
	var marks []string
	for _, addr := range addrs {
		marks = append(marks, fmt.Sprintf("ip route add blackhole %s", host(addr)))
	}
	issue(t, hv, marks, nil)
	frr := harness.Must(hv.NewFRR(frrOfPredecessor(hv, addrs) + bgpd))(t)
	harness.Check(t, frr.Start(ctx))
	t.Cleanup(func() { harness.Check(t, frr.Stop(ctx)) })
	for _, addr := range addrs {
		at(t, addr, hv)
	}
	if res := adopt(t, a); res.Exit != 0 {
		t.Fatalf("adopt ended with %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	return frr
}

// frrOfPredecessor is bgpd.conf as its operators write it, still inside "router
// bgp" at the end.
func frrOfPredecessor(hv *lab.Chassis, addrs []string) string {
	return strings.NewReplacer(
		"TORAS", fmt.Sprint(lab.TorAS), "OURAS", fmt.Sprint(lab.ChassisAS), "LOOPBACK", hv.Loopback.String(),
		"TOR4", hv.TorAddr4.String(), "TOR6", hv.TorAddr6.String(), "VM4", host(addrs[0]).String(), "VM6",
		host(addrs[1]).String(),
	).Replace(`ip prefix-list cloud4 permit VM4
ipv6 prefix-list cloud6 permit VM6
route-map cloud permit 10
 match ip address prefix-list cloud4
route-map cloud permit 20
 match ipv6 address prefix-list cloud6
router bgp OURAS
 bgp router-id LOOPBACK
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor TOR4 remote-as TORAS
 neighbor TOR4 timers 3 9
 neighbor TOR4 timers connect 1
 neighbor TOR6 remote-as TORAS
 neighbor TOR6 timers 3 9
 neighbor TOR6 timers connect 1
 address-family ipv4 unicast
  redistribute kernel route-map cloud
  neighbor TOR4 activate
 exit-address-family
 address-family ipv6 unicast
  redistribute kernel route-map cloud
  neighbor TOR6 activate
 exit-address-family
`)
}

// bySecondAddress starts bgp-ovn with sessions from a second pair of addresses,
// waits until its paths are at the neighbour, and then stops FRR.
func bySecondAddress(t *testing.T, a *product.Agent, frr *lab.FRR, addrs []string) {
	t.Helper()
	ctx, hv := testContext(t), a.Chassis
	four, six := hv.Loopback, netip.MustParseAddr("2001:db8:1f::1")
	issue(t, hv, []string{fmt.Sprintf("ip addr add %s/128 dev lo", six)}, nil)
	harness.Check(t, shared.Tor.AddRoute(host(six.String()), hv.Addr6))
	t.Cleanup(func() { harness.Check(t, shared.Tor.DeleteRoute(host(six.String()), hv.Addr6)) })
	secondSession(t, "ipv4", four)
	secondSession(t, "ipv6", six)
	conf := filepath.Join(hv.Dir, "bgp-ovn.yaml")
	text := strings.NewReplacer(
		"families: [ipv4-unicast]", "families: [ipv4-unicast], multihop: 2, local_address: "+four.String(),
		"families: [ipv6-unicast]", fmt.Sprintf("families: [ipv6-unicast], multihop: 2, local_address: %q", six),
		"bgp:\n", "bgp:\n  listen: {port: -1}\n",
	).Replace(string(harness.Must(os.ReadFile(conf))(t)))
	harness.Check(t, os.WriteFile(conf, []byte(text), 0o600))
	harness.Check(t, a.Start(ctx))
	for i, from := range []netip.Addr{four, six} {
		harness.Check(t, shared.Tor.AwaitPeer(ctx, from))
		if err := harness.Until(ctx, "the path from "+from.String(), func() bool {
			family := []lab.Family{lab.IPv4, lab.IPv6}[i]
			table := harness.Must(shared.Tor.Routes(ctx, family))(t)
			return slices.Contains(table[host(addrs[i])], from)
		}); err != nil {
			t.Fatalf("%s has no path from %s\n%s", addrs[i], from, a.Tail(15))
		}
	}
	harness.Check(t, frr.Stop(ctx))
}

// secondSession configures the top of rack for one. It must wait for the node to
// connect: on the node's port 179 FRR still listens.
func secondSession(t *testing.T, family string, from netip.Addr) {
	t.Helper()
	router := fmt.Sprintf("router bgp %d", lab.TorAS)
	n := "neighbor " + from.String()
	harness.Check(t, shared.Tor.Configure(t.Context(), router,
		fmt.Sprintf("%s remote-as %d", n, lab.ChassisAS), n+" ebgp-multihop 2", n+" passive", n+" timers 3 9",
		n+" graceful-restart-helper", "address-family "+family+" unicast", n+" activate"))
	t.Cleanup(func() { harness.Check(t, shared.Tor.Configure(context.WithoutCancel(t.Context()), router, "no "+n)) })
}

// byKill ends bgpd without a word to the neighbours, which keep its routes, and
// starts bgp-ovn from the same addresses.
func byKill(t *testing.T, a *product.Agent, frr *lab.FRR, addrs []string) {
	t.Helper()
	ctx := testContext(t)
	harness.Check(t, frr.BGPD.Kill())
	harness.Check(t, a.Start(ctx))
	takesOver(t, a, addrs)
	harness.Check(t, frr.Stop(ctx))
}

// byStop ends FRR in the orderly way and starts bgp-ovn from the same addresses.
func byStop(t *testing.T, a *product.Agent, frr *lab.FRR, addrs []string) {
	t.Helper()
	ctx := testContext(t)
	harness.Check(t, frr.Stop(ctx))
	harness.Check(t, a.Start(ctx))
	takesOver(t, a, addrs)
}

// takesOver waits until the sessions are up and nothing of FRR's is left at the
// top of rack.
func takesOver(t *testing.T, a *product.Agent, addrs []string) {
	t.Helper()
	ctx := testContext(t)
	for i, from := range []netip.Addr{a.Chassis.Addr4, a.Chassis.Addr6} {
		harness.Check(t, shared.Tor.AwaitPeer(ctx, from))
		var out string
		if err := harness.Until(ctx, "bgp-ovn's path instead of FRR's", func() bool {
			family := []lab.Family{lab.IPv4, lab.IPv6}[i]
			out, _ = shared.Tor.Vtysh(ctx, fmt.Sprintf("show bgp %s unicast %s", family, host(addrs[i])))
			return strings.Contains(out, from.String()) && !strings.Contains(out, "stale")
		}); err != nil {
			t.Fatalf("%s is not announced by bgp-ovn:\n%s\n%s", addrs[i], out, a.Tail(15))
		}
	}
}
