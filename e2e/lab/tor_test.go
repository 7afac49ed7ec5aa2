package lab_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

func TestPeersConfigured(t *testing.T) {
	peers := harness.Must(shared.Tor.Peers(testContext(t)))(t)
	for _, c := range shared.Chassis {
		for _, a := range []netip.Addr{c.Addr4, c.Addr6} {
			if _, ok := peers[a.String()]; !ok {
				t.Errorf("FRR has no neighbour %s of %s: %v", a, c.Name, peers)
			}
		}
	}
}

// speakerConfig announces each family on the session of that family: without
// zebra the speaker knows no IPv4 next hop for an IPv6 session.
func speakerConfig(c *lab.Chassis, networks []netip.Prefix) string {
	var b strings.Builder
	fmt.Fprintf(&b, "router bgp %d\n bgp router-id %s\n", lab.ChassisAS, c.Loopback)
	b.WriteString(" no bgp ebgp-requires-policy\n no bgp network import-check\n no bgp default ipv4-unicast\n")
	for _, peer := range []netip.Addr{c.TorAddr4, c.TorAddr6} {
		fmt.Fprintf(&b, " neighbor %s remote-as %d\n neighbor %[1]s timers connect 1\n", peer, lab.TorAS)
	}
	for _, peer := range []netip.Addr{c.TorAddr4, c.TorAddr6} {
		family := lab.IPv6
		if peer.Is4() {
			family = lab.IPv4
		}
		fmt.Fprintf(&b, " address-family %s unicast\n  neighbor %s activate\n", family, peer)
		for _, n := range networks {
			if n.Addr().Is4() == peer.Is4() {
				fmt.Fprintf(&b, "  network %s\n", n)
			}
		}
		b.WriteString(" exit-address-family\n")
	}
	return b.String()
}

// speaker runs a bare bgpd on a chassis in place of the product.
func speaker(t *testing.T, c *lab.Chassis, networks ...netip.Prefix) {
	t.Helper()
	dir := filepath.Join(shared.Dir, t.Name())
	harness.Check(t, os.MkdirAll(dir, 0o755))
	conf := filepath.Join(dir, "bgpd.conf")
	harness.Check(t, os.WriteFile(conf, []byte(speakerConfig(c, networks)), 0o644))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := c.Command(ctx, "/usr/lib/frr/bgpd", "-S", "-n", "-Z", "-P", "0", "--vty_socket", dir,
		"-i", filepath.Join(dir, "pid"), "-f", conf)
	harness.Check(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed
	})
}

func TestRoutes(t *testing.T) {
	ctx := testContext(t)
	c := shared.Chassis[1]
	four, six := netip.MustParsePrefix("172.24.4.77/32"), netip.MustParsePrefix("2001:db8:4::77/128")
	events := harness.Must(shared.Tor.WatchRoutes(ctx))(t)
	t.Run("announced", func(t *testing.T) {
		speaker(t, c, four, six)
		for _, peer := range []netip.Addr{c.Addr4, c.Addr6} {
			harness.Check(t, shared.Tor.AwaitPeer(ctx, peer))
		}
		harness.Must(shared.Tor.WaitRoute(ctx, four, c))(t)
		seen := map[netip.Prefix]bool{}
		for len(seen) < 2 {
			e, ok := <-events
			if !ok || e.Withdrawn || len(e.NextHops) != 1 || e.NextHops[0].Link != c.Name {
				t.Fatalf("got event %q, want announcements by %s", e, c.Name)
			}
			seen[e.Prefix] = true
		}
		wantPath(t, lab.IPv4, four, c.Addr4)
		wantPath(t, lab.IPv6, six, c.Addr6)
		harness.Check(t, c.SetFabric(false))
		harness.Must(shared.Tor.WaitRoute(ctx, four))(t)
		harness.Check(t, c.SetFabric(true))
		harness.Must(shared.Tor.WaitRoute(ctx, four, c))(t)
		harness.Must(shared.Tor.WaitRoute(ctx, six, c))(t)
	})
	// The speaker was killed, which closes its connections.
	harness.Must(shared.Tor.WaitRoute(ctx, four))(t)
	harness.Must(shared.Tor.WaitRoute(ctx, six))(t)
}

func wantPath(t *testing.T, f lab.Family, prefix netip.Prefix, via netip.Addr) {
	t.Helper()
	routes := harness.Must(shared.Tor.Routes(testContext(t), f))(t)
	if got := routes[prefix]; len(got) != 1 || got[0] != via {
		t.Errorf("BGP table has %s via %v, want %s", prefix, got, via)
	}
}
