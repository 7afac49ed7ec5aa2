package native

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// cloud is what Neutron's ovn-bgp service makes, with a tenant's router on the provider network.
// The third chassis has nothing of the service.
type cloud struct {
	*world
	service        *lab.BGPService
	public, tenant *lab.Network
	router         *lab.Router

	// A guest with a floating IP that is translated where it is, and one whose is translated at
	// the router's gateway; a guest on the provider network.
	vm, far, direct *lab.VM
}

const (
	gatewayIP = "172.24.4.1"  // of the provider network, at every chassis
	routerIP  = "172.24.4.5"  // of the tenant's router
	directIP  = "172.24.4.20" // of the guest on the provider network
	direct6   = "2001:db8:4::20"
	nearIP    = "172.24.4.100" // translated on the guest's chassis
	farIP     = "172.24.4.101" // translated at the gateway
)

// neutronConfig is that of docs/ovn-native.md, for a kernel without VRF devices.
func neutronConfig(more ...string) []string {
	return append([]string{
		`  export: {allow: ["0.0.0.0/0 le 32", "::/0 le 128"], deny: ["0.0.0.0/0", "::/0"]}`,
		"drivers: [ovn_native_driver]",
		`learn: {accept: ["0.0.0.0/0", "::/0"]}`,
	}, more...)
}

func startCloud(t *testing.T, release string) *cloud {
	t.Helper()
	c := &cloud{world: start(t, release, lab.Options{
		Chassis: []lab.ChassisSpec{{Gateway: true}, {Gateway: true}, {}}, Spine: true, Unnumbered: true,
	})}
	ctx := harness.Context(t, patience)
	c.public = harness.Must(c.Neutron.ProviderNetwork(ctx, "public", "physnet1", 0,
		netip.MustParsePrefix("172.24.4.0/24"), netip.MustParsePrefix("2001:db8:4::/64")))(t)
	c.service = harness.Must(c.Neutron.BGPService(ctx, c.public, false, c.Chassis[:2]...))(t)
	c.tenant = harness.Must(c.Neutron.TenantNetwork(ctx, "tenant", netip.MustParsePrefix("10.0.1.0/24")))(t)
	c.router = harness.Must(c.Neutron.Router(ctx, lab.RouterSpec{
		Name: "edge", External: c.public, Addrs: []netip.Addr{netip.MustParseAddr(routerIP)},
		Gateways: c.Chassis[:2], SNAT: true,
	}))(t)
	harness.Check(t, c.router.Attach(ctx, c.tenant))
	c.vm = c.guest("near", c.tenant, c.Chassis[0], "10.0.1.10")
	c.far = c.guest("far", c.tenant, c.Chassis[2], "10.0.1.11")
	c.direct = c.guest("direct", c.public, c.Chassis[1], directIP, direct6)
	for i, hv := range c.Chassis {
		if i < 2 {
			harness.Check(t, c.service.PeerBridgeFlows(ctx, hv))
			harness.Check(t, c.service.InterconnectFlows(ctx, hv))
		}
		a := harness.Must(product.NewUnnumbered(hv, c.bin, neutronConfig("native: {vrf_mode: never}")...))(t)
		harness.Check(t, a.Start(ctx))
		c.agents = append(c.agents, a)
	}
	for _, hv := range c.Chassis {
		c.sessions(hv)
	}
	return c
}

// guest plugs a guest into a chassis.
func (c *cloud) guest(name string, n *lab.Network, on *lab.Chassis, addrs ...string) *lab.VM {
	c.t.Helper()
	ctx := harness.Context(c.t, patience)
	spec := lab.PortSpec{Name: name, Network: n, Chassis: on}
	for _, a := range addrs {
		spec.Addrs = append(spec.Addrs, netip.MustParseAddr(a))
	}
	port := harness.Must(c.Neutron.Port(ctx, spec))(c.t)
	return harness.Must(on.PlugVM(ctx, port))(c.t)
}

// sessions waits until a chassis has one with both tops of rack.
func (c *cloud) sessions(hv *lab.Chassis) {
	c.t.Helper()
	for _, tor := range []*lab.Tor{c.Tor, c.Tor2} {
		if err := tor.AwaitNeighbour(harness.Context(c.t, patience), hv.Name); err != nil {
			c.t.Fatalf("%v\n%s", err, c.agents[hv.Index-1].Tail(30))
		}
	}
}

