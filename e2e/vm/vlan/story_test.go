//go:build guest

package vlan

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// VMs on a flat network and on two VLANs of one bridge are reached from behind
// the top of rack (S37).
func TestThreeNetworksOnOneBridge(t *testing.T) {
	for _, vm := range []struct {
		name, dev string
		network   *lab.Network
		addrs     []string
	}{
		{"three-flat", "br-ex", shared.flat, []string{"172.24.4.31", "2001:db8:4::31"}},
		{"three-100", "br-ex.100", shared.v100, []string{"172.24.100.31", "2001:db8:100::31"}},
		{"three-200", "br-ex.200", shared.v200, []string{"172.24.200.31", "2001:db8:200::31"}},
	} {
		t.Run(vm.name, func(t *testing.T) {
			guest(t, vm.name, vm.network, vm.addrs...)
			routed(t, vm.addrs...)
			pings(t, vm.addrs...)
			for _, addr := range vm.addrs {
				if have := tables(t); !strings.Contains(have, addr+" dev "+vm.dev+" ") {
					t.Errorf("no route to %s on %s:\n%s", addr, vm.dev, have)
				}
			}
		})
	}
	settled(t)
}

// The gateway of a router on a VLAN is announced, and the kernel is told its
// MAC on the VLAN's device.
func TestGatewayOnVLAN(t *testing.T) {
	ctx := storyContext(t)
	addrs := []string{"172.24.100.40", "2001:db8:100::40"}
	r := harness.Must(shared.Neutron.Router(ctx, lab.RouterSpec{
		Name: "blue", External: shared.v100, Gateways: []*lab.Chassis{shared.hv},
		Addrs: []netip.Addr{netip.MustParseAddr(addrs[0]), netip.MustParseAddr(addrs[1])},
	}))(t)
	routed(t, addrs...)
	pings(t, addrs...)
	for _, addr := range addrs {
		want := addr + " lladdr " + r.Gateway.MAC + " PERMANENT"
		if have := show(t, "neigh show nud permanent dev br-ex.100"); !strings.Contains(have, want) {
			t.Errorf("want %s among\n%s", want, have)
		}
	}
	harness.Check(t, r.Delete(ctx))
	withdrawn(t, addrs...)
	settled(t)
	if have := show(t, "neigh show nud permanent dev br-ex.100"); have != "" {
		t.Errorf("the neighbours are left:\n%s", have)
	}
}

// Behind a router with its gateway on a VLAN, a floating IP and tenants' own
// addresses are reached through the VLAN's device.
func TestTenantBehindVLAN(t *testing.T) {
	ctx := storyContext(t)
	gateway, fip, tenants := []string{"172.24.100.42", "2001:db8:100::42"}, "172.24.100.43",
		[]string{"10.30.0.5", "2600:db8:30::5"}
	n := harness.Must(shared.Neutron.TenantNetwork(ctx, "green", netip.MustParsePrefix("10.30.0.0/26"),
		netip.MustParsePrefix("2600:db8:30::/64")))(t)
	r := harness.Must(shared.Neutron.Router(ctx, lab.RouterSpec{
		Name: "green", External: shared.v100, Gateways: []*lab.Chassis{shared.hv},
		Addrs: []netip.Addr{netip.MustParseAddr(gateway[0]), netip.MustParseAddr(gateway[1])},
	}))(t)
	harness.Check(t, r.Attach(ctx, n))
	guest(t, "green-vm", n, tenants...)
	floated := guest(t, "green-floated", n, "10.30.0.6")
	f := harness.Must(shared.Neutron.FloatingIP(ctx, r, floated.Port, netip.MustParseAddr(fip), true))(t)
	routed(t, append(gateway, fip)...)
	pings(t, fip)
	withdrawn(t, tenants...)

	reload(t, "expose_tenant_networks: true")
	t.Cleanup(func() { reload(t) })
	routed(t, tenants...)
	pings(t, append(tenants, fip)...)
	have := tables(t)
	for _, want := range []string{
		fip + " dev br-ex.100 ", "10.30.0.0/26 via 172.24.100.42 dev br-ex.100 ",
		"2600:db8:30::/64 via 2001:db8:100::42 dev br-ex.100 ",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("no route %s:\n%s", want, have)
		}
	}
	harness.Check(t, f.Delete(ctx))
	harness.Check(t, r.Delete(ctx))
	withdrawn(t, append(append(gateway, tenants...), fip)...)
	settled(t)
}

