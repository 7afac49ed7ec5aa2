//go:build guest

package evpn

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// tenant is a tenant network behind a router with a VNI, a VM on it, and a host in
// the top of rack's VRF of the same VNI.
type tenant struct {
	network *lab.Network
	router  *lab.Router
	vm      *lab.VM
	vrf     *lab.VRF
	vni     int
}

// The addresses that all tenants use.
var (
	inside  = []string{"10.0.0.5", "2600:db8:1::5"}
	outside = []string{"10.9.0.10", "2600:db8:9::a"}
)

func newTenant(t *testing.T, name string, vni int, external *lab.Network, gateway []string, on *lab.Chassis, gws ...*lab.Chassis) *tenant {
	t.Helper()
	ctx := storyContext(t)
	tn := &tenant{vni: vni}
	tn.network = must[*lab.Network](t)(shared.Neutron.TenantNetwork(ctx, name, netip.MustParsePrefix("10.0.0.0/26"), netip.MustParsePrefix("2600:db8:1::/64")))
	tn.router = must[*lab.Router](t)(shared.Neutron.Router(ctx, lab.RouterSpec{Name: name, External: external, Gateways: gws, Addrs: addrs(gateway)}))
	check(t, tn.router.Attach(ctx, tn.network))
	check(t, tn.router.AssociateVPN(ctx, lab.VPN{VNI: vni, AS: lab.ChassisAS}))
	p := must[*lab.Port](t)(shared.Neutron.Port(ctx, lab.PortSpec{Name: name, Network: tn.network, Chassis: on, Addrs: addrs(inside)}))
	tn.vm = must[*lab.VM](t)(on.PlugVM(ctx, p))
	tn.vrf = must[*lab.VRF](t)(shared.Tor.VRF(ctx, name, vni, netip.MustParsePrefix("10.9.0.0/24"), netip.MustParsePrefix("2600:db8:9::/64")))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		check(t, tn.vm.Unplug(ctx))
		check(t, p.Delete(ctx))
		check(t, tn.router.Delete(ctx))
		check(t, tn.network.Delete(ctx))
		check(t, tn.vrf.Delete(ctx))
	})
	return tn
}

func addrs(list []string) []netip.Addr {
	out := make([]netip.Addr, len(list))
	for i, a := range list {
		out[i] = netip.MustParseAddr(a)
	}
	return out
}

// connected demands that both ends come to reach each other, IPv4 and IPv6.
func (tn *tenant) connected(t *testing.T) {
	t.Helper()
	tn.reach(t, addrs(inside), addrs(outside))
}

// reach demands that the host comes to reach the VM's addresses, and the VM the
// host's.
func (tn *tenant) reach(t *testing.T, inside, outside []netip.Addr) {
	t.Helper()
	ctx := storyContext(t)
	for _, a := range inside {
		if err := tn.vrf.Host.AwaitPing(ctx, a); err != nil {
			t.Fatalf("%v\n%s", err, tn.state(t))
		}
	}
	for _, a := range outside {
		if err := tn.vm.AwaitPing(ctx, a); err != nil {
			t.Fatalf("%v\n%s", err, tn.state(t))
		}
	}
}

// state is what to look at when packets do not arrive.
func (tn *tenant) state(t *testing.T) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var b strings.Builder
	for i, gw := range shared.gw {
		for _, args := range [][]string{{"plan"}, {"explain", inside[0]}} {
			res, _ := shared.agents[i].CLI(ctx, args...)
			b.WriteString("# " + gw.Name + " " + strings.Join(args, " ") + "\n" + res.Out + res.Err)
		}
		out, _ := gw.Run(ctx, "sh", "-c", "ip -br link; ip -d link show type vxlan; ip neigh; bridge fdb; ip route show table 1001; ip -6 route show table 1001; ip route show table 1002")
		flows, _ := gw.Ofctl(ctx, "dump-flows", "br-ex")
		b.WriteString(out + flows + shared.agents[i].Tail(10) + "\n")
	}
	kernel, _ := shared.Tor.Run(ctx, "sh", "-c", "ip -s link; ip neigh; bridge fdb | grep -v '33:33\\|01:00:5e'; ip route show table all; nstat -az | grep -i 'disc\\|err\\|noroute\\|forw'")
	b.WriteString("# top of rack\n" + kernel)
	out, _ := shared.Tor.Vtysh(ctx, "show bgp l2vpn evpn route", "show evpn next-hops vni all", "show evpn rmac vni all", "show evpn vni", "show ip route vrf all")
	return b.String() + out
}

