package scenarios

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// snatOptions expose tenant networks, but not those that their router translates.
var snatOptions = []string{
	"expose_tenant_networks: true", "require_snat_disabled_for_tenant_networks: true",
	"fuse: {hold: 3s}", // a router that translates again is no row of the address: what it had is held that long
}

// restarted gives an agent other options for as long as the test lasts.
func restarted(t *testing.T, a *product.Agent, extra ...string) {
	t.Helper()
	ctx := testContext(t)
	again := func(ctx context.Context, extra ...string) {
		harness.Check(t, a.Stop(ctx))
		harness.Check(t, a.Configure(nil, extra...))
		harness.Check(t, a.Start(ctx))
		for _, addr := range []netip.Addr{a.Chassis.Addr4, a.Chassis.Addr6} {
			harness.Check(t, shared.Tor.AwaitPeer(ctx, addr))
		}
	}
	t.Cleanup(func() { again(context.WithoutCancel(ctx)) })
	again(ctx, extra...)
}

// With the option on, a tenant network behind a router that translates it is not
// announced, but for IPv6; it is once the router does not, and no longer when it
// does again. While the Northbound database is away nothing of it is withdrawn.
func TestSNATDisabledRequired(t *testing.T) {
	ctx := testContext(t)
	gw, hv := shared.Chassis[0], shared.Chassis[2]
	a := shared.agents[0]
	restarted(t, a, snatOptions...)

	network := harness.Must(shared.Neutron.TenantNetwork(ctx, "hidden",
		netip.MustParsePrefix("10.66.0.0/26"), netip.MustParsePrefix("2600:db8:66::/64")))(t)
	router := harness.Must(shared.Neutron.Router(ctx, lab.RouterSpec{
		Name: "hidden", External: shared.public, Gateways: []*lab.Chassis{gw}, SNAT: true,
		Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.166"), netip.MustParseAddr("2001:db8:4::166")},
	}))(t)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		harness.Check(t, router.Delete(ctx))
		harness.Check(t, network.Delete(ctx))
	})
	harness.Check(t, router.Attach(ctx, network))
	guest(t, "hidden-vm", network, hv, "10.66.0.5", "2600:db8:66::5")

	const four, six = "10.66.0.5", "2600:db8:66::5"
	at(t, "172.24.4.166", gw)
	at(t, six, gw)
	at(t, four)
	explains(t, a, four, "BLOCKED snat-enabled",
		"router hidden translates source addresses of 10.66.0.0/26 to 172.24.4.166")

	t.Run("removed", func(t *testing.T) {
		harness.Check(t, router.SetSNAT(ctx, false))
		at(t, four, gw)
		explains(t, a, four, "ADVERTISED", "router hidden does not translate source addresses of 10.66.0.0/26")
		pings(t, four)
		settled(t)
	})
	t.Run("database away", func(t *testing.T) { northboundAway(t, a, gw, four, six) })
	t.Run("back", func(t *testing.T) {
		harness.Check(t, router.SetSNAT(ctx, true))
		at(t, four)
		at(t, six, gw)
		at(t, "172.24.4.166", gw)
		explains(t, a, four, "BLOCKED snat-enabled")
		settled(t)
		out := harness.Must(gw.Run(ctx, "ip", "route", "show", "table", "all"))(t)
		if strings.Contains(out, "10.66.0.0/26") {
			t.Errorf("the route is left:\n%s", out)
		}
	})
}

// northboundAway kills the Northbound database and starts it again: the agent says
// that it is away and takes no step.
func northboundAway(t *testing.T, a *product.Agent, gw *lab.Chassis, addrs ...string) {
	t.Helper()
	ctx := testContext(t)
	before := harness.Must(a.Status(ctx))(t)
	t.Cleanup(func() { harness.Check(t, shared.Central.Northbound.Start(context.WithoutCancel(ctx))) })
	harness.Check(t, shared.Central.Northbound.Kill())
	found := func(code string) bool {
		s, err := a.Status(ctx)
		if err != nil {
			return false
		}
		return slices.ContainsFunc(problem.Flat(s.Problems), func(p problem.Problem) bool { return p.Code == code })
	}
	harness.Check(t, harness.Until(ctx, "problem northbound-down", func() bool { return found("northbound-down") }))
	for _, addr := range addrs {
		at(t, addr, gw)
	}
	harness.Check(t, shared.Central.Northbound.Start(ctx))
	harness.Check(t, harness.Until(ctx, "the end of problem northbound-down",
		func() bool { return !found("northbound-down") }))
	if after := harness.Must(a.Status(ctx))(t); after.Steps != before.Steps {
		t.Errorf("%d steps, want still %d", after.Steps, before.Steps)
	}
}

// explains waits until the agent says all this of an address.
func explains(t *testing.T, a *product.Agent, addr string, want ...string) {
	t.Helper()
	ctx := testContext(t)
	var last product.Result
	if err := harness.Until(ctx, "the explanation of "+addr, func() bool {
		last = harness.Must(a.CLI(ctx, "explain", addr))(t)
		for _, text := range want {
			if !strings.Contains(last.Out, text) {
				return false
			}
		}
		return true
	}); err != nil {
		t.Fatalf("explain %s: want %q in\n%s%s", addr, want, last.Out, last.Err)
	}
}

// With the option on and no word of where the Northbound database is, the
// controller does not start, and says what to set.
func TestSNATDisabledRequiredWithoutNorthbound(t *testing.T) {
	ctx := testContext(t)
	c := shared.Chassis[1]
	remote := shared.Central.NBRemote()
	harness.Must(c.Vsctl(ctx, "remove", "Open_vSwitch", ".", "external_ids", "ovn-nb-remote"))(t)
	t.Cleanup(func() {
		harness.Must(c.Vsctl(context.WithoutCancel(ctx), "set", "Open_vSwitch", ".", "external_ids:ovn-nb-remote="+remote))(t)
	})
	dry := []string{
		"run", "--dry-run", "--once", "--require-snat-disabled-for-tenant-networks",
		"--state", filepath.Join(t.TempDir(), "state.db"), "--socket", filepath.Join(t.TempDir(), "none.sock"),
	}
	a := shared.agents[1]
	res := harness.Must(a.CLI(ctx, dry...))(t)
	if res.Exit != 1 || !strings.Contains(res.Err,
		"require_snat_disabled_for_tenant_networks needs the Northbound database: set ovn_nb_connection") {
		t.Errorf("exit %d: %s%s", res.Exit, res.Out, res.Err)
	}
	res = harness.Must(a.CLI(ctx, append(dry, "--ovn-nb-connection", remote)...))(t)
	if res.Exit == 1 {
		t.Errorf("with ovn_nb_connection: %s%s", res.Out, res.Err)
	}
}
