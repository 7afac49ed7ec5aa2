package scenarios

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/faults"
	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// No drift is silent: whatever others do to what the node has made is noticed without an
// audit, told by metric, status and history in the same words, and repaired; and what is
// another owner's stays, and is named if it is in the way.
func TestDrift(t *testing.T) {
	hv, agent := shared.Chassis[2], shared.agents[2]
	expose(t, shared.agents[2:3], "expose_tenant_networks: true")
	s := newSite(t, "drift", []string{"10.9.0.0/26"}, []string{"172.24.4.95", "2001:db8:4::95"}, hv)
	guest(t, "vm-drift-tenant", s.network, hv, "10.9.0.5")
	guest(t, "vm-drift", shared.public, hv, "172.24.4.91", "2001:db8:4::91")
	announced := []string{"172.24.4.91", "2001:db8:4::91", "172.24.4.95", "2001:db8:4::95", "10.9.0.5"}
	for _, addr := range announced {
		at(t, addr, hv)
	}
	w := faults.World{
		Chassis: hv, Addr: netip.MustParseAddr("172.24.4.91"), Addr6: netip.MustParseAddr("2001:db8:4::91"),
		Routed: netip.MustParseAddr("172.24.4.95"), Routed6: netip.MustParseAddr("2001:db8:4::95"),
	}
	harness.Check(t, agent.Settle(testContext(t)))
	for _, d := range faults.Drifts() {
		t.Run(d.Name, func(t *testing.T) {
			d.Try(t, agent, w)
			// What is right in every table may still carry no packet.
			for _, addr := range announced {
				harness.Check(t, shared.Host.AwaitPing(testContext(t), netip.MustParseAddr(addr)))
			}
		})
	}
}