// settled waits until no controller has anything left to do.
func settled(t *testing.T) {
	t.Helper()
	for _, a := range shared.agents {
		idle(t, a)
	}
}

// idle waits until a controller has nothing left to do.
func idle(t *testing.T, a *product.Agent) {
	t.Helper()
	ctx := storyContext(t)
	var last string
	if err := await(ctx, func() bool {
		res, err := a.CLI(ctx, "plan")
		if err == nil {
			last = res.Out + res.Err
		}
		return err == nil && res.Exit == 0
	}); err != nil {
		t.Fatalf("it does not settle: %v\n%s\n%s", err, last, a.Tail(15))
	}
}

// A VM on a tenant network and a host in FRR's VRF of the same VNI reach each
// other through the node that has the router's gateway, on a flat provider network
// and on a VLAN.
func TestTenant(t *testing.T) {
	for _, at := range []struct {
		name     string
		external *lab.Network
		gateway  []string
	}{
		{"flat", shared.flat, []string{"172.24.4.40", "2001:db8:4::40"}},
		{"vlan", shared.v100, []string{"172.24.100.40", "2001:db8:100::40"}},
	} {
		t.Run(at.name, func(t *testing.T) {
			tn := newTenant(t, "t-"+at.name, 1001, at.external, at.gateway, shared.gw[1], shared.gw...)
			tn.connected(t)
			settled(t)
			res := must[product.Result](t)(shared.agents[0].CLI(t.Context(), "evpn", "1001"))
			for _, part := range []string{"announced    type-5 10.0.0.5/32", "remote       10.9.0.0/24", "rt import    *:1001", " on br-ex ", " ofport "} {
				if res.Exit != 0 || !strings.Contains(res.Out, part) {
					t.Errorf("evpn 1001 ended with %d and should have %q\n%s%s", res.Exit, part, res.Out, res.Err)
				}
			}
		})
	}
}

// Two tenants with the same addresses, inside and outside, stay apart: each
// reaches its own, and while one is pinged nothing arrives at the other.
func TestTenantsAreApart(t *testing.T) {
	ctx := storyContext(t)
	red := newTenant(t, "t-red", 1001, shared.flat, []string{"172.24.4.41", "2001:db8:4::41"}, shared.gw[0], shared.gw...)
	blue := newTenant(t, "t-blue", 1002, shared.flat, []string{"172.24.4.42", "2001:db8:4::42"}, shared.gw[1], shared.gw...)
	red.connected(t)
	blue.connected(t)
	settled(t)
	for _, pair := range [][2]*tenant{{red, blue}, {blue, red}} {
		here, other := pair[0], pair[1]
		before := echoes(t, other.vm.Node) + echoes(t, other.vrf.Host.Node)
		for _, a := range addrs(inside) {
			// Whom it reaches is asked here. A busy software switch may lose one of five.
			if res := must[lab.PingResult](t)(here.vrf.Host.Ping(ctx, a, 5, 20e6)); res.Received == 0 {
				t.Errorf("ping %s of %s: %+v", a, here.vm.Port.Name, res)
			}
		}
		for _, a := range addrs(outside) {
			if res := must[lab.PingResult](t)(here.vm.Ping(ctx, a, 5, 20e6)); res.Received == 0 {
				t.Errorf("ping %s from %s: %+v", a, here.vm.Port.Name, res)
			}
		}
		if after := echoes(t, other.vm.Node) + echoes(t, other.vrf.Host.Node); after != before {
			t.Errorf("%d packets of %s arrived at %s", after-before, here.vm.Port.Name, other.vm.Port.Name)
		}
	}
}

// echoes counts the echo requests that a machine has received.
func echoes(t *testing.T, n *lab.Node) int {
	t.Helper()
	out := must[string](t)(n.Run(t.Context(), "nstat", "-asz", "IcmpInEchos", "Icmp6InEchos"))
	total := 0
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) > 1 && strings.HasSuffix(words[0], "InEchos") {
			total += must[int](t)(strconv.Atoi(words[1]))
		}
	}
	return total
}

