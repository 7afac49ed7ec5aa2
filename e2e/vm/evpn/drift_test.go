//go:build guest

package evpn

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/faults"
)

// No drift is silent for what a tenant has, either: it is told by metric, status and history,
// and repaired.
func TestTenantDrift(t *testing.T) {
	gateway := []string{"172.24.4.49", "2001:db8:4::49"}
	tn := newTenant(t, "t-drift", 1001, shared.flat, gateway, shared.gw[0], shared.gw...)
	tn.connected(t)
	settled(t)
	w := faults.World{
		Lab: shared.Lab, Chassis: shared.gw[0], Agent: shared.agents[0],
		Addr: netip.MustParseAddr(inside[0]), Addr6: netip.MustParseAddr(inside[1]),
		Routed: netip.MustParseAddr(gateway[0]), Routed6: netip.MustParseAddr(gateway[1]),
	}
	for _, d := range faults.OverlayDrifts() {
		t.Run(d.Name, func(t *testing.T) {
			d.Try(t, shared.agents[0], w)
			// What is right in every table may still carry no packet.
			if !t.Failed() {
				tn.connected(t)
			}
		})
	}
	settled(t)
	tn.connected(t)
}
