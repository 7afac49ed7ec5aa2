package scenarios

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// A tenant network behind a router without address translation is reached from
// behind the top of rack by the tenants' own addresses, through the node that
// has the router's gateway, while the VM is on another one. What is announced
// for it depends on the method.
func TestTenantNetwork(t *testing.T) {
	gw, hv := shared.Chassis[1], shared.Chassis[2]
	s := newSite(t, "lilac", []string{"10.20.0.0/26", "2600:db8:20::/64"}, []string{"172.24.4.210", "2001:db8:4::210"}, gw)
	vm := guest(t, "lilac-vm", s.network, hv, "10.20.0.5", "2600:db8:20::5")
	local := newSite(t, "lilac-ula", []string{"fd00:20::/64"}, []string{"172.24.4.211", "2001:db8:4::211"}, gw)
	guest(t, "lilac-ula-vm", local.network, hv, "fd00:20::5")
	at(t, "172.24.4.210", gw)

	hosts4, hosts6, hostsULA := "10.20.0.5/32", "2600:db8:20::5/128", "fd00:20::5/128"
	net4, net6, netULA := "10.20.0.0/26", "2600:db8:20::/64", "fd00:20::/64"
	for _, tt := range []struct {
		name   string
		config []string
		want   []string
		not    []string
		reach  []string
	}{
		{
			"host",
			[]string{"expose_tenant_networks: true"},
			[]string{hosts4, hosts6, hostsULA},
			[]string{net4, net6, netULA},
			[]string{"10.20.0.5", "2600:db8:20::5", "fd00:20::5"},
		},
		{
			"subnet",
			[]string{"expose_tenant_networks: true", "advertisement_method_tenant_networks: subnet"},
			[]string{net4, net6, netULA},
			[]string{hosts4, hosts6, hostsULA},
			[]string{"10.20.0.5", "2600:db8:20::5", "fd00:20::5"},
		},
		{
			"global unicast only",
			[]string{"expose_ipv6_gua_tenant_networks: true"},
			[]string{hosts6},
			[]string{hosts4, net4, net6, hostsULA, netULA},
			[]string{"2600:db8:20::5"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expose(t, shared.agents, tt.config...)
			for _, prefix := range tt.want {
				routed(t, prefix, gw)
			}
			settled(t)
			unrouted(t, tt.not...)
			for _, addr := range tt.reach {
				pings(t, addr)
			}
			// And the other way round, begun by the tenant.
			harness.Check(t, vm.AwaitPing(testContext(t), shared.Host.Addrs[1].Addr()))
		})
	}
	for _, prefix := range []string{hosts4, hosts6, net4, net6} {
		routed(t, prefix)
	}
	settled(t)
}
