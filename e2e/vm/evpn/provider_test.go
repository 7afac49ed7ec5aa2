//go:build guest

package evpn

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// configure adds lines to the configuration of all controllers, until the end of the
// test.
func configure(t *testing.T, lines ...string) {
	t.Helper()
	load := func(ctx context.Context, a *product.Agent, lines ...string) {
		harness.Check(t, a.ConfigureEVPN(lines...))
		if res := harness.Must(a.CLI(ctx, "reload"))(t); res.Exit != 0 {
			t.Fatalf("reload ended with %d\n%s%s", res.Exit, res.Out, res.Err)
		}
	}
	ctx := storyContext(t)
	for _, a := range shared.agents {
		load(ctx, a, lines...)
		t.Cleanup(func() { load(context.WithoutCancel(ctx), a) })
	}
}

// A provider network in a VRF: the kernel is the router of its VMs, and announces
// each of them into the VNI.
func TestProviderNetworkInVRF(t *testing.T) {
	ctx := storyContext(t)
	configure(t, `evpn: {networks: [{network: physnet1, vlan: 100, method: vrf, vni: 1003, gateways: [172.24.100.1, "2001:db8:100::1"]}]}`)
	vrf := harness.Must(shared.Tor.VRF(ctx, "t-prov", 1003, netip.MustParsePrefix("10.9.0.0/24"),
		netip.MustParsePrefix("2600:db8:9::/64")))(t)
	t.Cleanup(func() { harness.Check(t, vrf.Delete(context.WithoutCancel(ctx))) })
	inside := addrs([]string{"172.24.100.62", "2001:db8:100::62"})
	p := harness.Must(shared.Neutron.Port(ctx, lab.PortSpec{
		Name: "prov", Network: shared.v100, Chassis: shared.gw[0],
		Addrs: inside,
	}))(t)
	vm := harness.Must(shared.gw[0].PlugVM(ctx, p))(t)
	t.Cleanup(func() {
		harness.Check(t, vm.Unplug(context.WithoutCancel(ctx)))
		harness.Check(t, p.Delete(context.WithoutCancel(ctx)))
	})
	tn := &tenant{vm: vm, vrf: vrf, vni: 1003}
	tn.reach(t, inside, addrs(outside))
	idle(t, shared.agents[0])
	// The VM's first hop is the node itself, with the MAC that all nodes have.
	table := harness.Must(vm.Run(ctx, "ip", "neigh", "show", "to", "172.24.100.1"))(t)
	leg := harness.Must(shared.gw[0].Run(ctx, "sh", "-c", "ip -br link show type veth vrf vrf-1003"))(t)
	if mac := strings.Fields(leg); len(mac) < 3 || !strings.Contains(table, mac[2]) {
		t.Errorf("the VM's gateway is %q, and the leg is %q", table, leg)
	}
}

