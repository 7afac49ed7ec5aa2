//go:build guest

package evpn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// nativePatience bounds every wait of these stories, in which OVN has a part, too.
const nativePatience = time.Minute

// awaitText waits until what a function shows has all of these, and none of those that begin with "!".
func awaitText(t *testing.T, what string, show func() (string, error), parts ...string) {
	t.Helper()
	last := ""
	err := harness.Await(harness.Context(t, nativePatience), what, func(context.Context) (bool, error) {
		var err error
		last, err = show()
		for _, part := range parts {
			text, not := strings.CutPrefix(part, "!")
			if strings.Contains(last, text) == not {
				err = errors.Join(err, fmt.Errorf("want %q", part))
			}
		}
		return err == nil, err
	})
	if err != nil {
		res, _ := shared.agents[0].CLI(context.WithoutCancel(t.Context()), "status")
		plan, _ := shared.agents[0].CLI(context.WithoutCancel(t.Context()), "plan")
		t.Fatalf("%v\n%s\n%s%s%s", err, last, res.Out, plan.Out, shared.agents[0].Tail(20))
	}
}

// on shows what a command prints on the first gateway node; a table that nobody has used is empty.
func on(t *testing.T, command string) func() (string, error) {
	return func() (string, error) {
		out, err := shared.gw[0].Run(t.Context(), "sh", "-c", command)
		if err != nil && strings.Contains(err.Error(), "does not exist") {
			return "", nil
		}
		return out, err
	}
}

// A router of OVN's own dynamic routing, beside the drivers of the other stories: it has a VRF of ours
// with what neighbours announce, then the VRF of ovn-controller, and nothing is left of it afterwards.
func TestNativeVRF(t *testing.T) {
	ctx := harness.Context(t, 5*nativePatience)
	gw := shared.gw[0]
	router := harness.Must(shared.Neutron.Router(ctx, lab.RouterSpec{
		Name: "t-dynamic", External: shared.flat, Gateways: shared.gw, Addrs: addrs([]string{"172.24.4.48"}),
	}))(t)
	t.Cleanup(func() { harness.Check(t, router.Delete(context.WithoutCancel(ctx))) })
	configure(t, fmt.Sprintf("native: {learn_map: {%s: %s}, require_kernel: true}", lab.FabricLink, router.LogicalName()))
	bgp, family := fmt.Sprintf("router bgp %d", lab.TorAS), "address-family ipv4 unicast"
	harness.Check(t, shared.Tor.Configure(ctx, bgp, family, fmt.Sprintf("neighbor %s default-originate", gw.Addr4)))
	t.Cleanup(func() {
		harness.Check(t, shared.Tor.Configure(context.WithoutCancel(ctx), bgp, family,
			fmt.Sprintf("no neighbor %s default-originate", gw.Addr4)))
	})
	nbctl := func(args ...string) { harness.Must(shared.Central.Nbctl(ctx, args...))(t) }
	port := router.GatewayPort()
	nbctl("set", "Logical_Router", router.LogicalName(), "options:dynamic-routing=true",
		"options:dynamic-routing-vrf-id=1077", "options:dynamic-routing-redistribute=connected")

	const vrf = "ovnvrf1077"
	route := "default via " + gw.TorAddr4.String() + " dev " + lab.FabricLink
	learned := func() (string, error) {
		return shared.Central.Sbctl(t.Context(), "--bare", "--columns=ip_prefix,nexthop", "list", "Learned_Route")
	}
	inPlace := func(link ...string) {
		t.Helper()
		awaitText(t, "VRF", on(t, "ip -d link show type vrf"), append([]string{vrf + ":", "table 1077", ",UP"}, link...)...)
		awaitText(t, "learned route", on(t, "ip route show table 1077"), route, "blackhole 172.24.4.0/24", "metric 20")
		awaitText(t, "Learned_Route", learned, "0.0.0.0/0", gw.TorAddr4.String())
		subnet := netip.MustParsePrefix("172.24.4.0/24")
		if _, err := shared.Tor.WaitRoute(harness.Context(t, nativePatience), subnet, gw); err != nil {
			res, _ := shared.agents[0].CLI(context.WithoutCancel(ctx), "explain", "172.24.4.0")
			t.Fatalf("%v\n%s%s", err, res.Out, shared.agents[0].Tail(20))
		}
	}
	inPlace("alias bgp-ovn")
	settled(t)
	harness.Must(gw.Run(ctx, "ip", "link", "del", vrf))(t)
	inPlace("alias bgp-ovn")
	settled(t)

	nbctl("set", "Logical_Router_Port", port, "options:dynamic-routing-maintain-vrf=true")
	settled(t)
	inPlace("alias bgp-ovn") // ovn-controller uses the one that is there

	nbctl("remove", "Logical_Router_Port", port, "options", "dynamic-routing-maintain-vrf")
	inPlace("alias bgp-ovn")
	settled(t)

	nbctl("remove", "Logical_Router", router.LogicalName(), "options", "dynamic-routing")
	awaitText(t, "no VRF", on(t, "ip -d link show type vrf"), "!"+vrf)
	awaitText(t, "no route", on(t, "ip route show table 1077"), "!default", "!blackhole")
	awaitText(t, "no Learned_Route", learned, "!0.0.0.0/0")
	settled(t)
}

