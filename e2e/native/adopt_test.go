package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// adopted: a node on which FRR is the routing daemon becomes one of bgp-ovn, as docs/ovn-native.md has
// it, and nothing of what goes to a guest or to the node itself is lost.
func (c *cloud) adopted(t *testing.T) {
	hv, a := c.Chassis[0], c.agents[0]
	ctx := harness.Context(t, 3*patience)
	c.inPlace()
	frr := c.withFRR(t, hv)
	for _, tor := range []*lab.Tor{c.Tor, c.Tor2} { // a node that restarts is not dead
		harness.Check(t, tor.Configure(ctx, fmt.Sprintf("router bgp %d", lab.TorAS),
			fmt.Sprintf("neighbor %s bfd check-control-plane-failure", hv.Name)))
	}
	running := []*lab.Traffic{c.densely(t, nearIP), c.densely(t, hv.Loopback.String())}

	if res := harness.Must(a.CLI(ctx, "adopt"))(t); res.Exit != 0 || !strings.Contains(res.Out, "taken over as it is") {
		t.Fatalf("adopt ended with %d\n%s%s", res.Exit, res.Out, res.Err)
	}
	c.mainHas(hv, "proto 98", lab.PeerBridge(0), lab.PeerBridge(1))
	harness.Check(t, errors.Join(frr.BGPD.Kill(), frr.Zebra.Kill(), frr.BFDD.Kill()))
	c.unwatched(hv) // while they wait for the node to come back
	if res := harness.Must(a.CLI(ctx, "adopt"))(t); res.Exit != 0 {
		t.Fatalf("the second adopt ended with %d\n%s%s", res.Exit, res.Out, res.Err)
	}
	c.mainHas(hv, "proto 98", "!metric 20", lab.PeerBridge(0), lab.PeerBridge(1))
	harness.Check(t, a.Start(ctx))
	c.sessions(hv)
	c.inPlace()
	harness.Check(t, a.Settle(harness.Context(t, patience)))
	for _, family := range []string{"-4", "-6"} {
		harness.Must(hv.Run(ctx, "ip", family, "route", "flush", "table", "main", "proto", "bgp"))(t)
	}
	for _, tr := range running {
		harness.Check(t, tr.AwaitAnswers(harness.Context(t, patience), 100))
		r := harness.Must(tr.Stop())(t)
		t.Logf("%s: %d of %d answered", tr.To, r.Received, r.Sent)
		if r.Received != r.Sent {
			t.Errorf("%s: %d of %d answered, longest gap %d", tr.To, r.Received, r.Sent, r.LongestGap)
		}
	}
	c.inPlace()
}

// densely is traffic that a gap of some milliseconds would show in.
func (c *cloud) densely(t *testing.T, to string) *lab.Traffic {
	t.Helper()
	tr := harness.Must(c.Host.SendTraffic(netip.MustParseAddr(to), 5*time.Millisecond))(t)
	t.Cleanup(func() { _, _ = tr.Stop() }) // twice does no harm
	harness.Check(t, tr.AwaitAnswers(harness.Context(t, patience), 100))
	return tr
}

// withFRR makes FRR the routing daemon of a node in the place of bgp-ovn, of which nothing is left,
// and waits until everything is in place.
func (c *cloud) withFRR(t *testing.T, hv *lab.Chassis) *lab.FRR {
	t.Helper()
	a := c.agents[hv.Index-1]
	ctx := harness.Context(t, 2*patience)
	table := []string{"table", lab.ChassisTable}
	route := strings.Fields(harness.Must(hv.Run(ctx, "ip", append([]string{"-4", "route", "show"}, table...)...))(t))
	harness.Check(t, a.Stop(ctx))
	c.unwatched(hv) // otherwise the tops of rack would end FRR's sessions by the BFD of ours
	harness.Check(t, os.Remove(filepath.Join(hv.Dir, "state.db")))
	for _, family := range []string{"-4", "-6"} {
		harness.Must(hv.Run(ctx, "ip", family, "route", "flush", "proto", "98"))(t)
	}
	frr := harness.Must(hv.NewFRR(frrOfNode(hv)))(t)
	frr.Watch()
	harness.Check(t, frr.Start(ctx))
	t.Cleanup(func() {
		all := context.WithoutCancel(ctx)
		harness.Check(t, errors.Join(frr.Stop(all), frr.BFDD.Stop(all)))
	})
	c.mainHas(hv, "metric 20", lab.PeerBridge(0), lab.PeerBridge(1))
	for _, tor := range []*lab.Tor{c.Tor, c.Tor2} {
		c.watched(tor, hv, true)
	}
	// This kernel has no VRF for FRR to import the route into. This is what there would be with one;
	// zebra removed what it found there when it began, as it does with routes of its protocol.
	harness.Must(hv.Run(ctx, "ip", slices.Concat([]string{"-4", "route", "replace"}, table, route)...))(t)
	c.sessions(hv)
	c.inPlace()
	return frr
}