// A VLAN device that somebody takes away is put back with all that stood on it.
func TestDeviceTakenAway(t *testing.T) {
	addrs := []string{"172.24.100.32", "2001:db8:100::32"}
	guest(t, "taken", shared.v100, addrs...)
	routed(t, addrs...)
	pings(t, addrs...)
	settled(t)
	routes := tables(t)
	show(t, "link del br-ex.100")
	ctx := storyContext(t)
	if err := harness.Until(ctx, "the same routes as before", func() bool { return tables(t) == routes }); err != nil {
		t.Fatalf("the routes are\n%swant\n%s%s", tables(t), routes, shared.agent.Tail(15))
	}
	settled(t)
	have := show(t, "-br addr show dev br-ex.100")
	for _, want := range []string{"169.254.1.100/32", "fd53:d91e:400:7f17::1:64/128"} {
		if !strings.Contains(have, want) {
			t.Errorf("no address %s: %s", want, have)
		}
	}
	routed(t, addrs...)
	pings(t, addrs...)
}

// The localnet port of a VLAN goes: its device, routes and flows go with it, and
// the other VLAN is not disturbed (S38). It comes back, and all is as before.
func TestLocalnetDeleted(t *testing.T) {
	ctx := storyContext(t)
	gone, stays := []string{"172.24.200.33", "2001:db8:200::33"}, []string{"172.24.100.33", "2001:db8:100::33"}
	guest(t, "gone", shared.v200, gone...)
	guest(t, "stays", shared.v100, stays...)
	routed(t, append(gone, stays...)...)
	pings(t, gone...)
	settled(t)
	before := strings.Count(flows(t), "0x3e7")

	harness.Must(shared.Central.Nbctl(ctx, "lsp-del", shared.v200.Localnet()))(t)
	withdrawn(t, gone...)
	settled(t)
	if have := show(t, "-br link show type vlan"); strings.Contains(have, "br-ex.200") ||
		!strings.Contains(have, "br-ex.100") {
		t.Errorf("want br-ex.100 and not br-ex.200 among\n%s", have)
	}
	if have := tables(t); strings.Contains(have, "172.24.200.") || strings.Contains(have, "2001:db8:200:") {
		t.Errorf("routes are left:\n%s", have)
	}
	if after := strings.Count(flows(t), "0x3e7"); after != before-2 {
		t.Errorf("%d flows of ours, want two fewer than %d:\n%s", after, before, flows(t))
	}
	routed(t, stays...)
	pings(t, stays...)

	harness.Check(t, addLocalnet(ctx, shared.v200))
	routed(t, gone...)
	pings(t, gone...)
	settled(t)
}

// addLocalnet puts back the port towards the physical network.
func addLocalnet(ctx context.Context, n *lab.Network) error {
	tag := strconv.Itoa(n.VLAN)
	_, err := shared.Central.Nbctl(ctx, "lsp-add", n.Switch(), n.Localnet(), "--",
		"set", "Logical_Switch_Port", n.Localnet(), "type=localnet", "addresses=unknown",
		"options:network_name="+n.Physnet, "tag_request="+tag, "tag="+tag)
	return err
}

// A controller that starts again finds its VLAN devices and all on them as
// wanted: it writes nothing, and the peers keep what it announced.
func TestRestartChangesNothing(t *testing.T) {
	ctx := storyContext(t)
	addrs := []string{"172.24.100.34", "2001:db8:100::34", "172.24.200.34", "2001:db8:200::34"}
	guest(t, "again-100", shared.v100, addrs[:2]...)
	guest(t, "again-200", shared.v200, addrs[2:]...)
	routed(t, addrs...)
	pings(t, addrs...)
	events := harness.Must(shared.Tor.WatchRoutes(ctx))(t)
	for _, end := range []struct {
		name string
		do   func() error
	}{
		{"stopped", func() error { return shared.agent.Stop(ctx) }},
		{"killed", func() error { return shared.agent.Kill() }},
	} {
		t.Run(end.name, func(t *testing.T) {
			settled(t)
			kernel, before := harness.Must(shared.hv.WatchKernel(ctx))(t), flows(t)
			harness.Check(t, end.do())
			harness.Check(t, shared.agent.Start(ctx))
			harness.Check(t, shared.awaitPeers(ctx))
			settled(t)
			if written := kernel.Stop(); written != "" {
				t.Errorf("it wrote to the kernel:\n%s", written)
			}
			if after := flows(t); after != before {
				t.Errorf("flows were\n%sand are\n%s", before, after)
			}
		})
	}
	pings(t, addrs...)
	t.Run("peers keep routes", func(t *testing.T) {
		if all := sofar(events); len(all) > 0 {
			t.Errorf("the top of rack changed routes: %v", all)
		}
	})
}

