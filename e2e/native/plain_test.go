package native

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// plain is a router of OVN without anything around it: a gateway port on a provider network that
// the nodes route into, and a tenant behind it.
type plain struct {
	*world
	public, tenant *lab.Network
	router         *lab.Router
	vm             *lab.VM
}

func startPlain(t *testing.T, release string) *plain {
	t.Helper()
	p := &plain{world: start(t, release, lab.Options{Chassis: []lab.ChassisSpec{{Gateway: true}, {Gateway: true}}})}
	ctx := harness.Context(t, patience)
	p.public = harness.Must(p.Neutron.ProviderNetwork(ctx, "public", "physnet1", 0,
		netip.MustParsePrefix("172.24.4.0/24")))(t)
	p.tenant = harness.Must(p.Neutron.TenantNetwork(ctx, "tenant", netip.MustParsePrefix("10.0.1.0/24")))(t)
	p.router = harness.Must(p.Neutron.Router(ctx, lab.RouterSpec{
		Name: "edge", External: p.public, Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.5")}, Gateways: p.Chassis,
	}))(t)
	harness.Check(t, p.router.Attach(ctx, p.tenant))
	port := harness.Must(p.Neutron.Port(ctx, lab.PortSpec{
		Name: "vm", Network: p.tenant, Addrs: []netip.Addr{netip.MustParseAddr("10.0.1.10")}, Chassis: p.Chassis[0],
	}))(t)
	p.vm = harness.Must(p.Chassis[0].PlugVM(ctx, port))(t)
	for _, hv := range p.Chassis {
		// The operator's part: the node is the provider network's gateway.
		harness.Must(hv.Run(ctx, "ip", "addr", "add", "172.24.4.1/24", "dev", "br-ex"))(t)
		a := harness.Must(product.New(hv, p.bin, "drivers: [ovn_native_driver]",
			"native: {vrf_mode: never, require_kernel: true}"))(t)
		harness.Check(t, a.Start(ctx))
		p.agents = append(p.agents, a)
	}
	for _, hv := range p.Chassis {
		if err := p.Tor.AwaitPeer(ctx, hv.Addr4); err != nil {
			t.Fatalf("%v\n%s", err, p.agents[hv.Index-1].Tail(30))
		}
	}
	return p
}

// advertise says what OVN is to advertise of the router.
func (p *plain) advertise(kinds string) {
	p.t.Helper()
	_, err := p.Central.Nbctl(harness.Context(p.t, patience), "set", "Logical_Router", p.router.LogicalName(),
		"options:dynamic-routing=true", fmt.Sprintf("options:dynamic-routing-redistribute=%q", kinds))
	harness.Check(p.t, err)
}

// table is the routing table of the router: its tunnel key.
func (p *plain) table(ctx context.Context) string {
	p.t.Helper()
	out, err := p.Central.Sbctl(ctx, "--bare", "--columns=tunnel_key", "find", "Datapath_Binding",
		"external_ids:name="+p.router.LogicalName())
	harness.Check(p.t, err)
	return strings.TrimSpace(out)
}

// at waits until the top of rack sends a prefix to exactly these nodes.
func (w *world) at(prefix string, to ...*lab.Chassis) {
	w.t.Helper()
	p := netip.MustParsePrefix(prefix)
	if _, err := w.Tor.WaitRoute(harness.Context(w.t, patience), p, to...); err != nil {
		for _, a := range w.agents {
			res, _ := a.CLI(w.t.Context(), "explain", p.Addr().String())
			w.t.Logf("%s: %s%s\n%s", a.Chassis.Name, res.Out, res.Err, a.Tail(15))
		}
		w.t.Fatal(err)
	}
}

// TestPlainRouter: what northd computes for a router is announced by the node that holds its
// gateway, and carries traffic; it follows the gateway, and goes when OVN does not advertise it
// any more.
func TestPlainRouter(t *testing.T) {
	for _, release := range releases {
		t.Run(release, func(t *testing.T) { testPlainRouter(t, startPlain(t, release)) })
	}
}

func testPlainRouter(t *testing.T, p *plain) {
	hv1, hv2 := p.Chassis[0], p.Chassis[1]
	ctx := harness.Context(t, patience)
	harness.Check(t, p.router.AwaitGateway(ctx, hv1))
	address := netip.MustParseAddr("172.24.4.100")
	fip := harness.Must(p.Neutron.FloatingIP(ctx, p.router, p.vm.Port, address, false))(t)
	p.at("172.24.4.100/32") // OVN does not advertise anything yet

	p.advertise("connected,static,nat,lb")
	p.at("172.24.4.100/32", hv1)
	p.at("172.24.4.0/24", hv1)
	p.at("10.0.1.0/24", hv1)
	harness.Check(t, p.Host.AwaitPing(ctx, address))
	p.kernelHas(hv1, "172.24.4.100")
	p.notPrivate(hv1)
	p.at("0.0.0.0/0") // OVN advertises the router's own one

	balancer := harness.Must(p.Neutron.LoadBalancer(ctx, lab.LoadBalancerSpec{
		Name: "web", Network: p.public, VIP: netip.MustParseAddr("172.24.4.80"), Port: 80, Router: p.router,
		Switches: []*lab.Network{p.tenant}, Members: []netip.AddrPort{netip.MustParseAddrPort("10.0.1.10:8080")},
	}))(t)
	p.at("172.24.4.80/32", hv1)

	harness.Check(t, p.router.Prefer(ctx, hv2, hv1))
	p.at("172.24.4.100/32", hv2)
	p.at("172.24.4.80/32", hv2)
	harness.Check(t, p.Host.AwaitPing(ctx, address))

	harness.Check(t, fip.Delete(ctx))
	p.at("172.24.4.100/32")
	harness.Check(t, balancer.Delete(ctx))
	p.at("172.24.4.80/32")
	p.at("172.24.4.0/24", hv2)
	p.advertise("nat")
	p.at("172.24.4.0/24")
}

// kernelHas waits for a route of ovn-controller (protocol 84) in the router's table.
func (p *plain) kernelHas(on *lab.Chassis, prefix string) {
	p.t.Helper()
	ctx := harness.Context(p.t, patience)
	table := p.table(ctx)
	err := harness.Await(ctx, prefix+" in table "+table, func(ctx context.Context) (bool, error) {
		out, err := on.Run(ctx, "ip", "route", "show", "table", table, "proto", "84")
		if err == nil && !strings.Contains(out, prefix+" ") {
			err = fmt.Errorf("there is %q", out)
		}
		return err == nil, err
	})
	harness.Check(p.t, err)
}

// notPrivate puts a route of its own into the router's table, which OVN would learn, and takes it away
// again: the status names it meanwhile.
func (p *plain) notPrivate(on *lab.Chassis) {
	p.t.Helper()
	ctx := harness.Context(p.t, patience)
	route := []string{"10.77.0.0/16", "via", on.TorAddr4.String(), "table", p.table(ctx), "proto", "ospf"}
	for _, verb := range []string{"add", "del"} {
		harness.Must(on.Run(ctx, "ip", append([]string{"route", verb}, route...)...))(p.t)
		listed := false
		err := harness.Await(ctx, "table-not-private after "+verb, func(ctx context.Context) (bool, error) {
			s, err := p.agents[on.Index-1].Status(ctx)
			listed = slices.ContainsFunc(s.Skipped, func(k observe.Skip) bool { return k.Code == native.CodeNotPrivate })
			return err == nil && listed == (verb == "add"), err
		})
		if err != nil {
			p.t.Fatalf("%v: listed %t", err, listed)
		}
	}
}