// The gateway moves to the other node, and the VNI with it: traffic goes on, and
// the first node keeps nothing.
func TestGatewayMoves(t *testing.T) {
	ctx := storyContext(t)
	tn := newTenant(t, "t-move", 1001, shared.flat, []string{"172.24.4.43", "2001:db8:4::43"}, shared.gw[1], shared.gw...)
	tn.connected(t)
	check(t, tn.router.Prefer(ctx, shared.gw[1], shared.gw[0]))
	check(t, tn.router.AwaitGateway(ctx, shared.gw[1]))
	tn.connected(t)
	settled(t)
	if left := show(t, shared.gw[0], "-br link show"); strings.Contains(left, "1001") {
		t.Errorf("the first node keeps devices:\n%s", left)
	}
	if left := show(t, shared.gw[0], "route show table 1001"); left != "" {
		t.Errorf("the first node keeps routes:\n%s", left)
	}
	if flows := must[string](t)(shared.gw[0].Ofctl(ctx, "dump-flows", "br-ex", "cookie=0x3e6/-1")); strings.Contains(flows, "priority=1000") {
		t.Errorf("the first node keeps flows:\n%s", flows)
	}
}

// show is what ip shows on a chassis; a table that nobody has used is empty.
func show(t *testing.T, c *lab.Chassis, what string) string {
	t.Helper()
	out, err := c.Run(t.Context(), "ip", strings.Fields(what)...)
	if err != nil && !strings.Contains(err.Error(), "table does not exist") {
		t.Fatal(err)
	}
	return out
}

// A controller that was killed finds all of it as wanted when it starts again, and
// writes nothing to the kernel.
func TestRestartChangesNothing(t *testing.T) {
	ctx := storyContext(t)
	tn := newTenant(t, "t-again", 1001, shared.flat, []string{"172.24.4.44", "2001:db8:4::44"}, shared.gw[1], shared.gw...)
	tn.connected(t)
	settled(t)
	gw, agent := shared.gw[0], shared.agents[0]
	stop := watchKernel(t, gw)
	check(t, agent.Kill())
	check(t, agent.Start(ctx))
	check(t, shared.awaitPeers(ctx))
	tn.connected(t)
	settled(t)
	if written := stop(); written != "" {
		t.Errorf("it wrote to the kernel:\n%s", written)
	}
}

// A controller is killed again and again while it builds and dismantles a VNI, a
// little later each time: the one after it finishes either.
func TestKilledAnywhere(t *testing.T) {
	ctx := storyContext(t)
	tn := newTenant(t, "t-kill", 1001, shared.flat, []string{"172.24.4.47", "2001:db8:4::47"}, shared.gw[1], shared.gw...)
	tn.connected(t)
	gw, agent := shared.gw[0], shared.agents[0]
	for i := range 4 {
		if i%2 == 0 {
			check(t, tn.router.DissociateVPN(ctx))
		} else {
			check(t, tn.router.AssociateVPN(ctx, lab.VPN{VNI: 1001, AS: lab.ChassisAS}))
		}
		select { // nothing is waited for: it dies wherever it has come to
		case <-ctx.Done():
		case <-time.After(time.Duration(i) * 50 * time.Millisecond):
		}
		check(t, agent.Kill())
		check(t, agent.Start(ctx))
		settled(t)
		if left := show(t, gw, "-br link show"); strings.Contains(left, "1001") == (i%2 == 0) {
			t.Fatalf("change %d leaves\n%s", i, left)
		}
	}
	check(t, shared.awaitPeers(ctx))
	tn.connected(t)
}

// watchKernel records links, addresses, routes and rules that change on a chassis,
// until called.
func watchKernel(t *testing.T, c *lab.Chassis) (stop func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := c.Command(ctx, "ip", "monitor", "link", "address", "route", "rule")
	var out strings.Builder
	cmd.Stdout = &out
	check(t, cmd.Start())
	return func() string {
		cancel()
		_ = cmd.Wait() // it is killed
		return out.String()
	}
}

