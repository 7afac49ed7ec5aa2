package drivers_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// BenchmarkDeriveChange derives after one change of a large snapshot: a port that is bound and unbound,
// a row that comes and goes, a service that changes. ns/op is that; "whole" is what deriving everything
// costs, "ratio" how many times as much, and "ask" what a driver is asked for before it derives.
func BenchmarkDeriveChange(b *testing.B) {
	opts := expose.DefaultOptions()
	vtep := netip.MustParseAddr("99.99.1.1")
	nat := native.Defaults()
	nat.Expose, nat.AS = opts, 64999
	hosts := bgp.Config{Expose: opts, TenantMethod: bgp.MethodHost}
	const worker = "6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11"
	for _, tt := range []struct {
		name, node, story string
		driver            desired.Driver
		change            func(*observe.Snapshot)
	}{
		{
			"bgp/10000 addresses", "cmp-1", providerStory(10_000), bgp.New(hosts), unbind("vm5000"),
		},
		{
			"evpn/500 VNIs, 1000 addresses", "gw-1", tenantStory(500, 1000),
			evpn.New(evpn.Config{Expose: opts, LocalIP: vtep, Port: 4789, AS: 64999}), unbind("vm500"),
		},
		{
			"evpn/500 VNIs, 10000 addresses", "gw-1", tenantStory(500, 10_000),
			evpn.New(evpn.Config{Expose: opts, LocalIP: vtep, Port: 4789, AS: 64999}), unbind("vm5000"),
		},
		{
			"evpn/500 VNIs, a leg's port", "gw-1", tenantStory(500, 10_000),
			evpn.New(evpn.Config{Expose: opts, LocalIP: vtep, Port: 4789, AS: 64999}), withoutMade(250),
		},
		{
			"evpn/segment, 1000 stations", "cmp-1", providerStory(1000),
			evpn.New(evpn.Config{Expose: opts, LocalIP: vtep, Port: 4789, AS: 64999, Networks: []evpn.NetworkConfig{{
				NetworkRef: expose.NetworkRef{Network: "public"}, Method: evpn.MethodL2VNI, VNI: 2001,
			}}}), unbind("vm500"),
		},
		{
			"evpn/provider network, 1000 stations", "cmp-1", providerStory(1000),
			evpn.New(evpn.Config{Expose: opts, LocalIP: vtep, Port: 4789, AS: 64999, Networks: []evpn.NetworkConfig{{
				NetworkRef: expose.NetworkRef{Network: "public"}, Method: evpn.MethodVRF, VNI: 2001,
			}}}), unbind("vm500"),
		},
		{
			"evpn/behind a provider network, 1000 addresses", "gw-1", behindStory(1000),
			evpn.New(evpn.Config{
				Expose: opts, LocalIP: vtep, Port: 4789, AS: 64999, TenantNetworks: true,
				Networks: []evpn.NetworkConfig{{
					NetworkRef: expose.NetworkRef{Network: "public", VLAN: 100}, Method: evpn.MethodVRF, VNI: 2001,
				}},
			}), unbind("vm500"),
		},
		{"native/10000 prefixes", "hv1", advertisedStory(10_000), native.New(nat), withoutAdvertised(5000)},
		{"native/segment, 1000 stations", "hv1", stretchedStory(1000), native.New(nat), unbind("vm500")},
		{
			"native/segment, 1000 stations elsewhere", "hv2", stretchedStory(1000) + claimStory(1000), native.New(nat),
			bind("vm500", "hv2"),
		},
		{
			"native/segment, 1000 stations elsewhere, one goes", "hv2", stretchedStory(1000) + claimStory(1000), native.New(nat),
			withoutLearned(500),
		},
		{"native/500 segments, 1000 stations", "hv1", segmentsStory(500), native.New(nat), unbind("vm501")},
		{
			"kube/5000 services", worker, clusterStory(5000), kube.New(kube.Config{Expose: opts}),
			withoutEndpoints(2500),
		},
	} {
		b.Run(tt.name, func(b *testing.B) {
			s, err := story.Parse(tt.story)
			if err != nil {
				b.Fatal(err)
			}
			first, err := s.Snapshot(tt.node)
			if err != nil {
				b.Fatal(err)
			}
			first.Protected = observe.Protect(first, observe.Own{}) // once, as a node has it
			second := first
			tt.change(&second)
			measureChange(b, first, second, tt.driver)
		})
	}
}