// learned waits until the default route in the table of a chassis' router leads over exactly
// these cables, and OVN has it in Learned_Route.
func (c *cloud) learned(hv *lab.Chassis, cables ...int) {
	c.t.Helper()
	ctx := harness.Context(c.t, patience)
	err := harness.Await(ctx, "what "+hv.Name+" has learned", func(ctx context.Context) (bool, error) {
		out, err := hv.Run(ctx, "ip", "route", "show", "table", lab.ChassisTable, "proto", "186")
		if err != nil {
			return false, err
		}
		for i := range hv.Uplinks() {
			if strings.Contains(out, lab.PeerBridge(i)+" ") != slices.Contains(cables, i) {
				return false, fmt.Errorf("table %s: %q", lab.ChassisTable, out)
			}
		}
		ports, err := c.learnedBy(ctx, hv)
		if err == nil && len(ports) != len(cables) {
			err = fmt.Errorf("Learned_Route has the default route on %q", ports)
		}
		return err == nil, err
	})
	if err != nil {
		res, _ := c.agents[hv.Index-1].CLI(c.t.Context(), "status")
		c.t.Fatalf("%v\n%s", err, res.Out)
	}
}

// learnedBy are the ports of a chassis' router on which OVN has learned the default route.
func (c *cloud) learnedBy(ctx context.Context, hv *lab.Chassis) ([]string, error) {
	router, err := c.Central.Sbctl(ctx, "--bare", "--columns=_uuid", "find", "Datapath_Binding",
		"external_ids:name="+c.service.ChassisRouter(hv))
	if err != nil {
		return nil, err
	}
	ports, err := c.Central.Sbctl(ctx, "--bare", "--columns=logical_port", "find", "Learned_Route",
		"datapath="+strings.TrimSpace(router), `ip_prefix="0.0.0.0/0"`)
	return strings.Fields(ports), err
}

// traffic goes from behind the fabric to an address until the test has seen what was lost.
func (c *cloud) traffic(t *testing.T, to string) *lab.Traffic {
	t.Helper()
	tr := harness.Must(c.Host.SendTraffic(netip.MustParseAddr(to), interval))(t)
	t.Cleanup(func() { _, _ = tr.Stop() }) // twice does no harm
	harness.Check(t, tr.AwaitAnswers(harness.Context(t, patience), 20))
	return tr
}

const (
	interval = 20 * time.Millisecond
	holdTime = 90 * time.Second // of the sessions
)

// lost demands that the traffic goes on, ends it, and says for how long it was interrupted.
func lost(t *testing.T, tr *lab.Traffic) time.Duration {
	t.Helper()
	harness.Check(t, tr.AwaitAnswers(harness.Context(t, patience), 20))
	r := harness.Must(tr.Stop())(t)
	t.Logf("%s: %d of %d answered, longest gap %d", tr.To, r.Received, r.Sent, r.LongestGap)
	return time.Duration(r.LongestGap) * interval
}

// TestNeutron: a node of Neutron's ovn-bgp service without FRR. Each case begins and ends with
// everything in place.
func TestNeutron(t *testing.T) {
	c := startCloud(t, "26.03")
	ctx := harness.Context(t, patience)
	harness.Must(c.Neutron.FloatingIP(ctx, c.router, c.vm.Port, netip.MustParseAddr(nearIP), true))(t)
	harness.Must(c.Neutron.FloatingIP(ctx, c.router, c.far.Port, netip.MustParseAddr(farIP), false))(t)
	for _, tt := range []struct {
		name string
		run  func(*cloud, *testing.T)
	}{
		{"announced, reachable, and out through OVN", (*cloud).everything},
		{"reload and restart", (*cloud).reloadAndRestart},
		{"a floating IP moves with its guest", (*cloud).moves},
		{"the gateway moves", (*cloud).gatewayMoves},
		{"a dead link", (*cloud).deadLink},
		{"ovn-controller killed and restarted", (*cloud).controllerDies},
		{"taken over from FRR", (*cloud).adopted},
		{"node restarted", (*cloud).nodeRestarts},
	} {
		ok := t.Run(tt.name, func(t *testing.T) {
			outer := c.t
			c.t = t
			defer func() { c.t = outer }()
			tt.run(c, t)
		})
		if !ok {
			return // the next one would only be about what this one left
		}
	}
}
