//go:build guest

package vlan

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// guest makes a port on the chassis and plugs a VM into it.
func guest(t *testing.T, name string, n *lab.Network, addrs ...string) *lab.VM {
	t.Helper()
	ctx := storyContext(t)
	spec := lab.PortSpec{Name: name, Network: n, Chassis: shared.hv}
	for _, a := range addrs {
		spec.Addrs = append(spec.Addrs, netip.MustParseAddr(a))
	}
	p := harness.Must(shared.Neutron.Port(ctx, spec))(t)
	vm := harness.Must(shared.hv.PlugVM(ctx, p))(t)
	t.Cleanup(func() {
		harness.Check(t, vm.Unplug(context.WithoutCancel(ctx)))
		harness.Check(t, p.Delete(context.WithoutCancel(ctx)))
	})
	return vm
}

func prefix(addr string) netip.Prefix {
	a := netip.MustParseAddr(addr)
	return netip.PrefixFrom(a, a.BitLen())
}

// routed waits until the top of rack sends the addresses to the chassis.
func routed(t *testing.T, addrs ...string) {
	t.Helper()
	awaitRoutes(t, []*lab.Chassis{shared.hv}, addrs)
}

// withdrawn waits until the top of rack has no route to the addresses.
func withdrawn(t *testing.T, addrs ...string) {
	t.Helper()
	awaitRoutes(t, nil, addrs)
}

func awaitRoutes(t *testing.T, to []*lab.Chassis, addrs []string) {
	t.Helper()
	ctx := storyContext(t)
	for _, addr := range addrs {
		if _, err := shared.Tor.WaitRoute(ctx, prefix(addr), to...); err != nil {
			res, _ := shared.agent.CLI(t.Context(), "explain", addr)
			t.Fatalf("%v\n%s%s\n%s", err, res.Out, res.Err, shared.agent.Tail(15))
		}
	}
}

// pings demands that the host behind the top of rack comes to reach the
// addresses without loss. The first packets may be lost to OVN and to kernels
// that learn their neighbours then.
func pings(t *testing.T, addrs ...string) {
	t.Helper()
	ctx := storyContext(t)
	for _, addr := range addrs {
		to := netip.MustParseAddr(addr)
		if err := shared.Host.AwaitPing(ctx, to); err != nil {
			t.Fatalf("%v\n%s%s", err, show(t, "addr"), show(t, "neigh"))
		}
		var last lab.PingResult
		if err := harness.Until(ctx, addr+" to answer every ping", func() bool {
			last = harness.Must(shared.Host.Ping(ctx, to, 5, 20*time.Millisecond))(t)
			return last.Lossless()
		}); err != nil {
			t.Fatalf("ping %s: %+v", addr, last)
		}
	}
}

// sofar takes the events that have come in.
func sofar(events <-chan lab.RouteEvent) (all []string) {
	for {
		select {
		case e := <-events:
			all = append(all, e.At.Format("05.000000 ")+e.String())
		default:
			return all
		}
	}
}

// show is what ip shows on the chassis.
func show(t *testing.T, what string) string {
	t.Helper()
	return harness.Must(shared.hv.Run(t.Context(), "ip", strings.Fields(what)...))(t)
}

// tables are the routes of both families in all tables that are ours.
func tables(t *testing.T) string {
	t.Helper()
	return show(t, "-4 route show table all proto 98") + show(t, "-6 route show table all proto 98")
}

func flows(t *testing.T) string {
	t.Helper()
	return harness.Must(shared.hv.Ofctl(t.Context(), "--no-stats", "dump-flows", "br-ex"))(t)
}

// settled waits until there is nothing left to do.
func settled(t *testing.T) {
	t.Helper()
	harness.Check(t, shared.agent.Settle(storyContext(t)))
}

// reload has the controller take a configuration with these further lines.
func reload(t *testing.T, lines ...string) {
	t.Helper()
	harness.Check(t, shared.agent.Configure(nil, lines...))
	if res := harness.Must(shared.agent.CLI(context.WithoutCancel(t.Context()), "reload"))(t); res.Exit != 0 {
		t.Fatalf("reload with %q: %s%s", lines, res.Out, res.Err)
	}
}