// A provider network that is stretched over a VNI: a VM and a host behind FRR in
// one subnet reach each other.
func TestStretchedNetwork(t *testing.T) {
	ctx := storyContext(t)
	const vni = 3001
	far := netip.MustParsePrefix("172.24.100.77/24")
	looking(t)
	configure(t, "  verify: {points: [{address: "+lookingTor+", as: 65000}]}",
		`evpn: {networks: [{network: physnet1, vlan: 100, method: l2vni, vni: 3001, import: ["65000:3001", "64999:3001"]}]}`)
	segment := harness.Must(shared.Tor.Segment(ctx, "seg", vni, far))(t)
	t.Cleanup(func() { harness.Check(t, segment.Delete(context.WithoutCancel(ctx))) })
	p := harness.Must(shared.Neutron.Port(ctx, lab.PortSpec{
		Name: "near", Network: shared.v100, Chassis: shared.gw[0],
		Addrs: addrs([]string{"172.24.100.60"}),
	}))(t)
	vm := harness.Must(shared.gw[0].PlugVM(ctx, p))(t)
	t.Cleanup(func() {
		harness.Check(t, vm.Unplug(context.WithoutCancel(ctx)))
		harness.Check(t, p.Delete(context.WithoutCancel(ctx)))
	})
	if err := vm.AwaitPing(ctx, far.Addr()); err != nil {
		gw := shared.gw[0]
		routes, _ := shared.Tor.Vtysh(ctx, "show bgp l2vpn evpn route", "show evpn mac vni all",
			"show evpn arp-cache vni all")
		plan, _ := shared.agents[0].CLI(ctx, "plan")
		t.Fatalf("%v\n%s\n%s\n%s\n%s\n%s", err, routes, plan.Out, show(t, gw, "-d link show type vxlan"),
			show(t, gw, "neigh"),
			harness.Must(gw.Run(ctx, "bridge", "fdb", "show", "dev", "vxlan-3001"))(t))
	}
	if err := segment.Host.AwaitPing(ctx, netip.MustParseAddr("172.24.100.60")); err != nil {
		t.Fatal(err)
	}
	idle(t, shared.agents[0]) // on the other node the network has no patch port yet

	// What is known is answered here and sent to where it is; what is not is flooded. The
	// kernel answers once it has the neighbour, and its MAC in the tables of both the
	// bridge and the VXLAN device.
	known := ""
	mac := segment.Host.MAC.String()
	inBridge := regexp.MustCompile(mac + ` .*master br-3001`)
	if err := harness.Until(ctx, "the host to be known as a neighbour", func() bool {
		fdb := harness.Must(shared.gw[0].Run(ctx, "bridge", "fdb", "show", "dev", "vxlan-3001"))(t)
		known = show(t, shared.gw[0], "neigh show dev br-3001") + fdb
		return strings.Contains(known, far.Addr().String()+" lladdr "+mac) &&
			strings.Contains(known, mac+" dst "+lab.VTEP.String()) && inBridge.MatchString(known)
	}); err != nil {
		t.Fatalf("%v: the bridge knows\n%s", err, known)
	}
	watch := harness.Must(segment.Host.WatchARP("eth0"))(t)
	t.Cleanup(func() { harness.Check(t, watch.Close()) })
	harness.Must(vm.Run(ctx, "ip", "neigh", "flush", "all"))(t)
	harness.Check(t, vm.AwaitPing(ctx, far.Addr()))
	nobody := netip.MustParseAddr("172.24.100.78")
	harness.Must(vm.Ping(ctx, nobody, 1, 20e6))(t)
	var asked []lab.ARPRequest
	flooded := func(a netip.Addr) bool {
		// To ask a known neighbour again the kernel sends it a unicast (RFC 1122 2.3.2.1),
		// and FRR's side has neighbours of its own.
		return slices.ContainsFunc(asked, func(r lab.ARPRequest) bool {
			return r.For == a && r.Broadcast && r.From == vm.Port.Addrs[0]
		})
	}
	if err := harness.Until(ctx, "the ARP request that is flooded", func() bool {
		asked = append(asked, harness.Must(watch.Asked())(t)...)
		return flooded(nobody)
	}); err != nil {
		t.Errorf("who has %s was not flooded: %v: %v", nobody, err, asked)
	}
	if flooded(far.Addr()) {
		t.Errorf("who has %s was flooded over the VXLAN: %v", far.Addr(), asked)
	}

	seenOutside(t, netip.MustParseAddr("172.24.100.60"), vni, p.ID)
	j := judged{addr: netip.MustParseAddr("172.24.100.60"), vni: vni, from: segment.Host}
	j.await(t, "", "")
	for _, b := range stretchedBrokens {
		t.Run(b.name, func(t *testing.T) { j.unreachable(t, b) })
	}
}

// The two ends of a session between the gateway and the top of rack that only looks.
const lookingNode, lookingTor = "198.18.9.1", "198.18.9.0"

// looking has the top of rack show the gateway what it has, until the end of the test.
func looking(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(storyContext(t))
	gw, tor := shared.gw[0], shared.Tor
	harness.Must(tor.Run(ctx, "ip", "addr", "add", lookingTor+"/31", "dev", gw.Name))(t)
	harness.Must(gw.Run(ctx, "ip", "addr", "add", lookingNode+"/31", "dev", "fabric0"))(t)
	harness.Check(t, tor.Configure(ctx, "router bgp 65000", "neighbor "+lookingNode+" remote-as 64999",
		"neighbor "+lookingNode+" passive", "address-family l2vpn evpn", "neighbor "+lookingNode+" activate"))
	t.Cleanup(func() {
		harness.Check(t, tor.Configure(ctx, "router bgp 65000", "no neighbor "+lookingNode+" remote-as 64999"))
		harness.Must(gw.Run(ctx, "ip", "addr", "del", lookingNode+"/31", "dev", "fabric0"))(t)
		harness.Must(tor.Run(ctx, "ip", "addr", "del", lookingTor+"/31", "dev", gw.Name))(t)
	})
}

// seenOutside waits until the top of rack has the route to a MAC and address as it was sent,
// and verify names its VNI and port.
func seenOutside(t *testing.T, addr netip.Addr, vni uint32, port string) {
	t.Helper()
	agent, last := shared.agents[0], control.Verify{}
	asked := control.RouteQuery{Within: netip.PrefixFrom(addr, addr.BitLen()), Limit: 9}
	err := harness.Await(storyContext(t), addr.String()+" to be seen outside", func(ctx context.Context) (bool, error) {
		v, err := agent.Client().Verify(ctx, asked, true)
		if err != nil {
			return false, err
		}
		if last = v; len(v.Paths) != 1 || len(v.Paths[0].Objects) == 0 {
			return false, nil
		}
		p := v.Paths[0]
		asSent := p.State == verify.Found && strings.HasPrefix(p.NLRI, "type-2 ") && p.VNI == vni
		return asSent && p.Objects[0].Row == port, nil
	})
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, last, agent.Tail(40))
	}
}
