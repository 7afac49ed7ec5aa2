package scenarios

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// learnedOn are our routes in the main table of a chassis, as the kernel prints
// them in one line each.
func learnedOn(t *testing.T, c *lab.Chassis) string {
	t.Helper()
	var lines []string
	for _, family := range []string{"-4", "-6"} {
		out := harness.Must(c.Run(t.Context(), "ip", "-o", family, "route", "show", "table", "main", "proto", "98"))(t)
		for line := range strings.Lines(out) {
			line = strings.NewReplacer("\\", "", " weight 1", "", " onlink", "", " pref medium", "", "inet6 ", "").Replace(line)
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(lines, "\n")
}

// awaitLearned waits until exactly these are our routes in the main table.
func awaitLearned(t *testing.T, a *product.Agent, want ...string) {
	t.Helper()
	ctx := harness.Context(t, 30*time.Second)
	var have string
	err := harness.Until(ctx, "the learned routes", func() bool {
		have = learnedOn(t, a.Chassis)
		return have == strings.Join(want, "\n")
	})
	if err != nil {
		t.Fatalf("%s has:\n%s\nwant:\n%s\n%s", a.Chassis.Name, have, strings.Join(want, "\n"), a.Tail(20))
	}
}

// torSays configures the top of rack's BGP, and takes it back with the test.
func torSays(t *testing.T, family string, lines ...string) {
	t.Helper()
	configure := func(ctx context.Context, prefix string) error {
		all := []string{fmt.Sprintf("router bgp %d", lab.TorAS)}
		if family != "" {
			all = append(all, "address-family "+family+" unicast")
		}
		for _, line := range lines {
			all = append(all, prefix+line)
		}
		return shared.Tor.Configure(ctx, all...)
	}
	harness.Check(t, configure(t.Context(), ""))
	t.Cleanup(func() { harness.Check(t, configure(context.WithoutCancel(t.Context()), "no ")) })
}

// default4 and default6 are the learned default routes of a chassis.
func default4(c *lab.Chassis) string {
	return fmt.Sprintf("default via %s dev %s metric 4098", c.TorAddr4, lab.FabricLink)
}

func default6(c *lab.Chassis) string {
	return fmt.Sprintf("default via %s dev %s metric 4098", c.TorAddr6, lab.FabricLink)
}

// Default routes that the top of rack announces enter the main table beside the
// static ones, and leave it with their session. A controller that is killed
// leaves them in place, and so does the one that comes after it.
func TestLearnedDefault(t *testing.T) {
	ctx := testContext(t)
	hv, a := shared.Chassis[1], shared.agents[1]
	settled(t)
	awaitLearned(t, a)
	torSays(t, "ipv4", "neighbor "+hv.Addr4.String()+" default-originate")
	torSays(t, "ipv6", "neighbor "+hv.Addr6.String()+" default-originate")
	awaitLearned(t, a, default4(hv), default6(hv))
	settled(t)
	if out := harness.Must(hv.Run(ctx, "ip", "route", "show", "default"))(t); strings.Count(out, "default") != 2 {
		t.Errorf("the static default route does not stand beside ours:\n%s", out)
	}

	t.Run("session down", func(t *testing.T) {
		harness.Check(t, shared.Tor.Configure(ctx, fmt.Sprintf("router bgp %d", lab.TorAS), "neighbor "+hv.Addr4.String()+
			" shutdown"))
		awaitLearned(t, a, default6(hv))
		harness.Check(t, shared.Tor.Configure(ctx, fmt.Sprintf("router bgp %d", lab.TorAS), "no neighbor "+hv.Addr4.String()+
			" shutdown"))
		awaitLearned(t, a, default4(hv), default6(hv))
	})
	t.Run("killed", func(t *testing.T) {
		stop := watchKernel(t, hv)
		harness.Check(t, a.Kill())
		harness.Check(t, a.Start(ctx))
		harness.Check(t, shared.Tor.AwaitPeer(ctx, hv.Addr4))
		harness.Check(t, shared.Tor.AwaitPeer(ctx, hv.Addr6))
		settled(t)
		awaitLearned(t, a, default4(hv), default6(hv))
		for line := range strings.Lines(stop()) {
			if strings.Contains(line, "default") {
				t.Errorf("the kernel was written to: %s", line)
			}
		}
	})
	t.Run("no longer announced during a restart", func(t *testing.T) {
		harness.Check(t, a.Kill())
		harness.Check(t, shared.Tor.Configure(ctx, fmt.Sprintf("router bgp %d", lab.TorAS), "address-family ipv4 unicast",
			"no neighbor "+hv.Addr4.String()+" default-originate"))
		harness.Check(t, a.Start(ctx))
		awaitLearned(t, a, default6(hv))
		harness.Check(t, shared.Tor.Configure(ctx, fmt.Sprintf("router bgp %d", lab.TorAS), "address-family ipv4 unicast",
			"neighbor "+hv.Addr4.String()+" default-originate"))
		awaitLearned(t, a, default4(hv), default6(hv))
	})
}

// A default route that both sessions carry goes over both: one of the next hops
// is an IPv6 address (RFC 8950).
func TestLearnedOverBothFamilies(t *testing.T) {
	ctx := testContext(t)
	hv, a := shared.Chassis[1], shared.agents[1]
	t.Cleanup(func() {
		harness.Check(t, a.Configure(nil))
		harness.Must(a.CLI(context.WithoutCancel(ctx), "reload"))(t)
	})
	path := filepath.Join(hv.Dir, "bgp-ovn.yaml")
	text := strings.ReplaceAll(string(harness.Must(os.ReadFile(path))(t)), "[ipv6-unicast]",
		"[ipv4-unicast, ipv6-unicast]")
	harness.Check(t, os.WriteFile(path, []byte(text), 0o600))
	if res := harness.Must(a.CLI(ctx, "reload"))(t); res.Exit != 0 {
		t.Fatal(res.Err)
	}
	torSays(t, "ipv4", "neighbor "+hv.Addr4.String()+" default-originate", "neighbor "+hv.Addr6.String()+
		" default-originate")
	awaitLearned(t, a, fmt.Sprintf("default metric 4098 nexthop via %s dev %s nexthop via %s dev %s", hv.TorAddr4,
		lab.FabricLink, hv.TorAddr6, lab.FabricLink))
	settled(t)
	harness.Check(t, shared.Tor.Configure(ctx, fmt.Sprintf("router bgp %d", lab.TorAS), "neighbor "+hv.Addr6.String()+
		" shutdown"))
	awaitLearned(t, a, default4(hv))
	harness.Check(t, shared.Tor.Configure(ctx, fmt.Sprintf("router bgp %d", lab.TorAS), "no neighbor "+hv.Addr6.String()+
		" shutdown"))
	awaitLearned(t, a, fmt.Sprintf("default metric 4098 nexthop via %s dev %s nexthop via %s dev %s", hv.TorAddr4,
		lab.FabricLink, hv.TorAddr6, lab.FabricLink))
}

// The policy, the maximum and the preferred source count; what others have under
// the same prefix and metric stays and is reported. The node's loopback and
// configured prefixes are announced.
func TestLearnedPolicy(t *testing.T) {
	ctx := testContext(t)
	hv, a := shared.Chassis[1], shared.agents[1]
	restart := func(ctx context.Context, extra ...string) {
		harness.Check(t, a.Kill())
		harness.Check(t, a.Configure(nil, extra...))
		harness.Check(t, a.Start(ctx))
		harness.Check(t, shared.Tor.AwaitPeer(ctx, hv.Addr4))
	}
	t.Cleanup(func() { restart(context.WithoutCancel(ctx)) })
	theirs := strings.Fields("route add 203.0.113.1/32 dev " + lab.FabricLink + " metric 77 proto static")
	harness.Must(hv.Run(ctx, "ip", theirs...))(t)
	t.Cleanup(func() {
		_, _ = hv.Run(context.WithoutCancel(ctx), "ip", "route", "del", "203.0.113.1/32", "metric", "77")
	})
	restart(ctx, `learn: {accept: ["203.0.113.0/24 le 32"], max: 3, metric: 77, source4: `+hv.Loopback.String()+"}",
		"advertise_loopback: true", "originate: [198.18.7.0/24]")
	torSays(t, "ipv4", "neighbor "+hv.Addr4.String()+" default-originate",
		"network 203.0.113.1/32", "network 203.0.113.2/32", "network 203.0.113.3/32", "network 203.0.113.4/32",
		"network 198.18.8.0/24")

	rest := fmt.Sprintf(" via %s dev %s src %s metric 77", hv.TorAddr4, lab.FabricLink, hv.Loopback)
	awaitLearned(t, a, "203.0.113.2"+rest, "203.0.113.3"+rest)
	harness.Check(t, harness.Until(ctx, "status to name learn.max", func() bool {
		res, err := a.CLI(ctx, "status")
		return err == nil && strings.Contains(res.Out, "learn.max is 3")
	}))
	res := harness.Must(a.CLI(ctx, "plan"))(t)
	if text := res.Out + res.Err; !strings.Contains(text, "203.0.113.1/32") || !strings.Contains(text, "another owner's") {
		t.Errorf("the foreign route is not reported:\n%s", text)
	}
	if out := harness.Must(hv.Run(ctx, "ip", "route", "show", "203.0.113.1"))(t); !strings.Contains(out, "proto static") {
		t.Errorf("the foreign route is gone: %q", out)
	}
	for _, prefix := range []string{hv.Loopback.String() + "/32", "198.18.7.0/24"} {
		harness.Check(t, harness.Until(ctx, "FRR to have "+prefix, func() bool {
			out, err := shared.Tor.Vtysh(ctx, "show bgp ipv4 unicast "+prefix)
			return err == nil && strings.Contains(out, hv.Addr4.String())
		}))
	}
}
