package scenarios

import (
	"context"
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// pool is two web servers on one tenant network and two chassis, behind a router
// whose gateway is on a third. All goes with the test.
type pool struct {
	site
	members []netip.AddrPort
}

func newPool(t *testing.T, name, gateway string) pool {
	t.Helper()
	p := pool{site: newSite(t, name, []string{"10.21.0.0/24"}, []string{gateway}, shared.Chassis[0])}
	for i, hv := range shared.Chassis[1:3] {
		addr := netip.AddrFrom4([4]byte{10, 21, 0, byte(11 + i)})
		vm := guest(t, name+"-"+hv.Name, p.network, hv, addr.String())
		member := netip.AddrPortFrom(addr, 8080)
		server := harness.Must(vm.Serve(member, hv.Name))(t)
		t.Cleanup(func() { harness.Check(t, server.Close()) })
		p.members = append(p.members, member)
	}
	return p
}

// balance puts a load balancer with port 80 in front.
func (p pool) balance(t *testing.T, name string, on *lab.Network, vip string, owner bool) *lab.LoadBalancer {
	t.Helper()
	ctx := testContext(t)
	lb := harness.Must(shared.Neutron.LoadBalancer(ctx, lab.LoadBalancerSpec{
		Name: name, Network: on, VIP: netip.MustParseAddr(vip), Port: 80, Members: p.members,
		Switches: []*lab.Network{p.network}, Router: p.router, VIPOwner: owner,
	}))(t)
	t.Cleanup(func() { harness.Check(t, lb.Delete(context.WithoutCancel(ctx))) })
	return lb
}

// balanced demands that connections from behind the top of rack come to both
// members, and then that none fails. The first to a member may: OVN learns its
// neighbours then.
func balanced(t *testing.T, vip string) {
	t.Helper()
	ctx := testContext(t)
	to := netip.AddrPortFrom(netip.MustParseAddr(vip), 80)
	seen := map[string]int{}
	if err := harness.Until(ctx, "answers of both members", func() bool {
		if by, err := shared.Host.Fetch(to); err == nil {
			seen[by]++
		}
		return len(seen) == 2 // the share of a member is drawn anew for each connection
	}); err != nil {
		t.Fatalf("connections to %s come to %v, want both members", vip, seen)
	}
	for range 16 {
		seen[harness.Must(shared.Host.Fetch(to))(t)]++
	}
	t.Logf("%s: %v", vip, seen)
}

// The VIP of an OVN load balancer on the provider network is announced by the
// node that has the gateway of the router in front of its members, and leads to
// both of them. The VIP's port has no address in it with older providers and one
// with newer ones, and is never bound.
func TestBalancerOnProviderNetwork(t *testing.T) {
	gw := shared.Chassis[0]
	p := newPool(t, "amber", "172.24.4.212")
	for _, tt := range []struct {
		name, vip string
		owner     bool
	}{
		{"port without address", "172.24.4.213", false},
		{"port of the balancer", "172.24.4.214", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.balance(t, "amber-"+tt.vip, shared.public, tt.vip, tt.owner)
			at(t, tt.vip, gw)
			balanced(t, tt.vip)
		})
		at(t, tt.vip)
	}
	settled(t)
}

// The floating IP of a VIP on a tenant network is centralised: the node that has
// the gateway announces it, and connections through it come to both members. The
// VIP itself is announced, by the same node, if tenant networks are.
func TestFloatingIPOfBalancer(t *testing.T) {
	gw := shared.Chassis[0]
	p := newPool(t, "ochre", "172.24.4.215")
	lb := p.balance(t, "ochre-lb", p.network, "10.21.0.50", false)
	ctx := testContext(t)
	fip := harness.Must(lb.Float(ctx, netip.MustParseAddr("172.24.4.216")))(t)
	at(t, "172.24.4.216", gw)
	balanced(t, "172.24.4.216")
	at(t, "10.21.0.50")
	t.Run("tenant networks exposed", func(t *testing.T) {
		expose(t, shared.agents[:1], "expose_tenant_networks: true")
		at(t, "10.21.0.50", gw)
		balanced(t, "172.24.4.216")
		balanced(t, "10.21.0.50")
	})
	harness.Check(t, fip.Delete(ctx))
	at(t, "172.24.4.216")
	at(t, "10.21.0.50")
	settled(t)
}
