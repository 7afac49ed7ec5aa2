package evpn_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// tenants is a random cloud: each tenant has a VNI of its own and one router; all
// use addresses from the same few subnets. Every subnet and address of tenant T
// is known by its place: its ports are named after it.
type tenants struct {
	text string
	// owns are the prefixes of each VNI: local, and announced by its other nodes.
	owns map[uint32]map[netip.Prefix]bool
}

func (c *tenants) own(vni uint32, prefix string) {
	if c.owns[vni] == nil {
		c.owns[vni] = map[netip.Prefix]bool{}
	}
	c.owns[vni][netip.MustParsePrefix(prefix)] = true
}

// randomTenants draws a cloud. Route targets are the automatic ones, so that a
// tenant has nothing to do with another.
func randomTenants(t *rapid.T) *tenants {
	c := &tenants{owns: map[uint32]map[netip.Prefix]bool{}}
	var b strings.Builder
	b.WriteString("include node\nlearned nothing\npatch br-ex provnet-c1 ofport 1\npatch br-ex provnet-v1 ofport 2\n" +
		"localnet provnet-c1 on dp-pub network public\nlocalnet provnet-v1 on dp-vlan network public tag 100\n")
	n := rapid.IntRange(1, 6).Draw(t, "tenants")
	for i := range n {
		vni := uint32(rapid.SampledFrom([]int{1001, 1002, 65535, 65536, 70000, 999999, 1000000, 16777215}).Draw(t, "vni"))
		if c.owns[vni] != nil {
			continue
		}
		c.own(vni, fmt.Sprintf("172.24.4.%d/32", 10+i))
		network, port := "dp-pub", fmt.Sprintf("veth-ovs-%d", vni)
		if vni > 999999 {
			port = fmt.Sprintf("vo-%d", vni)
		}
		if rapid.Bool().Draw(t, "vlan") {
			network, port = "dp-vlan", fmt.Sprintf("vlan-%d", vni)
		}
		fmt.Fprintf(&b, "made %s on br-ex ofport %d\n", port, 50+i)
		note := fmt.Sprintf("id neutron_bgpvpn:vni=%d id neutron_bgpvpn:as=%d", vni, 64999+i%2)
		mac := fmt.Sprintf("fa:16:3e:00:01:%02x 172.24.4.%d/24", i, 10+i)
		fmt.Fprintf(&b, "routerport lrp-g%d on r%d mac %q peer g%d redirect cr-lrp-g%d\n", i, i, mac, i, i)
		fmt.Fprintf(&b, "switchport g%d on %s peer lrp-g%d %s\n", i, network, i, note)
		fmt.Fprintf(&b, "gateway cr-lrp-g%d on r%d mac %q of lrp-g%d chassis gw-1 up\n", i, i, mac, i)
		for j := range rapid.IntRange(0, 3).Draw(t, "subnets") {
			net := rapid.IntRange(0, 3).Draw(t, "subnet")
			fmt.Fprintf(&b, "routerport lrp-p%d-%d on r%d mac \"fa:16:3e:00:%02x:%02x 10.0.%d.1/24\" peer p%d-%d\n", i, j, i,
				16+j, i, net, i, j)
			fmt.Fprintf(&b, "switchport p%d-%d on s%d-%d peer lrp-p%d-%d %s\n", i, j, i, j, i, j, note)
			c.own(vni, fmt.Sprintf("10.0.%d.0/24", net))
			host := rapid.IntRange(2, 4).Draw(t, "host")
			fmt.Fprintf(&b, "port vm%d-%d on s%d-%d mac \"fa:16:3e:01:%02x:%02x 10.0.%d.%d\" chassis cmp-1 up\n", i, j, i, j, j,
				i, net, host)
			c.own(vni, fmt.Sprintf("10.0.%d.%d/32", net, host))
		}
		for k := range rapid.IntRange(0, 3).Draw(t, "imported") {
			prefix := fmt.Sprintf("10.%d.0.0/24", 50+10*i+k)
			c.own(vni, prefix)
			fmt.Fprintf(&b, "learned type-5 %s rd 99.99.2.%d:7 next-hop 99.99.2.%d vni %d rt 65000:%d router-mac "+
				"52:54:00:aa:bb:%02x\n",
				prefix, k, k, vni, vni, k)
		}
	}
	c.text = b.String()
	return c
}

