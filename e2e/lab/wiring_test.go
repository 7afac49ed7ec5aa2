package lab_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

func TestTenantTraffic(t *testing.T) {
	ctx := testContext(t)
	net := tenant(t, "green", "10.9.0.0/24", "fd00:9::/64")
	a := guest(t, "green-a", net, shared.Chassis[0], "10.9.0.11", "fd00:9::11")
	b := guest(t, "green-b", net, shared.Chassis[2], "10.9.0.12", "fd00:9::12")
	for _, to := range b.Port.Addrs {
		harness.Check(t, a.AwaitPing(ctx, to))
	}
	harness.Check(t, shared.Chassis[2].RestartSwitch(ctx))
	harness.Check(t, a.AwaitPing(ctx, b.Port.Addrs[0]))
	harness.Check(t, shared.Central.Southbound.Kill())
	harness.Check(t, shared.Central.Southbound.Start(ctx))
	harness.Check(t, shared.Central.Sync(ctx))
}

func TestProviderFlat(t *testing.T) {
	ctx := testContext(t)
	vm := guest(t, "flat-a", public(t), shared.Chassis[0], "172.24.4.11", "2001:db8:4::11")
	expose(t, shared.Chassis[0], public(t), vm.Port.Addrs...)
	for _, a := range vm.Port.Addrs {
		harness.Check(t, shared.Host.AwaitPing(ctx, a))
		lossless(t, shared.Host.Node, a)
	}
	lossless(t, vm.Node, shared.Host.Addrs[0].Addr())
}

func TestFloatingIP(t *testing.T) {
	ctx := testContext(t)
	hv1, hv2, hv3 := shared.Chassis[0], shared.Chassis[1], shared.Chassis[2]
	priv := tenant(t, "priv", "10.10.0.0/24")
	router := routed(t, priv, lab.RouterSpec{
		Name: "r1", External: public(t), SNAT: true, Gateways: []*lab.Chassis{hv1, hv2},
		Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.100"), netip.MustParseAddr("2001:db8:4::100")},
	})
	vm := guest(t, "priv-a", priv, hv3, "10.10.0.11")
	harness.Check(t, router.AwaitGateway(ctx, hv1))
	addr := netip.MustParseAddr("172.24.4.111")

	fip := harness.Must(shared.Neutron.FloatingIP(ctx, router, vm.Port, addr, true))(t)
	harness.Check(t, shared.Central.Sync(ctx))
	t.Run("distributed", func(t *testing.T) {
		expose(t, hv3, public(t), addr)
		harness.Check(t, shared.Host.AwaitPing(ctx, addr))
		lossless(t, shared.Host.Node, addr)
	})
	harness.Check(t, fip.SetDistributed(ctx, false))
	harness.Check(t, shared.Central.Sync(ctx))
	t.Run("centralised", func(t *testing.T) {
		expose(t, hv1, public(t), addr)
		harness.Check(t, shared.Host.AwaitPing(ctx, addr))
	})
	t.Run("gateway moves with a stopped controller", func(t *testing.T) {
		harness.Check(t, hv1.StopController(ctx))
		harness.Check(t, router.AwaitGateway(ctx, hv2))
		expose(t, hv2, public(t), addr)
		harness.Check(t, shared.Host.AwaitPing(ctx, addr))
		harness.Check(t, hv1.StartController(ctx))
		harness.Check(t, router.AwaitGateway(ctx, hv1))
	})
	t.Run("gateway moves with cut tunnels", func(t *testing.T) {
		harness.Check(t, hv2.AwaitTunnels(ctx))
		harness.Check(t, hv1.SetTunnels(false))
		harness.Check(t, router.AwaitGateway(ctx, hv2))
		harness.Check(t, hv1.SetTunnels(true))
		harness.Check(t, router.AwaitGateway(ctx, hv1))
	})
	harness.Check(t, fip.Delete(ctx))
}

