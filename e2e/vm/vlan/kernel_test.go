//go:build guest

package vlan

import (
	"context"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/vm"
)

// This kernel has what VLAN, VRF and EVPN tests need.
func TestKernel(t *testing.T) {
	if missing := vm.Missing(); len(missing) > 0 {
		t.Fatalf("it lacks %v", missing)
	}
	// A route in a VRF over a dummy is what later work stands on.
	for _, line := range []string{
		"link add red type vrf table 100", "link set red up",
		"link add inside type dummy", "link set inside master red up",
		"addr add 203.0.113.1/24 dev inside",
		"route add 198.51.100.128/25 vrf red via 203.0.113.2",
	} {
		harness.Must(shared.hv.Run(t.Context(), "ip", strings.Fields(line)...))(t)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, name := range []string{"inside", "red"} {
			harness.Must(shared.hv.Run(ctx, "ip", "link", "del", name))(t)
		}
	})
	if have := show(t, "route get 198.51.100.200 vrf red"); !strings.Contains(have, "dev inside table 100") {
		t.Errorf("the VRF's route is not taken: %s", have)
	}
}