// TestTenantsAreApart: no prefix is ever in the table of another tenant, or
// announced with a route target of one.
func TestTenantsAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := randomTenants(t)
		res := run(t, c.snapshot(t))
		for _, s := range res.Skipped {
			if s.Code != observe.SkipConflict { // a router may be drawn with one subnet twice
				t.Fatalf("skipped: %s", s)
			}
		}
		seen := map[uint32]int{}
		for _, r := range object.Of[object.Route](res.Want) {
			if !r.Unreachable && !c.owns[r.Table][r.Dst] {
				t.Fatalf("%s is in a table that is not its tenant's", object.Text(r))
			}
			seen[r.Table]++
		}
		for _, path := range object.Of[object.EVPNPath](res.Want) {
			if !c.owns[path.VNI][path.Prefix] {
				t.Fatalf("%s is not of its tenant", object.Text(path))
			}
			for _, target := range path.Targets.List() {
				if _, number, _ := strings.Cut(target, ":"); number != fmt.Sprint(path.VNI) {
					t.Fatalf("%s has the target of another tenant", object.Text(path))
				}
			}
		}
		rds := map[string]uint32{}
		for _, path := range object.Of[object.EVPNPath](res.Want) {
			if vni, ok := rds[path.RD]; ok && vni != path.VNI {
				t.Fatalf("route distinguisher %s is that of VNIs %d and %d", path.RD, vni, path.VNI)
			}
			rds[path.RD] = path.VNI
		}
		if len(seen) != len(c.owns) {
			t.Fatalf("%d tables for %d tenants", len(seen), len(c.owns))
		}
	})
}

// TestOrderDoesNotMatter: the same rows and routes in any order are the same
// desired objects and the same reports, and no two objects claim the same thing.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snap := randomTenants(t).snapshot(t)
		want := run(t, snap)
		seed := rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 1))
		shuffled := snap
		learned := *snap.Learned
		learned.EVPN = slices.Clone(learned.EVPN)
		rng.Shuffle(len(learned.EVPN), func(i, j int) { learned.EVPN[i], learned.EVPN[j] = learned.EVPN[j], learned.EVPN[i] })
		shuffled.Learned = &learned
		vswitch := *snap.OVS
		vswitch.Bridges = slices.Clone(vswitch.Bridges)
		slices.Reverse(vswitch.Bridges[0].Made)
		slices.Reverse(vswitch.Bridges[0].Patches)
		shuffled.OVS = &vswitch
		got := run(t, shuffled)
		if w, g := dump(want), dump(got); w != g {
			t.Fatalf("in another order:\n%s\nwant:\n%s", g, w)
		}
		claims := map[string]object.Key{}
		for _, link := range object.Of[object.Link](want.Want) {
			for _, name := range link.Claims() {
				if other, ok := claims[name]; ok {
					t.Fatalf("%s and %s both claim %s", other.Text(), link.Key().Text(), name)
				}
				claims[name] = link.Key()
			}
		}
	})
}

func (c *tenants) snapshot(t *rapid.T) observe.Snapshot {
	snap := snapshot(t, c.text, "gw-1")
	return snap
}

func run(t *rapid.T, snap observe.Snapshot) desired.Result {
	cfg := defaultConfig()
	cfg.Expose = expose.DefaultOptions()
	return desired.Compute(snap, nil, evpn.New(cfg))
}

func dump(r desired.Result) string {
	var b strings.Builder
	for _, it := range r.Want.Sorted() {
		fmt.Fprintln(&b, object.Text(it.Value), it.Why, it.Block, it.Needs())
	}
	for _, s := range r.Skipped {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}
