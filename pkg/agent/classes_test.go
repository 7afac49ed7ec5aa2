package agent

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

// TestClassesAreCounted: what is counted by what has changed is what is there.
func TestClassesAreCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c classes
		var want object.Set
		for range 20 {
			want = want.Clone()
			for range rapid.IntRange(0, 5).Draw(t, "changes") {
				addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 9).Draw(t, "address"))})
				path := object.NewPath(netip.PrefixFrom(addr, 32), object.OriginIGP)
				if rapid.Bool().Draw(t, "remove") {
					want.Remove(path.Key())
				} else {
					want.Put(object.Item{Value: path, Rank: uint8(rapid.IntRange(2, 10).Draw(t, "rank"))})
				}
			}
			all := map[string]int{}
			for _, it := range want.All() {
				all[string(expose.ClassOf(it))]++
			}
			if diff := cmp.Diff(all, c.count(want)); diff != "" {
				t.Fatalf("all (-), counted (+)\n%s", diff)
			}
		}
	})
}
