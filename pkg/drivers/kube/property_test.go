package kube_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/internal/golden/derived"
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

func (c *randomCluster) driver() *kube.Driver {
	cfg := kube.Config{Expose: expose.DefaultOptions()}
	if c.class != "" {
		cfg.Classes = []string{c.class}
	}
	if c.external {
		cfg.Advertise = []kube.Kind{kube.KindLoadBalancer, kube.KindExternalIP}
	}
	return kube.New(cfg)
}

// tell makes the snapshot that a node takes of a story.
func tell(t *rapid.T, text, chassis string) observe.Snapshot {
	world, err := story.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := world.Snapshot(chassis)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// TestAnnouncedExactlyWhereServed: an address is announced where, and only where, policy asks
// for it, the service has endpoints that count on this node, a row of the node's gateway router
// has a backend and a flow lets packets in. The test has rules of its own for each. In
// particular no two nodes announce an address of externalTrafficPolicy Local unless both have
// an endpoint.
func TestAnnouncedExactlyWhereServed(t *testing.T) {
	runs, paths, two := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawCluster(t)
		text := c.nodesText() + strings.Join(c.objects(), "\n")
		all := map[netip.Prefix]int{}
		for _, n := range c.nodes {
			got, want := announced(tell(t, text, n.chassis), c.driver()), c.must(n)
			if !maps.Equal(got, want) {
				t.Fatalf("%s announces %v, want %v (class %q, external IPs %v) of\n%s", n.name, got, want, c.class, c.external,
					text)
			}
			for prefix := range got {
				all[prefix]++
			}
			runs, paths = runs+1, paths+len(got)
		}
		for prefix, nodes := range all {
			if nodes > 1 {
				two++
				c.bothMay(t, prefix.Addr())
			}
		}
	})
	t.Logf("%d views, %d paths, %d of them from both nodes", runs, paths, two)
	if paths < runs/20 {
		t.Errorf("too few to mean anything: %d views, %d paths, %d from both nodes", runs, paths, two)
	}
}

// bothMay checks that an address which both nodes announce has a service without
// externalTrafficPolicy Local, or endpoints on each.
func (c *randomCluster) bothMay(t *rapid.T, a netip.Addr) {
	here := map[string]bool{}
	for _, s := range c.services {
		if !slices.Contains(slices.Concat(s.ingress, s.external), a) {
			continue
		}
		if !s.local {
			return
		}
		for _, e := range slices.Concat(s.endpoints4, s.endpoints6) {
			node, _, _ := strings.Cut(e, ":")
			here[node] = true
		}
	}
	if len(here) < 2 {
		t.Fatalf("both nodes announce %s, of services with policy Local and endpoints on %v", a, here)
	}
}

// TestUnrelatedObjectsDoNotMatter: without an object, paths of addresses that it does not
// mention, and whose services it is not of, are the same.
func TestUnrelatedObjectsDoNotMatter(t *testing.T) {
	related, unrelated := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawCluster(t)
		objects := c.objects()
		i := rapid.IntRange(0, len(objects)-1).Draw(t, "without")
		chassis := rapid.SampledFrom(c.nodes).Draw(t, "node").chassis
		before := tell(t, c.nodesText()+strings.Join(objects, "\n"), chassis)
		gone := objects[i]
		after := tell(t, c.nodesText()+strings.Join(slices.Delete(objects, i, i+1), "\n"), chassis)
		x, y := desired.Compute(before, nil, c.driver()), desired.Compute(after, nil, c.driver())
		for k := range x.Want.Differ(y.Want) {
			one, has := x.Want.Get(k)
			other, had := y.Want.Get(k)
			if has == had && one.Equal(other) {
				continue
			}
			if !c.mentions(gone, k.Prefix.Addr()) {
				t.Fatalf("without %q the path of %s changes", gone, k.Prefix)
			}
			related++
		}
		unrelated += x.Want.Len()
	})
	t.Logf("%d paths changed, of %d", related, unrelated)
	if unrelated == 0 {
		t.Errorf("too few to mean anything: %d paths changed, of %d", related, unrelated)
	}
}

// TestOrderDoesNotMatter: objects in another order, and lists in them, lead to the same.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCluster(t)
		chassis := rapid.SampledFrom(c.nodes).Draw(t, "node").chassis
		snap := tell(t, c.nodesText()+strings.Join(c.objects(), "\n"), chassis)
		one, other := desired.Compute(snap, nil, c.driver()), desired.Compute(shuffled(t, snap), nil, c.driver())
		print := func(r desired.Result) string {
			var b strings.Builder
			for _, it := range r.Want.Sorted() {
				code := ""
				if it.Block != nil {
					code = it.Block.Code
				}
				fmt.Fprintln(&b, object.Text(it.Value), it.Why, code)
			}
			return b.String() + derived.Skips(r.Skipped)
		}
		if diff := cmp.Diff(print(one), print(other)); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
	})
}

// shuffled has the lists of objects, as a source may receive them, and those within objects
// in another order.
func shuffled(t *rapid.T, snap observe.Snapshot) observe.Snapshot {
	k := *snap.Kube
	k.Services, k.Slices = nil, nil
	for _, s := range rapid.Permutation(snap.Kube.Services).Draw(t, "services in order") {
		s := *s
		s.Ingress = rapid.Permutation(s.Ingress).Draw(t, "ingress in order")
		s.Ports = rapid.Permutation(s.Ports).Draw(t, "ports in order")
		k.Services = append(k.Services, &s)
	}
	for _, s := range rapid.Permutation(snap.Kube.Slices).Draw(t, "slices in order") {
		s := *s
		s.Endpoints = rapid.Permutation(s.Endpoints).Draw(t, "endpoints in order")
		k.Slices = append(k.Slices, &s)
	}
	k.Sort()
	sb := *snap.SB
	sb.Balancers = rapid.Permutation(sb.Balancers).Draw(t, "rows in order")
	f := *snap.Flows
	f.Bridges = map[string][]observe.BridgeFlow{}
	for name, list := range snap.Flows.Bridges {
		f.Bridges[name] = rapid.Permutation(list).Draw(t, "flows in order")
	}
	snap.Kube, snap.SB, snap.Flows = &k, &sb, &f
	return snap
}
