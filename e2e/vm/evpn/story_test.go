//go:build guest

package evpn

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// tenant is a tenant network behind a router with a VNI, a VM on it, and a host in
// the top of rack's VRF of the same VNI.
type tenant struct {
	network *lab.Network
	router  *lab.Router
	vm      *lab.VM
	vrf     *lab.VRF
	vni     int
}

// The addresses that all tenants use.
var (
	inside  = []string{"10.0.0.5", "2600:db8:1::5"}
	outside = []string{"10.9.0.10", "2600:db8:9::a"}
)

func newTenant(t *testing.T, name string, vni int, external *lab.Network, gateway []string, on *lab.Chassis, gws ...*lab.Chassis) *tenant {
	t.Helper()
	ctx := storyContext(t)
	tn := &tenant{vni: vni}
	tn.network = must[*lab.Network](t)(shared.Neutron.TenantNetwork(ctx, name, netip.MustParsePrefix("10.0.0.0/26"), netip.MustParsePrefix("2600:db8:1::/64")))
	tn.router = must[*lab.Router](t)(shared.Neutron.Router(ctx, lab.RouterSpec{Name: name, External: external, Gateways: gws, Addrs: addrs(gateway)}))
	check(t, tn.router.Attach(ctx, tn.network))
	check(t, tn.router.AssociateVPN(ctx, lab.VPN{VNI: vni, AS: lab.ChassisAS}))
	p := must[*lab.Port](t)(shared.Neutron.Port(ctx, lab.PortSpec{Name: name, Network: tn.network, Chassis: on, Addrs: addrs(inside)}))
	tn.vm = must[*lab.VM](t)(on.PlugVM(ctx, p))
	tn.vrf = must[*lab.VRF](t)(shared.Tor.VRF(ctx, name, vni, netip.MustParsePrefix("10.9.0.0/24"), netip.MustParsePrefix("2600:db8:9::/64")))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		check(t, tn.vm.Unplug(ctx))
		check(t, p.Delete(ctx))
		check(t, tn.router.Delete(ctx))
		check(t, tn.network.Delete(ctx))
		check(t, tn.vrf.Delete(ctx))
	})
	return tn
}

func addrs(list []string) []netip.Addr {
	out := make([]netip.Addr, len(list))
	for i, a := range list {
		out[i] = netip.MustParseAddr(a)
	}
	return out
}

// connected demands that both ends come to reach each other, IPv4 and IPv6.
func (tn *tenant) connected(t *testing.T) {
	t.Helper()
	ctx := storyContext(t)
	for _, a := range addrs(inside) {
		if err := tn.vrf.Host.AwaitPing(ctx, a); err != nil {
			t.Fatalf("%v\n%s", err, tn.state(t))
		}
	}
	for _, a := range addrs(outside) {
		if err := tn.vm.AwaitPing(ctx, a); err != nil {
			t.Fatalf("%v\n%s", err, tn.state(t))
		}
	}
}

// state is what to look at when packets do not arrive.
func (tn *tenant) state(t *testing.T) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var b strings.Builder
	for i, gw := range shared.gw {
		for _, args := range [][]string{{"plan"}, {"explain", inside[0]}} {
			res, _ := shared.agents[i].CLI(ctx, args...)
			b.WriteString("# " + gw.Name + " " + strings.Join(args, " ") + "\n" + res.Out + res.Err)
		}
		out, _ := gw.Run(ctx, "sh", "-c", "ip -br link; ip -d link show type vxlan; ip neigh; bridge fdb; ip route show table 1001; ip -6 route show table 1001; ip route show table 1002")
		flows, _ := gw.Ofctl(ctx, "dump-flows", "br-ex")
		b.WriteString(out + flows + shared.agents[i].Tail(10) + "\n")
	}
	out, _ := shared.Tor.Vtysh(ctx, "show bgp l2vpn evpn route", "show evpn next-hops vni all", "show ip route vrf all")
	return b.String() + out
}

// settled waits until no controller has anything left to do.
func settled(t *testing.T) {
	t.Helper()
	ctx := storyContext(t)
	for _, a := range shared.agents {
		var last string
		if err := await(ctx, func() bool {
			res, err := a.CLI(ctx, "plan")
			last = res.Out + res.Err
			return err == nil && res.Exit == 0
		}); err != nil {
			t.Fatalf("it does not settle: %v\n%s\n%s", err, last, a.Tail(15))
		}
	}
}

// A VM on a tenant network and a host in FRR's VRF of the same VNI reach each
// other through the node that has the router's gateway, on a flat provider network
// and on a VLAN.
func TestTenant(t *testing.T) {
	for _, at := range []struct {
		name     string
		external *lab.Network
		gateway  []string
	}{
		{"flat", shared.flat, []string{"172.24.4.40", "2001:db8:4::40"}},
		{"vlan", shared.v100, []string{"172.24.100.40", "2001:db8:100::40"}},
	} {
		t.Run(at.name, func(t *testing.T) {
			tn := newTenant(t, "t-"+at.name, 1001, at.external, at.gateway, shared.gw[1], shared.gw...)
			tn.connected(t)
			settled(t)
		})
	}
}
