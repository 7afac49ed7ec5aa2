package scenarios

import "testing"

// A VM on a flat provider network is reached from behind the top of rack.
func TestProviderVM(t *testing.T) {
	hv := shared.Chassis[2]
	guest(t, "vm-flat", shared.public, hv, "172.24.4.31", "2001:db8:4::31")
	for _, addr := range []string{"172.24.4.31", "2001:db8:4::31"} {
		at(t, addr, hv)
		pings(t, addr)
	}
}