// A switch with a VNI: its devices, what FRR announces for it as ovn-controller reads it, what we
// announce as FRR has it, and packets between its guest and a station behind FRR's VTEP.
func TestNativeSegment(t *testing.T) {
	ctx := harness.Context(t, 5*nativePatience)
	gw, vtep := shared.gw[0], lab.VTEP.String()
	local := gw.TunnelAddr().String()
	leave := harness.Must(shared.Tor.JoinUnderlay(ctx, gw))(t)
	t.Cleanup(func() { harness.Check(t, leave(context.WithoutCancel(ctx))) })
	network := harness.Must(shared.Neutron.TenantNetwork(ctx, "t-l2", netip.MustParsePrefix("10.44.0.0/24")))(t)
	t.Cleanup(func() { harness.Check(t, network.Delete(context.WithoutCancel(ctx))) })
	p := harness.Must(shared.Neutron.Port(ctx, lab.PortSpec{
		Name: "l2", Network: network, Chassis: gw, Addrs: addrs([]string{"10.44.0.10"}),
	}))(t)
	vm := harness.Must(gw.PlugVM(ctx, p))(t)
	t.Cleanup(func() { harness.Check(t, p.Delete(context.WithoutCancel(ctx))) })
	far := netip.MustParsePrefix("10.44.0.77/24")
	segment := harness.Must(shared.Tor.Segment(ctx, "l2", 4001, far))(t)
	t.Cleanup(func() { harness.Check(t, segment.Delete(context.WithoutCancel(ctx))) })
	harness.Must(gw.Vsctl(ctx, "set", "Open_vSwitch", ".", "external_ids:ovn-evpn-vxlan-ports=4789",
		"external_ids:ovn-evpn-local-ip="+local))(t)
	t.Cleanup(func() {
		harness.Must(gw.Vsctl(context.WithoutCancel(ctx), "remove", "Open_vSwitch", ".", "external_ids",
			"ovn-evpn-vxlan-ports", "--", "remove", "Open_vSwitch", ".", "external_ids", "ovn-evpn-local-ip"))(t)
	})
	harness.Must(shared.Central.Nbctl(ctx, "set", "Logical_Switch", network.Switch(),
		"other_config:dynamic-routing-vni=4001", `other_config:dynamic-routing-redistribute="fdb,ip"`,
		"other_config:dynamic-routing-bridge-ifname=br-4001", "other_config:dynamic-routing-vxlan-ifname=vxlan-4001",
		"other_config:dynamic-routing-advertise-ifname=lo-4001"))(t)

	mac := segment.Host.MAC.String()
	awaitText(t, "devices", on(t, "ip -d link show"), "br-4001:", "vxlan-4001:", "vxlan id 4001", "lo-4001:",
		"nolearning")
	ask := func(command string) func() (string, error) {
		return func() (string, error) { return gw.ControllerCtl(t.Context(), command) }
	}
	announced := func() (string, error) {
		return shared.Tor.Vtysh(t.Context(), "show evpn mac vni 4001", "show evpn arp-cache vni 4001", "show evpn vni 4001")
	}
	inPlace := func() {
		t.Helper()
		awaitText(t, "entries", on(t, "bridge fdb show dev vxlan-4001"), "00:00:00:00:00:00 dst "+vtep, mac+" dst "+vtep)
		awaitText(t, "neighbour", on(t, "ip neigh show dev br-4001"), far.Addr().String()+" lladdr "+mac)
		awaitText(t, "VTEP in OVN", ask("evpn/remote-vtep-list"), vtep)
		awaitText(t, "station in OVN", ask("evpn/vtep-fdb-list"), mac)
		awaitText(t, "address in OVN", ask("evpn/vtep-arp-list"), far.Addr().String())
		awaitText(t, "what FRR has", announced, vm.Port.MAC, "10.44.0.10", local)
		settled(t)
		exchange(t, gw, vm, segment, far.Addr())
	}
	inPlace()
	// ovn-controller reads these devices, and must find those that take their place.
	for _, device := range []string{"vxlan-4001", "lo-4001", "br-4001"} {
		harness.Must(gw.Run(ctx, "ip", "link", "del", device))(t)
		settled(t)
		inPlace()
	}

	// With its last guest the switch is not of this node any more: nothing of it is left.
	harness.Check(t, vm.Unplug(ctx))
	awaitText(t, "what FRR has", announced, "!"+vm.Port.MAC, "!"+local)
	awaitText(t, "devices", on(t, "ip -d link show"), "!-4001")
	settled(t)
}

