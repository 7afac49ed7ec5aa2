//go:build guest

package evpn

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
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

func newTenant(t *testing.T, name string, vni int, external *lab.Network, gateway []string, on *lab.Chassis,
	gws ...*lab.Chassis,
) *tenant {
	t.Helper()
	ctx := storyContext(t)
	tn := &tenant{vni: vni}
	tn.network = harness.Must(shared.Neutron.TenantNetwork(ctx, name, netip.MustParsePrefix("10.0.0.0/26"),
		netip.MustParsePrefix("2600:db8:1::/64")))(t)
	tn.router = harness.Must(shared.Neutron.Router(ctx, lab.RouterSpec{
		Name: name, External: external, Gateways: gws,
		Addrs: addrs(gateway),
	}))(t)
	harness.Check(t, tn.router.Attach(ctx, tn.network))
	harness.Check(t, tn.router.AssociateVPN(ctx, lab.VPN{VNI: vni, AS: lab.ChassisAS}))
	p := harness.Must(shared.Neutron.Port(ctx, lab.PortSpec{
		Name: name, Network: tn.network, Chassis: on,
		Addrs: addrs(inside),
	}))(t)
	tn.vm = harness.Must(on.PlugVM(ctx, p))(t)
	tn.vrf = harness.Must(shared.Tor.VRF(ctx, name, vni, netip.MustParsePrefix("10.9.0.0/24"),
		netip.MustParsePrefix("2600:db8:9::/64")))(t)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		harness.Check(t, tn.vm.Unplug(ctx))
		harness.Check(t, p.Delete(ctx))
		harness.Check(t, tn.router.Delete(ctx))
		harness.Check(t, tn.network.Delete(ctx))
		harness.Check(t, tn.vrf.Delete(ctx))
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
		out, _ := gw.Run(ctx, "sh", "-c",
			"ip -br link; ip -d link show type vxlan; ip neigh; bridge fdb; ip route show table 1001; ip -6 route show table "+
				"1001; ip route show table 1002")
		flows, _ := gw.Ofctl(ctx, "dump-flows", "br-ex")
		b.WriteString(out + flows + shared.agents[i].Tail(10) + "\n")
	}
	kernel, _ := shared.Tor.Run(ctx, "sh", "-c",
		"ip -s link; ip neigh; bridge fdb | grep -v '33:33\\|01:00:5e'; ip route show table all; nstat -az | grep -i "+
			"'disc\\|err\\|noroute\\|forw'")
	b.WriteString("# top of rack\n" + kernel)
	out, _ := shared.Tor.Vtysh(ctx, "show bgp l2vpn evpn route", "show evpn next-hops vni all", "show evpn rmac vni all",
		"show evpn vni", "show ip route vrf all")
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
	harness.Check(t, a.Settle(storyContext(t)))
}

// A VM on a tenant network and a host in FRR's VRF of the same VNI reach each
// other through the node that has the router's gateway, on a flat provider network
// and on a VLAN; and again once somebody has deleted the device of the leg, which Open
// vSwitch alone would not notice.
func TestTenant(t *testing.T) {
	for _, at := range []struct {
		name     string
		external *lab.Network
		gateway  []string
		leg      string
	}{
		{"flat", shared.flat, []string{"172.24.4.40", "2001:db8:4::40"}, "veth-ovs-1001"},
		{"vlan", shared.v100, []string{"172.24.100.40", "2001:db8:100::40"}, "vlan-1001"},
	} {
		t.Run(at.name, func(t *testing.T) {
			tn := newTenant(t, "t-"+at.name, 1001, at.external, at.gateway, shared.gw[1], shared.gw...)
			tn.connected(t)
			settled(t)
			res := harness.Must(shared.agents[0].CLI(t.Context(), "evpn", "1001"))(t)
			for _, part := range []string{
				"announced    type-5 10.0.0.5/32", "remote       10.9.0.0/24", "rt import    *:1001",
				" on br-ex ", " ofport ",
			} {
				if res.Exit != 0 || !strings.Contains(res.Out, part) {
					t.Errorf("evpn 1001 ended with %d and should have %q\n%s%s", res.Exit, part, res.Out, res.Err)
				}
			}
			index, _, _ := strings.Cut(show(t, shared.gw[0], "-o link show "+at.leg), ":")
			harness.Must(shared.gw[0].Run(t.Context(), "ip", "link", "del", at.leg))(t)
			another := func(ctx context.Context) (bool, error) {
				out, err := shared.gw[0].Run(ctx, "ip", "-o", "link", "show", at.leg)
				now, _, _ := strings.Cut(out, ":")
				return err == nil && now != index, err
			}
			harness.Check(t, harness.Await(storyContext(t), "the leg has another device", another))
			settled(t)
			tn.connected(t)
		})
	}
}