func TestVirtualPort(t *testing.T) {
	ctx := testContext(t)
	a := guest(t, "vip-a", public(t), shared.Chassis[0], "172.24.4.21")
	b := guest(t, "vip-b", public(t), shared.Chassis[1], "172.24.4.22")
	vip := harness.Must(shared.Neutron.Port(ctx, lab.PortSpec{
		Name: "vip", Network: public(t),
		Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.20")}, Parents: []*lab.Port{a.Port, b.Port},
	}))(t)
	harness.AtEnd(t, vip.Delete)
	harness.Check(t, shared.Central.Sync(ctx))
	for _, vm := range []*lab.VM{a, b} {
		harness.Check(t, vm.Announce(vip.Addrs[0]))
		harness.Check(t, vip.AwaitBound(ctx, vm.Chassis))
	}
}

func TestLoadBalancer(t *testing.T) {
	ctx := testContext(t)
	hv2, hv3 := shared.Chassis[1], shared.Chassis[2]
	members := tenant(t, "lbn", "10.40.0.0/24")
	router := routed(t, members, lab.RouterSpec{
		Name: "r4", External: public(t),
		Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.130")}, Gateways: []*lab.Chassis{hv2},
	})
	vm := guest(t, "member", members, hv3, "10.40.0.11")
	lb := harness.Must(shared.Neutron.LoadBalancer(ctx, lab.LoadBalancerSpec{
		Name: "lb", Network: public(t), VIP: netip.MustParseAddr("172.24.4.140"), Port: 80,
		Members:  []netip.AddrPort{netip.AddrPortFrom(vm.Port.Addrs[0], 8080)},
		Switches: []*lab.Network{members}, Router: router,
	}))(t)
	harness.Check(t, router.AwaitGateway(ctx, hv2))
	expose(t, hv2, public(t), netip.MustParseAddr("172.24.4.140"))
	server := harness.Must(vm.Serve(netip.MustParseAddrPort("10.40.0.11:8080"), "here"))(t)
	t.Cleanup(func() { harness.Check(t, server.Close()) })
	if got := harness.Must(shared.Host.AwaitFetch(ctx, netip.MustParseAddrPort("172.24.4.140:80")))(t); got != "here" {
		t.Errorf("through the load balancer: got %q, want %q", got, "here")
	}
	harness.Check(t, lb.Delete(ctx))
}

func TestPortMoves(t *testing.T) {
	ctx := testContext(t)
	from, to := shared.Chassis[0], shared.Chassis[1]
	port := harness.Must(shared.Neutron.Port(ctx, lab.PortSpec{
		Name: "mover", Network: public(t),
		Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.31")}, Chassis: from,
	}))(t)
	harness.AtEnd(t, port.Delete)
	for _, c := range []*lab.Chassis{from, to, from} {
		harness.Check(t, port.Move(ctx, c))
		vm := harness.Must(c.PlugVM(ctx, port))(t)
		harness.Check(t, port.AwaitBound(ctx, c))
		harness.Check(t, vm.Unplug(ctx))
	}
}

func TestVLANNetwork(t *testing.T) {
	ctx := testContext(t)
	net := harness.Must(shared.Neutron.ProviderNetwork(ctx, "public101", "physnet1", 101,
		netip.MustParsePrefix("172.24.8.0/24")))(t)
	harness.AtEnd(t, net.Delete)
	guest(t, "vlan-a", net, shared.Chassis[0], "172.24.8.11")
	harness.Must(shared.Chassis[0].Ofport(ctx, net.PatchPort()))(t)
}

// lossless waits until ten requests in a row are answered. Right after the
// first answer OVN may still drop some: it installs what it learnt by ARP.
func lossless(t *testing.T, from *lab.Node, to netip.Addr) {
	t.Helper()
	ctx := testContext(t)
	for {
		r, err := from.Ping(ctx, to, 10, 10*time.Millisecond)
		harness.Check(t, err)
		if r.Lossless() {
			return
		}
		t.Logf("ping %s from %s: %+v", to, from.Name, r)
	}
}