// measureChange goes to and fro between two snapshots.
func measureChange(b *testing.B, first, second observe.Snapshot, d desired.Driver) {
	var memory desired.Memory
	want := memory.Compute(first, nil, d).Want
	memory.Tables(first, d)
	memory.Watched(first, d)
	started := time.Now()
	const wholes = 5
	for range wholes {
		desired.Compute(first, nil, d)
	}
	whole := time.Since(started) / wholes
	changed := 0
	for range memory.Compute(second, nil, d).Want.Differ(want) {
		changed++
	}
	if changed == 0 || changed > want.Len()/2 {
		b.Fatalf("%d of %d objects change", changed, want.Len())
	}
	started = time.Now()
	for range wholes {
		for _, snap := range []observe.Snapshot{first, second} {
			memory.Tables(snap, d)
			memory.Watched(snap, d)
		}
	}
	ask := time.Since(started) / (2 * wholes)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		snap := first
		if n++; n%2 == 0 {
			snap = second
		}
		memory.Compute(snap, nil, d)
	}
	b.ReportMetric(float64(whole.Nanoseconds()), "whole-ns")
	b.ReportMetric(float64(ask.Nanoseconds()), "ask-ns")
	b.ReportMetric(float64(whole.Nanoseconds())*float64(n)/float64(b.Elapsed().Nanoseconds()), "ratio")
	b.ReportMetric(float64(want.Len()), "objects")
}

// providerStory has n VMs on a provider network, all here.
func providerStory(n int) string {
	var b strings.Builder
	b.WriteString("include base\nlearned nothing\n")
	for i := range n {
		fmt.Fprintf(&b, "port vm%d on dp-pub mac \"%s 10.%d.%d.%d\" chassis cmp-1 up\n", i, mac(0x3e, i), i>>16, i>>8&255,
			i&255)
	}
	return b.String()
}

// behindStory has n VMs on the tenant network of a router whose gateway is on a provider network.
func behindStory(n int) string {
	var b strings.Builder
	b.WriteString("include segment\nrouterport lrp-p2 on dp-r1 mac \"fa:16:3e:2c:7a:02 10.1.0.1/16\" peer p2\n")
	b.WriteString("switchport p2 on dp-priv2 peer lrp-p2\n")
	for i := range n {
		fmt.Fprintf(&b, "port vm%d on dp-priv2 mac \"%s 10.1.%d.%d\" chassis cmp-1 up\n", i+100, mac(0x3e, i), 1+i>>8, i&255)
	}
	return b.String()
}

// tenantStory has tenants with a VNI, a router and a network each, and n VMs on these networks.
func tenantStory(tenants, n int) string {
	var b strings.Builder
	b.WriteString("include node\nlearned nothing\npatch br-ex provnet-c1 ofport 1\n")
	b.WriteString("localnet provnet-c1 on dp-pub network public\n")
	for i := range tenants {
		vni := 1001 + i
		note := fmt.Sprintf("id neutron_bgpvpn:vni=%d id neutron_bgpvpn:as=64999", vni)
		out := fmt.Sprintf("%s 172.24.%d.%d/16", mac(0x3f, i), 8+i>>8, i&255)
		fmt.Fprintf(&b, "made veth-ovs-%d on br-ex ofport %d\n", vni, 100+i)
		fmt.Fprintf(&b, "routerport lrp-g%d on r%d mac %q peer g%d redirect cr-lrp-g%d\n", i, i, out, i, i)
		fmt.Fprintf(&b, "switchport g%d on dp-pub peer lrp-g%d %s\n", i, i, note)
		fmt.Fprintf(&b, "gateway cr-lrp-g%d on r%d mac %q of lrp-g%d chassis gw-1 up\n", i, i, out, i)
		fmt.Fprintf(&b, "routerport lrp-p%d on r%d mac \"%s 10.0.0.1/16\" peer p%d\n", i, i, mac(0x40, i), i)
		fmt.Fprintf(&b, "switchport p%d on s%d peer lrp-p%d %s\n", i, i, i, note)
	}
	for i := range n {
		at := i/tenants + 2
		a := fmt.Sprintf("%s 10.0.%d.%d", mac(0x3e, i), at>>8, at&255)
		fmt.Fprintf(&b, "port vm%d on s%d mac %q chassis cmp-1 up\n", i, i%tenants, a)
	}
	return b.String()
}

// advertisedStory has n host routes of one router of OVN.
func advertisedStory(n int) string {
	var b strings.Builder
	b.WriteString("include native\nlearned nothing\n")
	for i := range n {
		fmt.Fprintf(&b, "port p%d on ls0 mac \"%s 10.1.%d.%d\" chassis hv1 up\n", i, mac(0x3e, i), i>>8, i&255)
		fmt.Fprintf(&b, "advertised p%d on lr0 port lrp-ext prefix 10.1.%d.%d tracked p%d\n", i, i>>8, i&255, i)
	}
	return b.String()
}

