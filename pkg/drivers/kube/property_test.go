package kube_test

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// announced are the prefixes that a node announces: those of paths that nothing blocks.
func announced(snap observe.Snapshot, d *kube.Driver) map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	res := desired.Compute(snap, nil, d)
	for _, it := range res.Want.Sorted() {
		if path, ok := it.Value.(object.Path); ok && it.Block == nil {
			out[path.Prefix] = true
		}
	}
	return out
}

// TestPodBecomesLocal is K-A4 in all orders: slice, row and flow change one after the other,
// and the address is announced after the last and never before.
func TestPodBecomesLocal(t *testing.T) {
	const before = `include kube
service default/loc type LoadBalancer local ingress 198.51.100.22 port tcp/443
slice default/loc-1 of loc IPv4 worker-b
balancer row backends 198.51.100.22:443 "" lr GR_worker-a`
	changes := []string{
		"slice default/loc-1 of loc IPv4 worker-a",
		"balancer row backends 198.51.100.22:443 10.244.1.8:8443 lr GR_worker-a",
		"flow br-ex tcp 198.51.100.22:443",
	}
	d := kube.New(kube.Config{Expose: expose.DefaultOptions()})
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		world, err := story.Parse(before)
		if err != nil {
			t.Fatal(err)
		}
		for n, i := range order {
			if got := announced(view(t, world, workerA), d); len(got) > 0 {
				t.Errorf("order %v: %v announced after %d changes", order, got, n)
			}
			if err := world.Tell(changes[i]); err != nil {
				t.Fatal(err)
			}
		}
		if got := announced(view(t, world, workerA), d); len(got) != 1 || !got[netip.MustParsePrefix("198.51.100.22/32")] {
			t.Errorf("order %v: %v announced after all changes", order, got)
		}
	}
}
