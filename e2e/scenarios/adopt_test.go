package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// A node is taken over from the predecessor: state made the way it makes it,
// echo requests every 5 ms to each address from before the take-over until the
// controller runs and its peers are up, and none is lost. What is somebody
// else's stays.
//
// The top of rack has static routes meanwhile, in the place of FRR on the node,
// which goes on announcing while the agent is replaced.
func TestAdopt(t *testing.T) {
	ctx := testContext(t)
	hv, a := shared.Chassis[0], shared.agents[0]
	addrs := []string{"172.24.4.70", "172.24.4.71", "2001:db8:4::70"}
	guest(t, "vm-adopt-a", shared.public, hv, addrs[0], addrs[2])
	guest(t, "vm-adopt-b", shared.public, hv, addrs[1])
	for _, addr := range addrs {
		at(t, addr, hv)
		static(t, hv, addr)
	}
	retire(t, a)
	predecessor(t, hv, addrs)
	foreign(t, hv)
	for _, addr := range addrs {
		harness.Check(t, shared.Host.AwaitPing(ctx, netip.MustParseAddr(addr)))
	}
	before := wiring(t, hv)
	stays := slices.DeleteFunc([]string{"br-ex.50", "bgp-nic"}, func(name string) bool {
		return !strings.Contains(before,
			name)
	})

	pinged := pingAll(t, addrs)
	if res := adopt(t, a, "--dry-run"); res.Exit != 2 || wiring(t, hv) != before {
		t.Fatalf("the dry run ended with %d and left:\n%s\nwhich was:\n%s\n%s%s", res.Exit, wiring(t, hv), before, res.Out,
			res.Err)
	}
	if res := adopt(t, a, "--dry-run", "-o", "json"); res.Exit != 2 || !json.Valid([]byte(res.Out)) {
		t.Errorf("the dry run as JSON ended with %d: %s", res.Exit, res.Out)
	}
	began := time.Now()
	res := adopt(t, a)
	t.Logf("adopt took %s:\n%s%s", time.Since(began), res.Out, res.Err)
	if res.Exit != 0 {
		t.Fatalf("adopt ended with %d", res.Exit)
	}
	if res := adopt(t, a); res.Exit != 0 || !strings.Contains(res.Out, "0 to create, 0 to update, 0 to delete") {
		t.Errorf("a second one ended with %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	harness.Check(t, a.Start(ctx))
	for _, addr := range []netip.Addr{hv.Addr4, hv.Addr6} {
		harness.Check(t, shared.Tor.AwaitPeer(ctx, addr))
	}
	settled(t)
	pinged()
	adopted(t, hv, wiring(t, hv), stays)
	t.Run("it is ours", func(t *testing.T) {
		harness.Check(t, a.Stop(ctx))
		harness.Must(a.CLI(ctx, "cleanup"))(t)
		if out := wiring(t, hv); strings.Contains(out, "169.254.1.1") || strings.Contains(out, "172.24.4.70") ||
			strings.Contains(out, "2001:db8:4:: dev br-ex proxy") {
			t.Errorf("cleanup leaves what was taken over:\n%s", out)
		}
	})
}

// A node is handed back to the predecessor with echo requests every 5 ms, and taken
// over again: none is lost in either direction.
func TestHandBack(t *testing.T) {
	ctx := testContext(t)
	hv, a := shared.Chassis[0], shared.agents[0]
	addrs := []string{"172.24.4.76", "172.24.4.77", "2001:db8:4::76"}
	guest(t, "vm-back-a", shared.public, hv, addrs[0], addrs[2])
	guest(t, "vm-back-b", shared.public, hv, addrs[1])
	for _, addr := range addrs {
		at(t, addr, hv)
		static(t, hv, addr)
	}
	retire(t, a) // the predecessor has its own table
	harness.Check(t, a.Start(ctx))
	for _, addr := range []netip.Addr{hv.Addr4, hv.Addr6} {
		harness.Check(t, shared.Tor.AwaitPeer(ctx, addr))
	}
	settled(t)
	for _, addr := range addrs {
		harness.Check(t, shared.Host.AwaitPing(ctx, netip.MustParseAddr(addr)))
	}
	harness.Check(t, a.Stop(ctx))
	before := wiring(t, hv)
	pinged := pingAll(t, addrs)
	if res := adopt(t, a, "--reverse", "--dry-run"); res.Exit != 2 || wiring(t, hv) != before {
		t.Fatalf("the dry run ended with %d and left:\n%s\nwhich was:\n%s\n%s%s", res.Exit, wiring(t, hv), before, res.Out,
			res.Err)
	}
	if res := adopt(t, a, "--reverse", "--dry-run", "-o", "json"); res.Exit != 2 || !json.Valid([]byte(res.Out)) {
		t.Errorf("the dry run as JSON ended with %d: %s", res.Exit, res.Out)
	}
	began := time.Now()
	res := adopt(t, a, "--reverse")
	t.Logf("adopt --reverse took %s:\n%s%s", time.Since(began), res.Out, res.Err)
	got := wiring(t, hv)
	if res.Exit != 0 || strings.Contains(got, "dev br-ex proto 98") ||
		strings.Contains(got, "32000:\tfrom all lookup") {
		t.Fatalf("adopt --reverse ended with %d and left\n%s", res.Exit, got)
	}
	for _, addr := range addrs {
		if !strings.Contains(got, "to "+addr+" lookup") || !strings.Contains(got, addr+" dev br-ex") {
			t.Errorf("%s has no rule or no route:\n%s", addr, got)
		}
	}
	res = adopt(t, a, "--reverse")
	if res.Exit != 0 || !strings.Contains(res.Out, "0 to create, 0 to update, 0 to delete") {
		t.Errorf("a second one ended with %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	if res := adopt(t, a); res.Exit != 0 {
		t.Errorf("adopt ended with %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	pinged()
	if got := wiring(t, hv); strings.Count(got, "32000:\tfrom all lookup") != 2 || strings.Contains(got, "to "+addrs[0]) {
		t.Errorf("it was not taken over again:\n%s", got)
	}
}

func adopt(t *testing.T, a *product.Agent, args ...string) product.Result {
	t.Helper()
	return harness.Must(a.CLI(testContext(t), append([]string{"adopt"}, args...)...))(t)
}

// static has the top of rack send an address to a chassis whatever BGP says.
func static(t *testing.T, hv *lab.Chassis, addr string) {
	t.Helper()
	via := hv.Addr4
	if host(addr).Addr().Is6() {
		via = hv.Addr6
	}
	harness.Check(t, shared.Tor.AddRoute(host(addr), via))
	t.Cleanup(func() { harness.Check(t, shared.Tor.DeleteRoute(host(addr), via)) })
}

// adoptTable is what the predecessor chose for br-ex: not a number that we would
// have chosen.
const adoptTable = "77"

// retire stops the agent, removes all that is its own, and lets it find the
// predecessor's name of the table when it comes back. After the test it is as it
// was.
func retire(t *testing.T, a *product.Agent) {
	t.Helper()
	ctx, dir := context.WithoutCancel(t.Context()), a.Chassis.Dir
	conf, tables := filepath.Join(dir, "bgp-ovn.yaml"), filepath.Join(dir, "rt_tables")
	original := harness.Must(os.ReadFile(conf))(t)
	changed := strings.Replace(string(original), "tables_files: []", "tables_files: ["+tables+"]", 1)
	vanish := func() {
		t.Helper()
		harness.Check(t, a.Stop(ctx))
		if res := harness.Must(a.CLI(ctx, "cleanup"))(t); res.Exit != 0 {
			t.Fatalf("cleanup: %s%s", res.Out, res.Err)
		}
		harness.Check(t, os.Remove(filepath.Join(dir, "state.db")))
	}
	vanish()
	harness.Check(t, os.WriteFile(tables, []byte("255 local\n"+adoptTable+" br-ex\n"), 0o600))
	harness.Check(t, os.WriteFile(conf, []byte(changed), 0o600))
	t.Cleanup(func() {
		vanish()
		harness.Check(t, os.WriteFile(conf, original, 0o600))
		harness.Check(t, a.Start(ctx))
		for _, addr := range []netip.Addr{a.Chassis.Addr4, a.Chassis.Addr6} {
			harness.Check(t, shared.Tor.AwaitPeer(ctx, addr))
		}
	})
}

// predecessor makes what ovn-bgp-agent 4.0.0 makes for the addresses, and leftovers as
// it leaves them: a route whose rule is gone, a rule and a neighbour of an
// address that is no longer here, a VLAN device of a network that is gone.
func predecessor(t *testing.T, hv *lab.Chassis, addrs []string) {
	t.Helper()
	port := harness.Must(hv.Ofport(testContext(t), shared.public.PatchPort()))(t)
	mac, err := hv.LinkMAC("br-ex")
	harness.Check(t, err)
	harness.Check(t, hv.Sysctl("ipv4.conf.br-ex.proxy_arp=1", "ipv6.conf.br-ex.proxy_ndp=1", "ipv4.ip_forward=1",
		"ipv6.conf.all.forwarding=1"))
	commands := []string{
		"ip link set br-ex up",
		"ip addr add 169.254.0.1/32 dev br-ex",
		"ip addr add fd53:d91e:400:7f17::1/128 dev br-ex",
		"ip route add default dev br-ex table " + adoptTable,
		"ip -6 route add default dev br-ex table " + adoptTable,
		"ip -6 neigh add proxy 2001:db8:4:: dev br-ex",
		"ip -6 neigh add proxy 2001:db8:4::1 dev br-ex", // the operator's: the guests' gateway
		fmt.Sprintf("ovs-ofctl add-flow br-ex cookie=999,priority=900,ip,in_port=%d,actions=mod_dl_dst:%s,NORMAL", port, mac),
		fmt.Sprintf("ovs-ofctl add-flow br-ex cookie=999,priority=900,ipv6,in_port=%d,actions=mod_dl_dst:%s,NORMAL", port,
			mac),
		fmt.Sprintf("ovs-ofctl add-flow br-ex cookie=999,priority=900,ip,in_port=999,actions=mod_dl_dst:%s,NORMAL", mac),
		"ip route add 172.24.4.98 dev br-ex table " + adoptTable,
		"ip rule add pref 32000 to 172.24.4.99 lookup " + adoptTable,
		"ip route add 172.24.4.99 dev br-ex table " + adoptTable,
		"ip neigh add 172.24.4.99 lladdr fa:16:3e:00:00:99 dev br-ex nud permanent",
	}
	if has(t, hv, "link br-ex name br-ex.99 type vlan id 99") {
		commands = append(commands, "ip link set br-ex.99 up", "sysctl -qw net.ipv4.conf.br-ex/99.proxy_arp=1",
			"sysctl -qw net.ipv6.conf.br-ex/99.proxy_ndp=1")
	}
	nic := has(t, hv, "bgp-vrf type vrf table 10") && has(t, hv, "bgp-nic master bgp-vrf type dummy")
	for _, addr := range addrs {
		family := "-4"
		if host(addr).Addr().Is6() {
			family = "-6"
		}
		commands = append(commands, fmt.Sprintf("ip %s rule add pref 32000 to %s lookup %s", family, addr, adoptTable),
			fmt.Sprintf("ip %s route add %s dev br-ex table %s", family, addr, adoptTable))
		if nic {
			commands = append(commands, fmt.Sprintf("ip %s addr add %s dev bgp-nic", family, host(addr)))
		}
	}
	issue(t, hv, commands, []string{"ip link del bgp-nic", "ip link del bgp-vrf", "ip link del br-ex.99"})
}

// has makes a device, if the kernel has devices of that type.
func has(t *testing.T, hv *lab.Chassis, device string) bool {
	t.Helper()
	out, err := hv.Command(testContext(t), "ip", append([]string{"link", "add"},
		strings.Fields(device)...)...).CombinedOutput()
	if strings.Contains(string(out), "Unknown device type") {
		t.Logf("left out, the kernel has none: %s", device)
		return false
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", device, err, out)
	}
	return true
}

// foreign makes what is near the predecessor's and not its own.
func foreign(t *testing.T, hv *lab.Chassis) {
	t.Helper()
	has(t, hv, "link br-ex name br-ex.50 type vlan id 50")
	issue(t, hv, []string{
		"ip rule add pref 100 to 172.24.4.97 lookup 55",
		"ip rule add pref 32000 to 172.24.4.96 lookup 56",
		"ip route add 198.18.0.1/32 dev br-ex table " + adoptTable + " proto 186",
		"ip neigh add 172.24.4.95 lladdr fa:16:3e:00:00:95 dev br-ex nud permanent",
		"ip addr add 198.18.1.1/32 dev br-ex",
		"ovs-ofctl add-flow br-ex cookie=0x77,priority=5,udp,actions=NORMAL",
	}, []string{
		"ip link del br-ex.50", "ovs-ofctl del-flows br-ex cookie=0x77/-1",
	})
}

// issue runs commands on a chassis. After the test, which may not have got far
// enough for them to be gone, what ip has added is deleted, and undo is run.
func issue(t *testing.T, hv *lab.Chassis, commands, undo []string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	for _, c := range commands {
		if strings.HasPrefix(c, "ip ") && strings.Contains(c, " add ") {
			undo = append(undo, strings.Replace(c, " add ", " del ", 1))
		}
	}
	t.Cleanup(func() {
		for _, c := range undo {
			words := strings.Fields(c)
			_, _ = hv.Run(ctx, words[0], words[1:]...)
		}
	})
	for _, c := range commands {
		words := strings.Fields(c)
		if out, err := hv.Command(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", c, err, out)
		}
	}
}

// wiring is everything on the node that a take-over could touch.
func wiring(t *testing.T, hv *lab.Chassis) string {
	t.Helper()
	var b strings.Builder
	for _, c := range []string{
		"ip -4 rule show", "ip -6 rule show", "ip -4 route show table " + adoptTable, "ip -6 route show table " + adoptTable,
		"ip -o addr show dev br-ex scope global", "ip neigh show nud permanent dev br-ex", "ip -6 neigh show proxy",
		"ip -br link show type vlan",
		"ip -br link show type dummy", "ovs-ofctl --no-stats dump-flows br-ex",
	} {
		words := strings.Fields(c)
		out, _ := hv.Run(testContext(t), words[0], words[1:]...) // a table without routes is an error
		b.WriteString(out)
	}
	return b.String()
}

// pingAll sends echo requests to each address every 5 ms for 20 s. The function
// it returns demands that they are still going on, and then that none is lost.
func pingAll(t *testing.T, addrs []string) (end func()) {
	t.Helper()
	const count, interval = 4000, 5 * time.Millisecond
	ctx := testContext(t)
	type outcome struct {
		lab.PingResult
		err error
	}
	results := make([]chan outcome, len(addrs))
	for i, addr := range addrs {
		results[i] = make(chan outcome, 1)
		go func() {
			r, err := shared.Host.Ping(ctx, netip.MustParseAddr(addr), count, interval)
			results[i] <- outcome{r, err}
		}()
	}
	return func() {
		t.Helper()
		for i, c := range results {
			if len(c) > 0 {
				t.Errorf("%s: the echo requests ended before the take-over did", addrs[i])
			}
		}
		for i, c := range results {
			r := <-c
			harness.Check(t, r.err)
			t.Logf("%s: %d sent, %d answered", addrs[i], r.Sent, r.Received)
			if !r.Lossless() {
				t.Errorf("%s: %d lost, at most %d in a row", addrs[i], r.Sent-r.Received, r.LongestGap)
			}
		}
	}
}

// adopted looks at what there is in the end.
func adopted(t *testing.T, hv *lab.Chassis, got string, stays []string) {
	t.Helper()
	for _, gone := range []string{
		"to 172.24.4.70", "to 172.24.4.71", "to 172.24.4.99", "to 2001:db8:4::70", "default dev br-ex", "172.24.4.98",
		"172.24.4.99", "br-ex.99", "in_port=999", "169.254.0.1", "7f17::1/128",
	} {
		if strings.Contains(got, gone) {
			t.Errorf("%s on %s is left", gone, hv.Name)
		}
	}
	for _, there := range append([]string{
		"172.24.4.70 dev br-ex proto 98", "172.24.4.71 dev br-ex proto 98", "2001:db8:4::70 dev br-ex proto 98",
		"lookup 55", "to 172.24.4.96 lookup 56", "198.18.0.1 dev br-ex proto bgp", "172.24.4.95", "198.18.1.1", "cookie=0x77",
	}, stays...) {
		if !strings.Contains(got, there) {
			t.Errorf("%s on %s is missing", there, hv.Name)
		}
	}
	if n := strings.Count(got, "32000:\tfrom all lookup"); n != 2 {
		t.Errorf("%d rules for all packets, want one a family", n)
	}
	t.Log(got)
}
