package evpn_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// BenchmarkImports computes a VRF into which 100,000 host routes of 100 VTEPs are
// imported, out of twice as many.
func BenchmarkImports(b *testing.B) {
	snap := snapshot(b, "include evpn", "gw-1")
	learned := &observe.Learned{}
	for i := range 200_000 {
		vni := 1001 + i%2
		vtep := netip.AddrFrom4([4]byte{99, 99, 2, byte(i / 2 % 100)})
		learned.EVPN = append(learned.EVPN, observe.EVPNRoute{
			Type: object.EVPNPrefix, RD: fmt.Sprintf("%s:%d", vtep,
				vni), Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32),
			VNI: uint32(vni), NextHop: vtep, Targets: object.WordsOf(fmt.Sprintf("65000:%d", vni)), RouterMAC: object.MAC{
				0x52,
				0x54, 0, 0, 0, byte(i / 2 % 100),
			},
			Rank: observe.Rank{Preference: 100, Length: 2, External: true}, Peer: "192.0.2.1",
		})
	}
	snap.Learned = learned
	driver := evpn.New(defaultConfig())
	for b.Loop() {
		res := desired.Compute(snap, nil, driver)
		if got := res.Want.LenOf(object.KindRoute); got < 100_000 {
			b.Fatalf("%d routes", got)
		}
	}
}