// stretchedStory has n VMs on a switch with a VNI, all here.
func stretchedStory(n int) string {
	var b strings.Builder
	b.WriteString("include native\nlearned nothing\nother hv1 ovn-evpn-local-ip=192.0.2.1\n")
	b.WriteString("datapath ls0 key 8 id dynamic-routing-vni=10 id dynamic-routing-redistribute=fdb\n")
	b.WriteString("datapath ls9 key 9\nport elsewhere on ls9 mac \"fa:16:3e:99:99:99 10.9.0.9\" chassis hv2 up\n")
	for i := range n {
		fmt.Fprintf(&b, "port vm%d on ls0 mac \"%s 10.1.%d.%d\" chassis hv1 up\n", i, mac(0x3e, i), i>>8, i&255)
	}
	return b.String()
}

// segmentsStory has n switches with a VNI, and two VMs on each of them.
func segmentsStory(n int) string {
	var b strings.Builder
	b.WriteString("include native\nlearned nothing\nother hv1 ovn-evpn-local-ip=192.0.2.1\n")
	for i := range 2 * n {
		fmt.Fprintf(&b, "datapath sw%d key %d id dynamic-routing-vni=%d id dynamic-routing-redistribute=fdb\n", i/2, 100+i/2,
			1000+i/2)
		fmt.Fprintf(&b, "port vm%d on sw%d mac %q chassis hv1 up\n", i, i/2, mac(0x3e, i))
	}
	return b.String()
}

// claimStory has these VMs announced by their node, and one on another node.
func claimStory(n int) string {
	var b strings.Builder
	b.WriteString("other hv2 ovn-evpn-local-ip=192.0.2.2\nport here on ls0 mac \"fa:16:3e:99:99:98\" chassis hv2 up\n")
	route := "rd 192.0.2.1:10 next-hop 192.0.2.1 vni 10 rt 64999:10"
	fmt.Fprintf(&b, "learned type-3 192.0.2.1 %s\n", route)
	for i := range n {
		fmt.Fprintf(&b, "learned type-2 %s 10.1.%d.%d %s\n", mac(0x3e, i), i>>8, i&255, route)
	}
	return b.String()
}

// clusterStory has n services of one port.
func clusterStory(n int) string {
	var b strings.Builder
	b.WriteString("include kube\n")
	for i := range n {
		a := fmt.Sprintf("198.51.%d.%d", i>>8, i&255)
		fmt.Fprintf(&b, "service default/s%d type LoadBalancer ingress %s port tcp/80\n", i, a)
		fmt.Fprintf(&b, "slice default/s%d-4 of s%d IPv4 worker-a worker-b\n", i, i)
		fmt.Fprintf(&b, "balancer s%d protocol tcp lr GR_worker-a backends %s:80 10.244.1.9:8080\n", i, a)
		fmt.Fprintf(&b, "flow br-ex tcp %s:80\n", a)
	}
	return b.String()
}

func mac(kind, i int) string {
	return fmt.Sprintf("fa:16:%02x:%02x:%02x:%02x", kind, i>>16, i>>8&255, i&255)
}

// unbind takes the binding of a port away, and bind gives it to a chassis, if there is one of that name.
func unbind(name string) func(*observe.Snapshot) { return bind(name, "") }

func bind(name, to string) func(*observe.Snapshot) {
	return func(snap *observe.Snapshot) {
		sb := *snap.SB
		if p, ok := sb.Port(name); ok {
			c := *p
			c.Chassis, c.Down = observe.UUID{}, true
			if chassis, ok := sb.ChassisByName(to); ok {
				c.Chassis, c.Down = chassis.UUID, false
			}
			story.ReplacePort(&sb, p, &c)
		}
		snap.SB = &sb
	}
}

func withoutAdvertised(i int) func(*observe.Snapshot) {
	return func(snap *observe.Snapshot) {
		sb := *snap.SB
		sb.Advertised = slices.Delete(slices.Clone(sb.Advertised), i, i+1)
		snap.SB = &sb
	}
}

// withoutMade takes a port of ours from the first bridge.
func withoutMade(i int) func(*observe.Snapshot) {
	return func(snap *observe.Snapshot) {
		vswitch := *snap.OVS
		vswitch.Bridges = slices.Clone(vswitch.Bridges)
		vswitch.Bridges[0].Made = slices.Delete(slices.Clone(vswitch.Bridges[0].Made), i, i+1)
		snap.OVS = &vswitch
	}
}

// withoutLearned takes a route of EVPN away.
func withoutLearned(i int) func(*observe.Snapshot) {
	return func(snap *observe.Snapshot) {
		l := *snap.Learned
		l.EVPN = slices.Delete(slices.Clone(l.EVPN), i, i+1)
		snap.Learned = &l
	}
}

// withoutEndpoints leaves a service without any.
func withoutEndpoints(i int) func(*observe.Snapshot) {
	return func(snap *observe.Snapshot) {
		k := *snap.Kube
		k.Slices = slices.Delete(slices.Clone(k.Slices), i, i+1)
		snap.Kube = &k
	}
}