// unwatched waits until no top of rack has a BFD session with a node.
func (c *cloud) unwatched(hv *lab.Chassis) {
	c.t.Helper()
	for _, tor := range []*lab.Tor{c.Tor, c.Tor2} {
		c.watched(tor, hv, false)
	}
}

// watched waits until a top of rack has a BFD session with a node, or has none.
func (c *cloud) watched(tor *lab.Tor, hv *lab.Chassis, want bool) {
	c.t.Helper()
	type peer struct{ Interface, Status string }
	harness.Check(c.t, harness.Await(harness.Context(c.t, patience), tor.Name+"'s BFD with "+hv.Name,
		func(ctx context.Context) (bool, error) {
			out, err := tor.Vtysh(ctx, "show bfd peers json")
			if err != nil {
				return false, err
			}
			var peers []peer
			if err := json.Unmarshal([]byte(out), &peers); err != nil {
				return false, err
			}
			if slices.Contains(peers, peer{hv.Name, "up"}) != want {
				return false, fmt.Errorf("want up %v: %v", want, peers)
			}
			return true, nil
		}))
}

// mainHas waits until the default routes of the main table have all of these, and none of those that
// begin with "!".
func (c *cloud) mainHas(hv *lab.Chassis, parts ...string) {
	c.t.Helper()
	harness.Check(c.t, harness.Await(harness.Context(c.t, patience), "the default route of "+hv.Name,
		func(ctx context.Context) (bool, error) {
			out, err := hv.Run(ctx, "ip", "route", "show", "default")
			for _, part := range parts {
				if text, not := strings.CutPrefix(part, "!"); err == nil && strings.Contains(out, text) == not {
					err = fmt.Errorf("want %q in %q", part, out)
				}
			}
			return err == nil, err
		}))
}

// frrOfNode is bgpd.conf of a node of Neutron's ovn-bgp service. What FRR redistributes from a VRF
// stands in it by name.
func frrOfNode(hv *lab.Chassis) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("router bgp %d", lab.ChassisAS)
	line(" bgp router-id %s", hv.Loopback)
	line(" no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n no bgp network import-check\n bgp graceful-restart")
	line(" bgp bestpath as-path multipath-relax")
	for i := range hv.Uplinks() {
		n := "neighbor " + lab.PeerBridge(i)
		line(" %s interface remote-as external\n %s ttl-security hops 1\n %s timers connect 1", n, n, n)
		line(" %s bfd profile "+lab.PatientBFD, n)
	}
	for family, addrs := range map[string][]string{
		"ipv4": {gatewayIP, routerIP, farIP, nearIP, hv.Loopback.String()}, "ipv6": {"2001:db8:4::1"},
	} {
		line(" address-family %s unicast\n  maximum-paths 16", family)
		for _, a := range addrs {
			addr := netip.MustParseAddr(a)
			line("  network %s route-map as-kernel", netip.PrefixFrom(addr, addr.BitLen()))
		}
		for i := range hv.Uplinks() {
			line("  neighbor %s activate", lab.PeerBridge(i))
			if family == "ipv4" {
				line("  neighbor %s allowas-in origin", lab.PeerBridge(i))
			}
		}
		line(" exit-address-family")
	}
	// As redistributed kernel routes are, and as bgp-ovn announces them: otherwise the fabric prefers the
	// node with the lower origin to the other one that has the same address.
	line("route-map as-kernel permit 10\n set origin incomplete\n set metric 100")
	return b.String()
}
