package scenarios

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// A second look changes nothing: not the kernel, not Open vSwitch, not BGP, not
// the disk.
func TestSecondRoundChangesNothing(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	a := shared.agents[2]
	guest(t, "vm-idle", shared.public, hv, "172.24.4.50", "2001:db8:4::50")
	at(t, "172.24.4.50", hv)
	settled(t)
	kernel := watchKernel(t, hv)
	before := must[product.Status](t)(a.Status(ctx))
	updates := updatesReceived(t, hv)
	flows := flowsOf(t, hv)
	for range 3 {
		res := must[product.Result](t)(a.CLI(ctx, "audit", "--repair"))
		if res.Exit != 0 || !strings.Contains(res.Out, "repaired 0 of 0") {
			t.Fatalf("audit --repair: %d\n%s%s", res.Exit, res.Out, res.Err)
		}
	}
	after := must[product.Status](t)(a.Status(ctx))
	if after.Audits < before.Audits+3 {
		t.Errorf("%d audits, want 3 more than %d", after.Audits, before.Audits)
	}
	if after.Steps != before.Steps || after.Writes != before.Writes {
		t.Errorf("steps %d -> %d, state writes %d -> %d, want no change", before.Steps, after.Steps, before.Writes, after.Writes)
	}
	if got := updatesReceived(t, hv); got != updates {
		t.Errorf("the peer got updates: %s -> %s", updates, got)
	}
	if got := flowsOf(t, hv); got != flows {
		t.Errorf("flows changed:\n%s\n%s", flows, got)
	}
	if events := kernel(); events != "" {
		t.Errorf("the kernel was written to:\n%s", events)
	}
}

// watchKernel records routes, rules and addresses that change, until called.
func watchKernel(t *testing.T, c *lab.Chassis) (stop func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := c.Command(ctx, "ip", "monitor", "route", "rule", "address", "link")
	var out strings.Builder
	cmd.Stdout = &out
	check(t, cmd.Start())
	return func() string {
		cancel()
		_ = cmd.Wait() // it is killed
		return out.String()
	}
}