// Two tenants with the same addresses, inside and outside, stay apart: each
// reaches its own, and while one is pinged nothing arrives at the other.
func TestTenantsAreApart(t *testing.T) {
	ctx := storyContext(t)
	red := newTenant(t, "t-red", 1001, shared.flat, []string{"172.24.4.41", "2001:db8:4::41"}, shared.gw[0], shared.gw...)
	blue := newTenant(t, "t-blue", 1002, shared.flat, []string{"172.24.4.42", "2001:db8:4::42"}, shared.gw[1],
		shared.gw...)
	red.connected(t)
	blue.connected(t)
	settled(t)
	for _, pair := range [][2]*tenant{{red, blue}, {blue, red}} {
		here, other := pair[0], pair[1]
		before := echoes(t, other.vm.Node) + echoes(t, other.vrf.Host.Node)
		for _, a := range addrs(inside) {
			// Whom it reaches is asked here. A busy software switch may lose one of five.
			if res := harness.Must(here.vrf.Host.Ping(ctx, a, 5, 20e6))(t); res.Received == 0 {
				t.Errorf("ping %s of %s: %+v", a, here.vm.Port.Name, res)
			}
		}
		for _, a := range addrs(outside) {
			if res := harness.Must(here.vm.Ping(ctx, a, 5, 20e6))(t); res.Received == 0 {
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
	out := harness.Must(n.Run(t.Context(), "nstat", "-asz", "IcmpInEchos", "Icmp6InEchos"))(t)
	total := 0
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) > 1 && strings.HasSuffix(words[0], "InEchos") {
			total += harness.Must(strconv.Atoi(words[1]))(t)
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
	harness.Check(t, tn.router.Prefer(ctx, shared.gw[1], shared.gw[0]))
	harness.Check(t, tn.router.AwaitGateway(ctx, shared.gw[1]))
	tn.connected(t)
	settled(t)
	if left := show(t, shared.gw[0], "-br link show"); strings.Contains(left, "1001") {
		t.Errorf("the first node keeps devices:\n%s", left)
	}
	if left := show(t, shared.gw[0], "route show table 1001"); left != "" {
		t.Errorf("the first node keeps routes:\n%s", left)
	}
	if flows := harness.Must(shared.gw[0].Ofctl(ctx, "dump-flows", "br-ex",
		"cookie=0x3e6/-1"))(t); strings.Contains(flows, "priority=1000") {
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
	watch := harness.Must(gw.WatchKernel(ctx))(t)
	harness.Check(t, agent.Kill())
	harness.Check(t, agent.Start(ctx))
	harness.Check(t, shared.awaitPeers(ctx))
	tn.connected(t)
	settled(t)
	if written := watch.Stop(); written != "" {
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
			harness.Check(t, tn.router.DissociateVPN(ctx))
		} else {
			harness.Check(t, tn.router.AssociateVPN(ctx, lab.VPN{VNI: 1001, AS: lab.ChassisAS}))
		}
		select { // nothing is waited for: it dies wherever it has come to
		case <-ctx.Done():
		case <-time.After(time.Duration(i) * 50 * time.Millisecond):
		}
		harness.Check(t, agent.Kill())
		harness.Check(t, agent.Start(ctx))
		settled(t)
		if left := show(t, gw, "-br link show"); strings.Contains(left, "1001") == (i%2 == 0) {
			t.Fatalf("change %d leaves\n%s", i, left)
		}
	}
	harness.Check(t, shared.awaitPeers(ctx))
	tn.connected(t)
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
	harness.Must(shared.Tor.Run(ctx, "ip", "addr", "add", "10.8.0.1/24", "dev", tn.vrf.Host.Name))(t)
	awaitRoutes(t, gw, func(routes string) bool { return strings.Contains(routes, "10.8.0.0/24 via ") })
	harness.Must(shared.Tor.Run(ctx, "ip", "addr", "del", "10.8.0.1/24", "dev", tn.vrf.Host.Name))(t)
	awaitRoutes(t, gw, func(routes string) bool { return !strings.Contains(routes, "10.8.0.0/24") })

	// The router loses its VNI, and gets it again.
	harness.Check(t, tn.router.DissociateVPN(ctx))
	settled(t)
	if left := show(t, gw, "-br link show"); strings.Contains(left, "1001") {
		t.Errorf("devices of a router without a VNI are left:\n%s", left)
	}
	harness.Check(t, tn.router.AssociateVPN(ctx, lab.VPN{VNI: 1001, AS: lab.ChassisAS}))
	tn.connected(t)

	// Another router MAC. FRR 8.4 drops what it had imported when its own changes, so
	// only our side is looked at.
	harness.Must(shared.Tor.Run(ctx, "ip", "link", "set", "br1001", "address", "02:00:00:00:77:01"))(t)
	if err := harness.Until(ctx, "the neighbour to have the new MAC", func() bool {
		return strings.Contains(show(t, gw, "neigh show dev br-1001"), lab.VTEP.String()+" lladdr 02:00:00:00:77:01")
	}); err != nil {
		t.Fatalf("the neighbour keeps the old MAC: %v\n%s", err, tn.state(t))
	}
	if have := harness.Must(gw.Run(ctx, "bridge", "fdb", "show", "dev", "vxlan-1001"))(t); !strings.Contains(have,
		"02:00:00:00:77:01 dst "+lab.VTEP.String()) {
		t.Errorf("no forwarding entry for the new MAC:\n%s", have)
	}
	settled(t)

	// Another VTEP.
	moved := netip.MustParseAddr("10.255.1.2")
	harness.Check(t, tn.vrf.SetVTEP(ctx, moved))
	awaitRoutes(t, gw, func(routes string) bool { return strings.Contains(routes, "10.9.0.0/24 via "+moved.String()) })
	settled(t)
	left := show(t, gw, "neigh show dev br-1001") + show(t, gw, "route show table 1001") +
		show(t, gw, "-6 route show table 1001") +
		harness.Must(gw.Run(ctx, "bridge", "fdb", "show", "dev", "vxlan-1001"))(t)
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
	watch := harness.Must(gw.WatchKernel(ctx))(t)
	harness.Check(t, shared.Tor.Crash(ctx))
	awaitRoutes(t, gw, func(routes string) bool { return !strings.Contains(routes, "10.9.0.0/24") })
	harness.Check(t, shared.Tor.Resume(ctx))
	harness.Check(t, shared.awaitPeers(ctx))
	tn.connected(t)
	settled(t)
	if changed := watch.Stop(); !strings.Contains(changed, "10.9.0.0/24") {
		t.Errorf("the route never went:\n%s", changed)
	}
}

func awaitRoutes(t *testing.T, c *lab.Chassis, ok func(string) bool) {
	t.Helper()
	ctx := storyContext(t)
	last := ""
	if err := harness.Until(ctx, "the routes of table 1001", func() bool {
		last = show(t, c,
			"route show table 1001")
		return ok(last)
	}); err != nil {
		t.Fatalf("%v: the routes are\n%s", err, last)
	}
}