// exchange demands that a guest and a station behind the other VTEP reach each other, and that their packets
// are VXLAN of OVN's and of FRR's end.
func exchange(t *testing.T, gw *lab.Chassis, vm *lab.VM, segment *lab.Segment, far netip.Addr) {
	t.Helper()
	ctx := harness.Context(t, nativePatience)
	tell := func(err error) {
		t.Helper()
		if err == nil {
			return
		}
		ports, _ := gw.Vsctl(context.WithoutCancel(ctx), "--columns=name,type,options,statistics,error", "list", "Interface")
		routes, _ := gw.Run(context.WithoutCancel(ctx), "sh", "-c", "ip route; ip neigh; ovs-appctl ovs/route/show; "+
			"ovs-appctl tnl/neigh/show; ovs-appctl tnl/ports/show -v; ovs-appctl dpctl/dump-flows")
		t.Fatalf("%v\n%s\n%s", err, ports, routes)
	}
	tell(vm.AwaitPing(ctx, far))
	tell(segment.Host.AwaitPing(ctx, vm.Port.Addrs[0]))
	count := func() (in, out int) {
		t.Helper()
		text := harness.Must(gw.Vsctl(ctx, "get", "Interface", "ovn-evpn-4789", "statistics:rx_packets",
			"statistics:tx_packets"))(t)
		if _, err := fmt.Sscan(text, &in, &out); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return in, out
	}
	const each = 20
	in, out := count()
	for _, end := range []struct {
		node *lab.Node
		to   netip.Addr
	}{{vm.Node, far}, {segment.Host.Node, vm.Port.Addrs[0]}} {
		// A machine that is busy with other guests stands still for a second now and then.
		err := harness.Until(ctx, "every packet to be answered", func() bool {
			r := harness.Must(end.node.Ping(ctx, end.to, each, 100*time.Millisecond))(t)
			t.Logf("%s to %s: %d of %d answered, %d in a row not", end.node.Name, end.to, r.Received, r.Sent, r.LongestGap)
			return r.Lossless() && r.Sent == each
		})
		if err != nil {
			t.Errorf("%s to %s: %v", end.node.Name, end.to, err)
		}
	}
	awaitText(t, "counters of OVN's VXLAN port", func() (string, error) {
		in2, out2 := count() // Open vSwitch writes them every few seconds
		return fmt.Sprintf("enough %v: %d in, %d out", in2-in >= 2*each && out2-out >= 2*each, in2-in, out2-out), nil
	}, "enough true")
}