// What FRR announces changes, and what the router is annotated with: the routes
// and devices follow.
func TestRemoteChanges(t *testing.T) {
	ctx := storyContext(t)
	tn := newTenant(t, "t-far", 1001, shared.flat, []string{"172.24.4.45", "2001:db8:4::45"}, shared.gw[1], shared.gw...)
	tn.connected(t)
	gw := shared.gw[0]
	awaitRoutes(t, gw, func(routes string) bool { return strings.Contains(routes, "10.9.0.0/24 via "+lab.VTEP.String()) })

	// A new prefix in the VRF.
	must[string](t)(shared.Tor.Run(ctx, "ip", "addr", "add", "10.8.0.1/24", "dev", tn.vrf.Host.Name))
	awaitRoutes(t, gw, func(routes string) bool { return strings.Contains(routes, "10.8.0.0/24 via ") })
	must[string](t)(shared.Tor.Run(ctx, "ip", "addr", "del", "10.8.0.1/24", "dev", tn.vrf.Host.Name))
	awaitRoutes(t, gw, func(routes string) bool { return !strings.Contains(routes, "10.8.0.0/24") })

	// The router loses its VNI, and gets it again.
	check(t, tn.router.DissociateVPN(ctx))
	settled(t)
	if left := show(t, gw, "-br link show"); strings.Contains(left, "1001") {
		t.Errorf("devices of a router without a VNI are left:\n%s", left)
	}
	check(t, tn.router.AssociateVPN(ctx, lab.VPN{VNI: 1001, AS: lab.ChassisAS}))
	tn.connected(t)

	// Another router MAC. FRR 8.4 drops what it had imported when its own changes, so
	// only our side is looked at.
	must[string](t)(shared.Tor.Run(ctx, "ip", "link", "set", "br1001", "address", "02:00:00:00:77:01"))
	if err := await(ctx, func() bool {
		return strings.Contains(show(t, gw, "neigh show dev br-1001"), lab.VTEP.String()+" lladdr 02:00:00:00:77:01")
	}); err != nil {
		t.Fatalf("the neighbour keeps the old MAC: %v\n%s", err, tn.state(t))
	}
	if have := must[string](t)(gw.Run(ctx, "bridge", "fdb", "show", "dev", "vxlan-1001")); !strings.Contains(have, "02:00:00:00:77:01 dst "+lab.VTEP.String()) {
		t.Errorf("no forwarding entry for the new MAC:\n%s", have)
	}
	settled(t)

	// Another VTEP.
	moved := netip.MustParseAddr("10.255.1.2")
	check(t, tn.vrf.SetVTEP(ctx, moved))
	awaitRoutes(t, gw, func(routes string) bool { return strings.Contains(routes, "10.9.0.0/24 via "+moved.String()) })
	settled(t)
	left := show(t, gw, "neigh show dev br-1001") + show(t, gw, "route show table 1001") + show(t, gw, "-6 route show table 1001") +
		must[string](t)(gw.Run(ctx, "bridge", "fdb", "show", "dev", "vxlan-1001"))
	if strings.Contains(left+"\n", lab.VTEP.String()+" ") {
		t.Errorf("something of the old VTEP is left:\n%s", left)
	}
	if !strings.Contains(left, "dst "+moved.String()) {
		t.Errorf("no forwarding entry for the new VTEP:\n%s", left)
	}
}

// FRR crashes and comes back with the same configuration: what we had of it goes
// and comes back.
func TestFRRRestarts(t *testing.T) {
	ctx := storyContext(t)
	tn := newTenant(t, "t-crash", 1001, shared.flat, []string{"172.24.4.46", "2001:db8:4::46"}, shared.gw[1], shared.gw...)
	tn.connected(t)
	gw := shared.gw[0]
	watch := watchKernel(t, gw)
	check(t, shared.Tor.Crash(ctx))
	awaitRoutes(t, gw, func(routes string) bool { return !strings.Contains(routes, "10.9.0.0/24") })
	check(t, shared.Tor.Resume(ctx))
	check(t, shared.awaitPeers(ctx))
	tn.connected(t)
	settled(t)
	if changed := watch(); !strings.Contains(changed, "10.9.0.0/24") {
		t.Errorf("the route never went:\n%s", changed)
	}
}

func awaitRoutes(t *testing.T, c *lab.Chassis, ok func(string) bool) {
	t.Helper()
	ctx := storyContext(t)
	last := ""
	if err := await(ctx, func() bool { last = show(t, c, "route show table 1001"); return ok(last) }); err != nil {
		t.Fatalf("%v: the routes are\n%s", err, last)
	}
}

