package scenarios

import (
	"context"
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// A gateway moves with traffic running, and everything behind it: its own
// addresses, a centralised floating IP and a tenant's address, of both families.
// In the end only the new node announces them and the traffic goes on. How much
// is lost is told and not judged: OVN moves the gateway, and BGP the routes, and
// neither waits for the other. A distributed floating IP of the same router does
// not move, and loses nothing.
func TestGatewayFailover(t *testing.T) {
	gw1, gw2, hv := shared.Chassis[0], shared.Chassis[1], shared.Chassis[2]
	expose(t, shared.agents[:2], "expose_tenant_networks: true")
	s := newSite(t, "teal", []string{"10.22.0.0/26", "2600:db8:22::/64"}, []string{"172.24.4.217", "2001:db8:4::217"},
		gw1, gw2)
	vm := guest(t, "teal-vm", s.network, hv, "10.22.0.5", "2600:db8:22::5")
	central := guest(t, "teal-central", s.network, hv, "10.22.0.6")
	distributed := guest(t, "teal-distributed", s.network, hv, "10.22.0.7")
	s.float(t, central.Port, "172.24.4.218", false)
	s.float(t, distributed.Port, "172.24.4.219", true)
	moving := []string{"172.24.4.217", "2001:db8:4::217", "172.24.4.218"}
	for _, a := range vm.Port.Addrs {
		moving = append(moving, a.String())
	}
	for _, addr := range moving {
		at(t, addr, gw1)
	}
	at(t, "172.24.4.219", hv)

	t.Run("another is preferred", func(t *testing.T) {
		failover(t, moving, gw2, func(ctx context.Context) error { return s.router.Prefer(ctx, gw2, gw1) })
	})
	t.Run("its controller stops", func(t *testing.T) {
		failover(t, moving, gw1, gw2.StopController)
	})
	t.Run("its controller comes back", func(t *testing.T) {
		failover(t, moving, gw2, gw2.StartController)
	})
	t.Run("its tunnels are cut", func(t *testing.T) {
		harness.Check(t, gw1.AwaitTunnels(testContext(t)))
		failover(t, moving, gw1, func(context.Context) error { return gw2.SetTunnels(false) })
		harness.Check(t, gw2.SetTunnels(true))
		for _, addr := range moving {
			at(t, addr, gw2)
		}
	})
	t.Run("its controller is killed", func(t *testing.T) {
		stays(t, moving, gw2)
	})
	settled(t)
}

// failover moves the gateway to a chassis while traffic runs.
func failover(t *testing.T, moving []string, to *lab.Chassis, do func(context.Context) error) {
	t.Helper()
	ctx := testContext(t)
	fixed, running := traffic(t, "172.24.4.219"), travellers(t)
	events := harness.Must(shared.Tor.WatchRoutes(ctx))(t)
	harness.Check(t, do(ctx))
	for _, addr := range moving {
		at(t, addr, to)
	}
	outcome(t, running...)
	undisturbed(t, fixed)
	for _, addr := range moving { // still
		at(t, addr, to)
	}
	for len(events) > 0 {
		if e := <-events; e.Prefix == host("172.24.4.219") {
			t.Errorf("the distributed floating IP moved: %s", e)
		}
	}
}

// travellers is traffic to one address of each sort that moves with the gateway:
// its own, a floating IP's, a tenant's.
func travellers(t *testing.T) (running []*lab.Traffic) {
	t.Helper()
	for _, addr := range []string{"172.24.4.217", "172.24.4.218", "2600:db8:22::5"} {
		running = append(running, traffic(t, addr))
	}
	return running
}

// stays kills the controller of the chassis that has the gateway. The switch
// goes on forwarding and answering for its tunnels, so nothing moves and nothing
// is lost, and the node goes on announcing: its database says what it said.
func stays(t *testing.T, addrs []string, on *lab.Chassis) {
	t.Helper()
	ctx := testContext(t)
	running := travellers(t)
	harness.Check(t, on.Controller.Kill())
	undisturbed(t, running...)
	settled(t)
	for _, addr := range addrs {
		at(t, addr, on)
	}
	harness.Check(t, on.StartController(ctx))
	settled(t)
	for _, addr := range addrs {
		at(t, addr, on)
	}
}

// A VM with a provider address and a VM behind a floating IP are on one chassis
// and reach each other (S54): the packet leaves OVN towards the fabric, and the
// kernel sends it back out of the bridge that it came in by.
func TestHairpin(t *testing.T) {
	hv := shared.Chassis[2]
	s := newSite(t, "plum", []string{"10.23.0.0/26"}, []string{"172.24.4.220"}, shared.Chassis[0])
	inside := guest(t, "plum-vm", s.network, hv, "10.23.0.5")
	s.float(t, inside.Port, "172.24.4.221", true)
	outside := guest(t, "plum-provider", shared.public, hv, "172.24.4.222")
	at(t, "172.24.4.221", hv)
	at(t, "172.24.4.222", hv)
	pings(t, "172.24.4.221")
	pings(t, "172.24.4.222")
	for _, pair := range []struct {
		from *lab.VM
		to   string
	}{{outside, "172.24.4.221"}, {inside, "172.24.4.222"}} {
		ctx := testContext(t)
		to := netip.MustParseAddr(pair.to)
		harness.Check(t, pair.from.AwaitPing(ctx, to))
		var last lab.PingResult
		if err := harness.Until(ctx, to.String()+" to answer every ping", func() bool {
			last = harness.Must(pair.from.Ping(ctx, to, 20, trafficInterval))(t)
			return last.Lossless()
		}); err != nil {
			t.Errorf("%s to %s: %+v", pair.from.Name, to, last)
		}
	}
	settled(t)
}
