// Package soak_test keeps bgp-ovn busy for a long time and weighs it: the real binary
// on a node of the lab with a real kernel, Open vSwitch, ovsdb-server and FRR. Changes
// are written straight into the Southbound database, twenty a second; ovn-northd and
// ovn-controller are ended first, which would undo them.
//
// Read next: soak_test.go for what is promised, southbound_test.go for what changes,
// usage_test.go for what is weighed.
package soak_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// world is a lab of one node, and the Southbound database to write to.
type world struct {
	*lab.Lab
	node  *lab.Chassis
	agent *product.Agent
	vm    *lab.VM
	sb    *southbound
}

// steady is a guest that the changes leave alone.
var steady = []string{"172.24.4.10", "2001:db8:4::10"}

// newWorld starts everything but the changes. extra are lines of the configuration.
func newWorld(t *testing.T, extra ...string) *world {
	t.Helper()
	ctx := harness.Context(t, 3*time.Minute)
	bin := harness.Must(harness.Binary(ctx))(t)
	w := &world{Lab: harness.Must(lab.Start(ctx, lab.Options{
		Log: os.Stderr, Chassis: []lab.ChassisSpec{{Gateway: true}}, KeepDir: os.Getenv("LAB_KEEP") != "",
	}))(t)}
	t.Cleanup(func() { harness.Check(t, w.Close()) })
	w.node = w.Chassis[0]
	w.plugGuest(t, ctx)
	// Their rows stay, and so do the flows, once they are there: traffic goes on.
	harness.Check(t, w.Central.Sync(ctx))
	harness.Check(t, w.Central.Northd.Kill())
	harness.Check(t, w.node.Controller.Kill())
	w.sb = newSouthbound(t, w)

	w.agent = harness.Must(product.New(w.node, bin, extra...))(t)
	harness.Check(t, w.agent.Start(ctx))
	for _, addr := range []netip.Addr{w.node.Addr4, w.node.Addr6} {
		harness.Check(t, w.Tor.AwaitPeer(ctx, addr))
	}
	for _, addr := range steady {
		p := netip.MustParsePrefix(addr + "/" + bits(addr))
		if _, err := w.Tor.WaitRoute(ctx, p, w.node); err != nil {
			t.Fatalf("%v\n%s", err, w.agent.Tail(20))
		}
	}
	return w
}

// plugGuest makes the provider network, with its patch port, and the guest on it.
func (w *world) plugGuest(t *testing.T, ctx context.Context) {
	t.Helper()
	public := harness.Must(w.Neutron.ProviderNetwork(ctx, "public", "physnet1", 0,
		netip.MustParsePrefix("172.24.4.0/22"), netip.MustParsePrefix("2001:db8:4::/64")))(t)
	spec := lab.PortSpec{Name: "steady", Network: public, Chassis: w.node}
	for _, addr := range steady {
		spec.Addrs = append(spec.Addrs, netip.MustParseAddr(addr))
	}
	port := harness.Must(w.Neutron.Port(ctx, spec))(t)
	w.vm = harness.Must(w.node.PlugVM(ctx, port))(t)
	// ovn-controller makes the patch port, and writes its flows once Open vSwitch has numbered it.
	patch := "patch-" + lab.IntegrationBridge + "-to-" + public.Localnet()
	harness.Check(t, harness.Await(ctx, "flows of "+patch, func(ctx context.Context) (bool, error) {
		number, err := w.node.Vsctl(ctx, "--if-exists", "get", "Interface", patch, "ofport")
		number = strings.TrimSpace(number)
		if _, isNumber := strconv.ParseUint(number, 10, 16); err != nil || isNumber != nil {
			return false, err
		}
		flows, err := w.node.Ofctl(ctx, "--no-stats", "dump-flows", lab.IntegrationBridge)
		return strings.Contains(flows, "in_port="+number) && strings.Contains(flows, "output:"+number), err
	}))
}

// bits is the length of a host prefix.
func bits(addr string) string {
	return fmt.Sprint(netip.MustParseAddr(addr).BitLen())
}

// settle waits until the node has nothing left to do.
func (w *world) settle(t *testing.T) {
	t.Helper()
	harness.Check(t, w.agent.Settle(harness.Context(t, time.Minute)))
}

// foreign puts objects of others beside ours, and returns a function that reads them.
func (w *world) foreign(t *testing.T) func() string {
	t.Helper()
	ctx := t.Context()
	for _, line := range []string{
		"route add 198.18.0.1/32 dev br-ex table 201 proto 186",
		"rule add pref 100 to 198.18.0.1 lookup 55",
		"addr add 198.18.1.1/32 dev br-ex",
		"neigh add 198.18.0.9 lladdr 02:00:00:00:00:09 dev br-ex nud permanent",
	} {
		harness.Must(w.node.Run(ctx, "ip", strings.Fields(line)...))(t)
	}
	harness.Must(w.node.Ofctl(ctx, "add-flow", "br-ex", "cookie=0x77,priority=5,udp,actions=NORMAL"))(t)
	return func() string {
		var out strings.Builder
		for _, line := range []string{
			"-d route show table 201 proto 186", "rule show pref 100", "addr show dev br-ex to 198.18.0.0/15",
			"neigh show 198.18.0.9 dev br-ex nud permanent",
		} {
			out.WriteString(harness.Must(w.node.Run(t.Context(), "ip", strings.Fields(line)...))(t))
		}
		out.WriteString(harness.Must(w.node.Ofctl(t.Context(), "--no-stats", "dump-flows", "br-ex", "cookie=0x77/-1"))(t))
		return out.String()
	}
}