// configure adds lines to the configuration of all controllers, until the end of the
// test.
func configure(t *testing.T, lines ...string) {
	t.Helper()
	load := func(ctx context.Context, a *product.Agent, lines ...string) {
		check(t, a.ConfigureEVPN(lines...))
		if res := must[product.Result](t)(a.CLI(ctx, "reload")); res.Exit != 0 {
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
	vrf := must[*lab.VRF](t)(shared.Tor.VRF(ctx, "t-prov", 1003, netip.MustParsePrefix("10.9.0.0/24"), netip.MustParsePrefix("2600:db8:9::/64")))
	t.Cleanup(func() { check(t, vrf.Delete(context.WithoutCancel(ctx))) })
	inside := addrs([]string{"172.24.100.62", "2001:db8:100::62"})
	p := must[*lab.Port](t)(shared.Neutron.Port(ctx, lab.PortSpec{Name: "prov", Network: shared.v100, Chassis: shared.gw[0], Addrs: inside}))
	vm := must[*lab.VM](t)(shared.gw[0].PlugVM(ctx, p))
	t.Cleanup(func() {
		check(t, vm.Unplug(context.WithoutCancel(ctx)))
		check(t, p.Delete(context.WithoutCancel(ctx)))
	})
	tn := &tenant{vm: vm, vrf: vrf, vni: 1003}
	tn.reach(t, inside, addrs(outside))
	idle(t, shared.agents[0])
	// The VM's first hop is the node itself, with the MAC that all nodes have.
	table := must[string](t)(vm.Run(ctx, "ip", "neigh", "show", "to", "172.24.100.1"))
	leg := must[string](t)(shared.gw[0].Run(ctx, "sh", "-c", "ip -br link show type veth vrf vrf-1003"))
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
	configure(t, `evpn: {networks: [{network: physnet1, vlan: 100, method: l2vni, vni: 3001, import: ["65000:3001", "64999:3001"]}]}`)
	segment := must[*lab.Segment](t)(shared.Tor.Segment(ctx, "seg", vni, far))
	t.Cleanup(func() { check(t, segment.Delete(context.WithoutCancel(ctx))) })
	p := must[*lab.Port](t)(shared.Neutron.Port(ctx, lab.PortSpec{Name: "near", Network: shared.v100, Chassis: shared.gw[0], Addrs: addrs([]string{"172.24.100.60"})}))
	vm := must[*lab.VM](t)(shared.gw[0].PlugVM(ctx, p))
	t.Cleanup(func() {
		check(t, vm.Unplug(context.WithoutCancel(ctx)))
		check(t, p.Delete(context.WithoutCancel(ctx)))
	})
	if err := vm.AwaitPing(ctx, far.Addr()); err != nil {
		gw := shared.gw[0]
		routes, _ := shared.Tor.Vtysh(ctx, "show bgp l2vpn evpn route", "show evpn mac vni all", "show evpn arp-cache vni all")
		plan, _ := shared.agents[0].CLI(ctx, "plan")
		t.Fatalf("%v\n%s\n%s\n%s\n%s\n%s", err, routes, plan.Out, show(t, gw, "-d link show type vxlan"), show(t, gw, "neigh"),
			must[string](t)(gw.Run(ctx, "bridge", "fdb", "show", "dev", "vxlan-3001")))
	}
	if err := segment.Host.AwaitPing(ctx, netip.MustParseAddr("172.24.100.60")); err != nil {
		t.Fatal(err)
	}
	idle(t, shared.agents[0]) // on the other node the network has no patch port yet

	// What is known is answered here and sent to where it is; what is not is flooded.
	neighbours := ""
	if err := await(ctx, func() bool {
		neighbours = show(t, shared.gw[0], "neigh show dev br-3001")
		return strings.Contains(neighbours, far.Addr().String()+" lladdr "+segment.Host.MAC.String())
	}); err != nil {
		t.Fatalf("%v: the bridge knows the neighbours\n%s", err, neighbours)
	}
	fdb := must[string](t)(shared.gw[0].Run(ctx, "bridge", "fdb", "show", "dev", "vxlan-3001"))
	if !strings.Contains(fdb, segment.Host.MAC.String()+" dst "+lab.VTEP.String()) {
		t.Errorf("no forwarding entry for the host's MAC:\n%s", fdb)
	}
	watch := must[*lab.ARPWatch](t)(segment.Host.WatchARP("eth0"))
	t.Cleanup(func() { check(t, watch.Close()) })
	must[string](t)(vm.Run(ctx, "ip", "neigh", "flush", "all"))
	if res := must[lab.PingResult](t)(vm.Ping(ctx, far.Addr(), 3, 20e6)); !res.Lossless() {
		t.Errorf("ping %s: %+v", far.Addr(), res)
	}
	nobody := netip.MustParseAddr("172.24.100.78")
	must[lab.PingResult](t)(vm.Ping(ctx, nobody, 1, 20e6))
	var asked []netip.Addr
	if err := await(ctx, func() bool {
		asked = append(asked, must[[]netip.Addr](t)(watch.Asked())...)
		return slices.Contains(asked, nobody)
	}); err != nil {
		t.Errorf("who has %s was not flooded: %v", nobody, err)
	}
	if slices.Contains(asked, far.Addr()) {
		t.Errorf("who has %s crossed the VXLAN: %v", far.Addr(), asked)
	}
}