// cleanup removes the VLAN devices and all that is ours on them; a start brings
// them back.
func TestCleanup(t *testing.T) {
	ctx := storyContext(t)
	addrs := []string{"172.24.100.35", "2001:db8:100::35"}
	guest(t, "clean", shared.v100, addrs...)
	routed(t, addrs...)
	settled(t)
	harness.Check(t, shared.agent.Stop(ctx))
	res := harness.Must(shared.agent.CLI(ctx, "cleanup"))(t)
	if res.Exit != 0 {
		t.Errorf("cleanup ended with %d\n%s%s", res.Exit, res.Out, res.Err)
	}
	if left := show(t, "-br link show type vlan"); left != "" {
		t.Errorf("devices are left:\n%s", left)
	}
	left := tables(t) + show(t, "rule show pref 32000") + show(t, "-6 rule show pref 32000") +
		show(t, "-6 neigh show proxy")
	if left != "" || strings.Contains(flows(t), "0x3e7") {
		t.Errorf("left behind:\n%s%s", left, flows(t))
	}
	harness.Check(t, shared.agent.Start(ctx))
	routed(t, addrs...)
	pings(t, addrs...)
}

// Of the VLAN devices that nobody wants, adopt takes away those of ovn-bgp-agent: up to
// release 4 without an address, from release 5 on with one. An operator's stay, and a
// hand-back leaves the devices of our networks without our alias.
func TestAdoptAndHandBack(t *testing.T) {
	ctx := storyContext(t)
	addrs := []string{"172.24.100.36", "2001:db8:100::36"}
	guest(t, "adopted", shared.v100, addrs...)
	routed(t, addrs...)
	settled(t)
	harness.Check(t, shared.agent.Stop(ctx))
	proxies := func(dev string) []string {
		return []string{"ipv4/conf/" + dev + "/proxy_arp", "ipv6/conf/" + dev + "/proxy_ndp"}
	}
	for id, made := range map[string]struct {
		addr    string
		proxies bool
	}{"601": {"", true}, "602": {"169.254.1.90/32", true}, "603": {"", false}, "604": {"198.18.0.1/24", true}} {
		show(t, "link add link br-ex name br-ex."+id+" type vlan id "+id)
		show(t, "link set br-ex."+id+" up")
		t.Cleanup(func() { _, _ = shared.hv.Run(context.WithoutCancel(ctx), "ip", "link", "del", "br-ex."+id) })
		if made.addr != "" {
			show(t, "addr add "+made.addr+" dev br-ex."+id)
		}
		for _, path := range proxies("br-ex." + id) {
			if made.proxies {
				harness.Must(shared.hv.Run(ctx, "sh", "-c", "echo 1 >/proc/sys/net/"+path))(t)
			}
		}
	}
	for _, args := range [][]string{{"adopt"}, {"adopt", "--reverse"}, {"adopt"}} {
		if res := harness.Must(shared.agent.CLI(ctx, args...))(t); res.Exit != 0 {
			t.Errorf("%v ended with %d\n%s%s", args, res.Exit, res.Out, res.Err)
		}
		devices := show(t, "-d link show type vlan")
		for name, there := range map[string]bool{
			"br-ex.601@": false, "br-ex.602@": false, "br-ex.603@": true, "br-ex.604@": true, "br-ex.100@": true,
			"alias bgp-ovn": len(args) == 1,
		} {
			if strings.Contains(devices, name) != there {
				t.Errorf("after %v %s is there: %t\n%s", args, name, !there, devices)
			}
		}
	}
	harness.Check(t, shared.agent.Start(ctx))
	routed(t, addrs...)
	pings(t, addrs...)
	settled(t)
}