// updatesReceived is FRR's count of UPDATE messages from a chassis.
func updatesReceived(t *testing.T, c *lab.Chassis) string {
	t.Helper()
	out := must[string](t)(shared.Tor.Vtysh(t.Context(), "show bgp neighbors "+c.Addr4.String()))
	m := regexp.MustCompile(`Updates:\s+\d+\s+(\d+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("FRR shows no count of updates:\n%s", out)
	}
	return m[1]
}

func flowsOf(t *testing.T, c *lab.Chassis) string {
	t.Helper()
	// Only the cookie, priority and duration tell whether a flow was added anew.
	out := must[string](t)(c.Ofctl(t.Context(), "--no-stats", "dump-flows", "br-ex"))
	return out
}

// What others take away is put back, and what they put there is left alone.
func TestRepairAndForeignState(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	guest(t, "vm-drift", shared.public, hv, "172.24.4.51")
	at(t, "172.24.4.51", hv)
	pings(t, "172.24.4.51")

	foreign := []string{"rule add pref 100 to 172.24.4.51 lookup 55", "route add 198.18.0.1/32 dev br-ex table 201 proto 186"}
	for _, cmd := range foreign {
		must[string](t)(hv.Run(ctx, "ip", strings.Fields(cmd)...))
		undo := strings.Fields(strings.Replace(cmd, " add ", " del ", 1))
		t.Cleanup(func() { _, _ = hv.Run(context.WithoutCancel(ctx), "ip", undo...) })
	}
	must[string](t)(hv.Ofctl(ctx, "add-flow", "br-ex", "cookie=0x77,priority=5,udp,actions=NORMAL"))
	t.Cleanup(func() {
		_, _ = hv.Ofctl(context.WithoutCancel(ctx), "del-flows", "br-ex", "cookie=0x77/-1")
	})

	began := time.Now()
	must[string](t)(hv.Run(ctx, "ip", "route", "del", "172.24.4.51", "dev", "br-ex", "table", "201"))
	must[string](t)(hv.Run(ctx, "ip", "rule", "del", "pref", "32000"))
	must[string](t)(hv.Ofctl(ctx, "del-flows", "br-ex", "cookie=0x3e7/-1"))
	check(t, await(ctx, func() bool {
		routes, _ := hv.Run(ctx, "ip", "route", "show", "table", "201")
		rules, _ := hv.Run(ctx, "ip", "rule", "show", "pref", "32000")
		return strings.Contains(routes, "172.24.4.51") && rules != "" && strings.Contains(flowsOf(t, hv), "0x3e7")
	}))
	t.Logf("a route, a rule and all flows were put back in at most %s", time.Since(began))
	pings(t, "172.24.4.51")

	if out := must[string](t)(hv.Run(ctx, "ip", "rule", "show", "pref", "100")); !strings.Contains(out, "lookup 55") {
		t.Errorf("the foreign rule is gone: %q", out)
	}
	if out := must[string](t)(hv.Run(ctx, "ip", "route", "show", "table", "201")); !strings.Contains(out, "198.18.0.1") {
		t.Errorf("the foreign route is gone: %q", out)
	}
	if !strings.Contains(flowsOf(t, hv), "0x77") {
		t.Error("the foreign flow is gone")
	}
}

// A restart of ovs-vswitchd, which loses all flows of br-ex, is mended.
func TestSwitchRestart(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	guest(t, "vm-ovs", shared.public, hv, "172.24.4.52")
	at(t, "172.24.4.52", hv)
	pings(t, "172.24.4.52")
	check(t, hv.RestartSwitch(ctx))
	check(t, await(ctx, func() bool { return strings.Contains(flowsOf(t, hv), "0x3e7") }))
	at(t, "172.24.4.52", hv)
	pings(t, "172.24.4.52")
}

// run --dry-run prints what would be done and writes nothing: traced, it opens
// no file for writing, sends no netlink request but dumps, and no UPDATE.
func TestDryRunWritesNothing(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	a := shared.agents[2]
	guest(t, "vm-dry", shared.public, hv, "172.24.4.53")
	at(t, "172.24.4.53", hv)
	check(t, a.Stop(ctx))
	t.Cleanup(func() { check(t, a.Start(context.WithoutCancel(ctx))) })
	must[string](t)(hv.Run(ctx, "ip", "route", "del", "172.24.4.53", "dev", "br-ex", "table", "201"))
	kernel := watchKernel(t, hv)
	flows := flowsOf(t, hv)

	trace := filepath.Join(hv.Dir, "strace")
	dry := a.Command(ctx, "run", "--dry-run", "--once")
	cmd := hv.Command(ctx, "strace", append([]string{
		"-f", "-qq", "-o", trace, "-e", "trace=openat,open,creat,unlink,unlinkat,rename,renameat2,mkdir,mkdirat,sendto,sendmsg,bind,connect", "-s", "64",
	}, dry.Args[4:]...)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 {
		t.Fatalf("exit %v, want 2 (differences): %v\n%s", cmd.ProcessState, err, out)
	}
	if !strings.Contains(string(out), "+ route   172.24.4.53/32") {
		t.Errorf("the plan lacks the route:\n%s", out)
	}
	for _, line := range strings.Split(string(must[[]byte](t)(os.ReadFile(trace))), "\n") {
		if writes(line) {
			t.Errorf("it writes: %s", line)
		}
	}
	if events := kernel(); events != "" {
		t.Errorf("the kernel was written to:\n%s", events)
	}
	if got := flowsOf(t, hv); got != flows {
		t.Errorf("flows changed:\n%s", got)
	}
	again := must[product.Result](t)(a.CLI(ctx, "run", "--dry-run", "--once"))
	if !strings.HasSuffix(string(out), again.Out) {
		t.Errorf("two dry runs differ:\n%s\n%s", out, again.Out)
	}
}

// writing is what a system call that changes something looks like in a trace.
var writing = regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|\b(creat|unlink|unlinkat|rename|renameat2|mkdir|mkdirat)\(|RTM_(NEW|DEL|SET)[A-Z]+`)

func writes(line string) bool {
	if !writing.MatchString(line) {
		return false
	}
	// /dev/null is nobody's disk, and ENOENT changed nothing.
	return !strings.Contains(line, `"/dev/null"`) && !strings.Contains(line, "ENOENT") && !strings.Contains(line, "EROFS")
}

// A controller that is killed while it applies comes back to agreement, the
// peers keep what it announced, and nothing foreign is touched.
func TestKillAndRestart(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	a := shared.agents[2]
	var want []netip.Prefix
	for _, addr := range []string{"172.24.4.54", "172.24.4.55", "2001:db8:4::54"} {
		want = append(want, host(addr))
	}
	guest(t, "vm-kill-1", shared.public, hv, "172.24.4.54", "2001:db8:4::54")
	guest(t, "vm-kill-2", shared.public, hv, "172.24.4.55")
	for _, p := range want {
		at(t, p.Addr().String(), hv)
	}
	settled(t)
	foreign := strings.Fields("route add 198.18.0.2/32 dev br-ex table 201 proto static")
	must[string](t)(hv.Run(ctx, "ip", foreign...))
	t.Cleanup(func() {
		_, _ = hv.Run(context.WithoutCancel(ctx), "ip", strings.Fields("route del 198.18.0.2/32 dev br-ex table 201")...)
	})

	watching, cancel := context.WithCancel(ctx)
	events := must[<-chan lab.RouteEvent](t)(shared.Tor.WatchRoutes(watching))
	lost := make(chan []string, 1)
	go func() {
		var gone []string
		for e := range events {
			if e.Withdrawn {
				gone = append(gone, e.String())
			}
		}
		lost <- gone
	}()
	for _, delay := range []time.Duration{0, 300 * time.Microsecond, time.Millisecond, 3 * time.Millisecond} {
		// Give it something to apply, and kill it in the middle.
		must[string](t)(hv.Run(ctx, "ip", "route", "flush", "table", "201", "proto", "98"))
		<-time.After(delay)
		check(t, a.Kill())
		check(t, a.Start(ctx))
		for _, addr := range []string{"172.24.4.54", "2001:db8:4::54"} {
			check(t, shared.Tor.AwaitPeer(ctx, peerAddr(hv, addr)))
		}
		settled(t)
		pings(t, "172.24.4.54")
	}
	cancel()
	if gone := <-lost; len(gone) > 0 {
		t.Errorf("the top of rack lost routes: %v", gone)
	}
	if out := must[string](t)(hv.Run(ctx, "ip", "route", "show", "table", "201")); !strings.Contains(out, "198.18.0.2") {
		t.Errorf("the foreign route is gone: %q", out)
	}
}

func peerAddr(c *lab.Chassis, like string) netip.Addr {
	if netip.MustParseAddr(like).Is4() {
		return c.Addr4
	}
	return c.Addr6
}

// The databases go away and come back: nothing is withdrawn.
func TestSouthboundRestart(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	a := shared.agents[2]
	guest(t, "vm-sb", shared.public, hv, "172.24.4.56")
	at(t, "172.24.4.56", hv)
	settled(t)
	before := must[product.Status](t)(a.Status(ctx))
	check(t, shared.Central.Southbound.Kill())
	check(t, await(ctx, func() bool {
		s, err := a.Status(ctx)
		return err == nil && s.Frozen != ""
	}))
	pings(t, "172.24.4.56")
	check(t, shared.Central.Southbound.Start(ctx))
	check(t, await(ctx, func() bool {
		s, err := a.Status(ctx)
		return err == nil && s.Frozen == ""
	}))
	after := must[product.Status](t)(a.Status(ctx))
	if after.Steps != before.Steps {
		t.Errorf("%d steps, want still %d", after.Steps, before.Steps)
	}
	at(t, "172.24.4.56", hv)
}

// A controller that starts while the Southbound database is away goes on
// announcing what it last knew, before the peers give it up.
func TestStartWithoutSouthbound(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	a := shared.agents[2]
	guest(t, "vm-nosb", shared.public, hv, "172.24.4.58", "2001:db8:4::58")
	at(t, "172.24.4.58", hv)
	at(t, "2001:db8:4::58", hv)
	settled(t)
	check(t, shared.Central.Southbound.Kill())
	t.Cleanup(func() { check(t, shared.Central.Southbound.Start(context.WithoutCancel(ctx))) })
	check(t, a.Kill())
	check(t, a.Start(ctx))
	for _, addr := range []netip.Addr{hv.Addr4, hv.Addr6} {
		check(t, shared.Tor.AwaitPeer(ctx, addr))
	}
	// The peers have heard our End-of-RIB once nothing of ours is stale.
	check(t, await(ctx, func() bool {
		out, err := shared.Tor.Vtysh(ctx, "show bgp ipv4 unicast 172.24.4.58/32")
		return err == nil && strings.Contains(out, "172.24.4.58") && !strings.Contains(out, "stale")
	}))
	at(t, "172.24.4.58", hv)
	at(t, "2001:db8:4::58", hv)
	pings(t, "172.24.4.58")
	check(t, shared.Central.Southbound.Start(ctx))
	check(t, await(ctx, func() bool {
		s, err := a.Status(ctx)
		return err == nil && s.Frozen == "" && s.Rounds > 1
	}))
	at(t, "172.24.4.58", hv)
	settled(t)
}

// status, explain and plan answer on a node that works.
func TestCommands(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	a := shared.agents[2]
	guest(t, "vm-cmd", shared.public, hv, "172.24.4.59")
	at(t, "172.24.4.59", hv)
	settled(t)
	must[string](t)(hv.Run(ctx, "ip", strings.Fields("rule add pref 100 to 172.24.4.59 lookup 55")...))
	t.Cleanup(func() { _, _ = hv.Run(context.WithoutCancel(ctx), "ip", "rule", "del", "pref", "100") })
	for _, tt := range []struct {
		agent int
		args  []string
		exit  int
		want  string
	}{
		{2, []string{"status"}, 0, "healthy"},
		{2, []string{"status"}, 0, "shadowed by rule: 100:"},
		{2, []string{"plan"}, 0, "0 to create, 0 to update, 0 to delete"},
		{2, []string{"audit"}, 0, "no drift"},
		{2, []string{"explain", "172.24.4.59"}, 0, "ADVERTISED"},
		{0, []string{"explain", "172.24.4.59"}, 2, "(not-owner)"},
		{0, []string{"explain", "172.24.4.59"}, 2, "announced by: " + hv.SystemID},
		{2, []string{"desired"}, 0, "path ipv4-unicast 172.24.4.59/32"},
	} {
		res := must[product.Result](t)(shared.agents[tt.agent].CLI(ctx, tt.args...))
		if res.Exit != tt.exit || !strings.Contains(res.Out, tt.want) {
			t.Errorf("%v on %s: exit %d, want %d, and %q in\n%s%s", tt.args, shared.agents[tt.agent].Chassis.Name, res.Exit, tt.exit, tt.want, res.Out, res.Err)
		}
	}
	// What a snapshot says is what the controller says.
	snap := must[product.Result](t)(a.CLI(ctx, "snapshot"))
	path := filepath.Join(hv.Dir, "snapshot.json")
	check(t, os.WriteFile(path, []byte(snap.Out), 0o600))
	live := must[product.Result](t)(a.CLI(ctx, "desired", "-o", "json"))
	file := must[product.Result](t)(a.CLI(ctx, "desired", "-o", "json", "--snapshot", path))
	if live.Out != file.Out {
		t.Errorf("desired from the snapshot differs from the controller's:\n%s%s\n%s", file.Out, file.Err, live.Out)
	}
}

// cleanup removes everything that is ours and nothing else.
func TestCleanup(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	a := shared.agents[2]
	guest(t, "vm-clean", shared.public, hv, "172.24.4.57", "2001:db8:4::57")
	at(t, "172.24.4.57", hv)
	settled(t)
	if res := must[product.Result](t)(a.CLI(ctx, "cleanup")); res.Exit != 1 {
		t.Errorf("cleanup beside a running controller: exit %d, want 1\n%s%s", res.Exit, res.Out, res.Err)
	}
	check(t, a.Stop(ctx))
	t.Cleanup(func() {
		check(t, a.Start(context.WithoutCancel(ctx)))
		for _, addr := range []netip.Addr{hv.Addr4, hv.Addr6} {
			check(t, shared.Tor.AwaitPeer(context.WithoutCancel(ctx), addr))
		}
	})
	dry := must[product.Result](t)(a.CLI(ctx, "cleanup", "--dry-run"))
	if dry.Exit != 2 {
		t.Errorf("cleanup --dry-run: exit %d, want 2\n%s", dry.Exit, dry.Err)
	}
	res := must[product.Result](t)(a.CLI(ctx, "cleanup"))
	if res.Exit != 0 || res.Out != dry.Out {
		t.Errorf("cleanup: exit %d, %s\nit did\n%sbut had announced\n%s", res.Exit, res.Err, res.Out, dry.Out)
	}
	left := must[string](t)(hv.Run(ctx, "ip", "route", "show", "table", "all", "proto", "98"))
	left += must[string](t)(hv.Run(ctx, "ip", "-6", "route", "show", "table", "all", "proto", "98"))
	left += must[string](t)(hv.Run(ctx, "ip", "rule", "show", "pref", "32000"))
	left += must[string](t)(hv.Run(ctx, "ip", "addr", "show", "dev", "br-ex", "to", "169.254.0.0/16"))
	left += must[string](t)(hv.Run(ctx, "ip", "-6", "neigh", "show", "proxy"))
	if left != "" || strings.Contains(flowsOf(t, hv), "0x3e7") {
		t.Errorf("left behind:\n%s%s", left, flowsOf(t, hv))
	}
	if v := must[string](t)(hv.Run(ctx, "cat", "/proc/sys/net/ipv4/conf/br-ex/proxy_arp")); strings.TrimSpace(v) != "0" {
		t.Errorf("proxy_arp is %s, want the 0 from before", v)
	}
}
