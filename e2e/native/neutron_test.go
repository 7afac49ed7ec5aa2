package native

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// cloud is what Neutron's ovn-bgp service makes, with a tenant's router on the provider network.
type cloud struct {
	*world
	service        *lab.BGPService
	public, tenant *lab.Network
	router         *lab.Router
}

// neutronConfig is that of docs/ovn-native.md, for a kernel without VRF devices.
var neutronConfig = []string{
	`  export: {allow: ["0.0.0.0/0 le 32", "::/0 le 128"], deny: ["0.0.0.0/0", "::/0"]}`,
	"drivers: [ovn_native_driver]",
	`learn: {accept: ["0.0.0.0/0", "::/0"]}`,
	"native: {vrf_mode: never}",
}

func startCloud(t *testing.T, release string) *cloud {
	t.Helper()
	c := &cloud{world: start(t, release, lab.Options{
		Chassis: []lab.ChassisSpec{{Gateway: true}, {Gateway: true}}, Spine: true, Unnumbered: true,
	})}
	ctx := harness.Context(t, patience)
	c.public = harness.Must(c.Neutron.ProviderNetwork(ctx, "public", "physnet1", 0,
		netip.MustParsePrefix("172.24.4.0/24"), netip.MustParsePrefix("2001:db8:4::/64")))(t)
	c.service = harness.Must(c.Neutron.BGPService(ctx, c.public, false, c.Chassis...))(t)
	c.tenant = harness.Must(c.Neutron.TenantNetwork(ctx, "tenant", netip.MustParsePrefix("10.0.1.0/24")))(t)
	c.router = harness.Must(c.Neutron.Router(ctx, lab.RouterSpec{
		Name: "edge", External: c.public, Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.5")}, Gateways: c.Chassis,
	}))(t)
	harness.Check(t, c.router.Attach(ctx, c.tenant))
	for _, hv := range c.Chassis {
		harness.Check(t, c.service.PeerBridgeFlows(ctx, hv))
		a := harness.Must(product.NewUnnumbered(hv, c.bin, neutronConfig...))(t)
		harness.Check(t, a.Start(ctx))
		c.agents = append(c.agents, a)
	}
	for _, hv := range c.Chassis {
		for _, tor := range []*lab.Tor{c.Tor, c.Tor2} {
			if err := tor.AwaitNeighbour(ctx, hv.Name); err != nil {
				t.Fatalf("%v\n%s", err, c.agents[hv.Index-1].Tail(30))
			}
		}
	}
	return c
}

func TestNeutron(t *testing.T) {
	c := startCloud(t, "26.03")
	hv1, hv2 := c.Chassis[0], c.Chassis[1]
	ctx := harness.Context(t, patience)
	port := harness.Must(c.Neutron.Port(ctx, lab.PortSpec{
		Name: "vm", Network: c.tenant, Addrs: []netip.Addr{netip.MustParseAddr("10.0.1.10")}, Chassis: hv1,
	}))(t)
	harness.Must(hv1.PlugVM(ctx, port))(t)
	for _, hv := range c.Chassis {
		harness.Check(t, c.service.InterconnectFlows(ctx, hv))
	}
	c.at("172.24.4.1/32", hv1, hv2)
	c.at("172.24.4.5/32", hv1)
	address := netip.MustParseAddr("172.24.4.100")
	harness.Must(c.Neutron.FloatingIP(ctx, c.router, port, address, true))(t)
	c.at("172.24.4.100/32", hv1)
	harness.Check(t, c.Host.AwaitPing(ctx, address))
}
