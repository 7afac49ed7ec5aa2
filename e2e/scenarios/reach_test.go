package scenarios

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// A VM on a flat provider network is reached from behind the top of rack.
func TestProviderVM(t *testing.T) {
	hv := shared.Chassis[2]
	guest(t, "vm-flat", shared.public, hv, "172.24.4.31", "2001:db8:4::31")
	for _, addr := range []string{"172.24.4.31", "2001:db8:4::31"} {
		at(t, addr, hv)
		pings(t, addr)
	}
}

// A VM that is unplugged is withdrawn, and nothing of it stays behind.
func TestPortDown(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	spec := lab.PortSpec{
		Name: "vm-down", Network: shared.public, Chassis: hv,
		Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.32")},
	}
	p := harness.Must(shared.Neutron.Port(ctx, spec))(t)
	vm := harness.Must(hv.PlugVM(ctx, p))(t)
	at(t, "172.24.4.32", hv)
	harness.Check(t, vm.Unplug(ctx))
	at(t, "172.24.4.32")
	settled(t)
	if out := harness.Must(hv.Run(ctx, "ip", "route", "show", "table", "201"))(t); strings.Contains(out, "172.24.4.32") {
		t.Errorf("the route is left:\n%s", out)
	}
	harness.Check(t, p.Delete(ctx))
}

// A VM that moves is announced by its new chassis and no longer by the old one.
func TestMove(t *testing.T) {
	ctx := testContext(t)
	from, to := shared.Chassis[1], shared.Chassis[2]
	spec := lab.PortSpec{
		Name: "vm-move", Network: shared.public, Chassis: from,
		Addrs: []netip.Addr{netip.MustParseAddr("172.24.4.33")},
	}
	p := harness.Must(shared.Neutron.Port(ctx, spec))(t)
	vm := harness.Must(from.PlugVM(ctx, p))(t)
	at(t, "172.24.4.33", from)
	pings(t, "172.24.4.33")
	harness.Check(t, vm.Unplug(ctx))
	harness.Check(t, p.Move(ctx, to))
	vm = harness.Must(to.PlugVM(ctx, p))(t)
	at(t, "172.24.4.33", to)
	pings(t, "172.24.4.33")
	harness.Check(t, vm.Unplug(ctx))
	harness.Check(t, p.Delete(ctx))
}

// tenant is a tenant network behind a router with a gateway on the public
// network, and a VM on it.
type tenant struct {
	router *lab.Router
	vm     *lab.VM
}

func newTenant(t *testing.T, name, cidr, gateway, gateway6, vm string, on *lab.Chassis,
	gateways ...*lab.Chassis,
) tenant {
	t.Helper()
	ctx := testContext(t)
	n := harness.Must(shared.Neutron.TenantNetwork(ctx, name, netip.MustParsePrefix(cidr)))(t)
	r := harness.Must(shared.Neutron.Router(ctx, lab.RouterSpec{
		Name: name, External: shared.public, Gateways: gateways, SNAT: true,
		Addrs: []netip.Addr{netip.MustParseAddr(gateway), netip.MustParseAddr(gateway6)},
	}))(t)
	harness.Check(t, r.Attach(ctx, n))
	return tenant{r, guest(t, name+"-vm", n, on, vm)}
}

// A gateway port is announced by the chassis that has it, and moves with it; a
// distributed floating IP is announced by the VM's chassis and stays there; a
// centralised one moves with the gateway.
func TestGatewayAndFloatingIPs(t *testing.T) {
	ctx := testContext(t)
	gw1, gw2, hv3 := shared.Chassis[0], shared.Chassis[1], shared.Chassis[2]
	ten := newTenant(t, "blue", "10.0.0.0/26", "172.24.4.40", "2001:db8:4::40", "10.0.0.5", hv3, gw1, gw2)
	for _, addr := range []string{"172.24.4.40", "2001:db8:4::40"} {
		at(t, addr, gw1)
		pings(t, addr)
	}
	fip := harness.Must(shared.Neutron.FloatingIP(ctx, ten.router, ten.vm.Port, netip.MustParseAddr("172.24.4.41"),
		true))(t)
	at(t, "172.24.4.41", hv3)
	pings(t, "172.24.4.41")

	t.Run("failover", func(t *testing.T) {
		harness.Check(t, ten.router.Prefer(ctx, gw2, gw1))
		at(t, "172.24.4.40", gw2)
		at(t, "2001:db8:4::40", gw2)
		at(t, "172.24.4.41", hv3)
		pings(t, "172.24.4.40")
		pings(t, "172.24.4.41")
	})
	t.Run("controller stops", func(t *testing.T) {
		harness.Check(t, gw2.StopController(ctx))
		at(t, "172.24.4.40", gw1)
		pings(t, "172.24.4.40")
		harness.Check(t, gw2.StartController(ctx))
		at(t, "172.24.4.40", gw2)
	})
	t.Run("centralised", func(t *testing.T) {
		harness.Check(t, fip.SetDistributed(ctx, false))
		at(t, "172.24.4.41", gw2)
		pings(t, "172.24.4.41")
		harness.Check(t, fip.Delete(ctx))
		at(t, "172.24.4.41")
	})
}

// settled waits until no agent has anything to do.
func settled(t *testing.T) {
	t.Helper()
	for _, a := range shared.agents {
		harness.Check(t, a.Settle(testContext(t)))
	}
}
