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

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
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
	before := harness.Must(a.Status(ctx))(t)
	updates := updatesReceived(t, hv)
	flows := flowsOf(t, hv)
	for range 3 {
		res := harness.Must(a.CLI(ctx, "audit", "--repair"))(t)
		if res.Exit != 0 || !strings.Contains(res.Out, "repaired 0 of 0") {
			t.Fatalf("audit --repair: %d\n%s%s", res.Exit, res.Out, res.Err)
		}
	}
	after := harness.Must(a.Status(ctx))(t)
	if after.Audits < before.Audits+3 {
		t.Errorf("%d audits, want 3 more than %d", after.Audits, before.Audits)
	}
	if after.Steps != before.Steps || after.StateWrites != before.StateWrites {
		t.Errorf("steps %d -> %d, state writes %d -> %d, want no change", before.Steps, after.Steps, before.StateWrites,
			after.StateWrites)
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
	harness.Check(t, cmd.Start())
	return func() string {
		cancel()
		_ = cmd.Wait() // it is killed
		return out.String()
	}
}

// updatesReceived is FRR's count of UPDATE messages from a chassis.
func updatesReceived(t *testing.T, c *lab.Chassis) string {
	t.Helper()
	out := harness.Must(shared.Tor.Vtysh(t.Context(), "show bgp neighbors "+c.Addr4.String()))(t)
	m := regexp.MustCompile(`Updates:\s+\d+\s+(\d+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("FRR shows no count of updates:\n%s", out)
	}
	return m[1]
}

func flowsOf(t *testing.T, c *lab.Chassis) string {
	t.Helper()
	// Only the cookie, priority and duration tell whether a flow was added anew.
	out := harness.Must(c.Ofctl(t.Context(), "--no-stats", "dump-flows", "br-ex"))(t)
	return out
}

// What others take away is put back, and what they put there is left alone.
func TestRepairAndForeignState(t *testing.T) {
	ctx := testContext(t)
	hv := shared.Chassis[2]
	guest(t, "vm-drift", shared.public, hv, "172.24.4.51")
	at(t, "172.24.4.51", hv)
	pings(t, "172.24.4.51")

	foreign := []string{
		"rule add pref 100 to 172.24.4.51 lookup 55",
		"route add 198.18.0.1/32 dev br-ex table 201 proto 186",
	}
	for _, cmd := range foreign {
		harness.Must(hv.Run(ctx, "ip", strings.Fields(cmd)...))(t)
		undo := strings.Fields(strings.Replace(cmd, " add ", " del ", 1))
		t.Cleanup(func() { _, _ = hv.Run(context.WithoutCancel(ctx), "ip", undo...) })
	}
	harness.Must(hv.Ofctl(ctx, "add-flow", "br-ex", "cookie=0x77,priority=5,udp,actions=NORMAL"))(t)
	t.Cleanup(func() {
		_, _ = hv.Ofctl(context.WithoutCancel(ctx), "del-flows", "br-ex", "cookie=0x77/-1")
	})

	began := time.Now()
	harness.Must(hv.Run(ctx, "ip", "route", "del", "172.24.4.51", "dev", "br-ex", "table", "201"))(t)
	harness.Must(hv.Run(ctx, "ip", "rule", "del", "pref", "32000"))(t)
	harness.Must(hv.Ofctl(ctx, "del-flows", "br-ex", "cookie=0x3e7/-1"))(t)
	harness.Check(t, harness.Until(ctx, "route, rule and flows to be put back", func() bool {
		routes, _ := hv.Run(ctx, "ip", "route", "show", "table", "201")
		rules, _ := hv.Run(ctx, "ip", "rule", "show", "pref", "32000")
		return strings.Contains(routes, "172.24.4.51") && rules != "" && strings.Contains(flowsOf(t, hv), "0x3e7")
	}))
	t.Logf("a route, a rule and all flows were put back in at most %s", time.Since(began))
	pings(t, "172.24.4.51")

	if out := harness.Must(hv.Run(ctx, "ip", "rule", "show", "pref", "100"))(t); !strings.Contains(out, "lookup 55") {
		t.Errorf("the foreign rule is gone: %q", out)
	}
	if out := harness.Must(hv.Run(ctx, "ip", "route", "show", "table", "201"))(t); !strings.Contains(out, "198.18.0.1") {
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
	harness.Check(t, hv.RestartSwitch(ctx))
	harness.Check(t, harness.Until(ctx, "flows after the switch came back",
		func() bool { return strings.Contains(flowsOf(t, hv), "0x3e7") }))
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
	harness.Check(t, a.Stop(ctx))
	t.Cleanup(func() { harness.Check(t, a.Start(context.WithoutCancel(ctx))) })
	harness.Must(hv.Run(ctx, "ip", "route", "del", "172.24.4.53", "dev", "br-ex", "table", "201"))(t)
	kernel := watchKernel(t, hv)
	flows := flowsOf(t, hv)

	trace := filepath.Join(hv.Dir, "strace")
	dry := a.Command(ctx, "run", "--dry-run", "--once")
	cmd := hv.Command(ctx, "strace", append([]string{
		"-f", "-qq", "-o", trace, "-e",
		"trace=openat,open,creat,unlink,unlinkat,rename,renameat2,mkdir,mkdirat,sendto,sendmsg,bind,connect", "-s", "64",
	}, dry.Args[4:]...)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 {
		t.Fatalf("exit %v, want 2 (differences): %v\n%s", cmd.ProcessState, err, out)
	}
	if !strings.Contains(string(out), "+ route   172.24.4.53/32") {
		t.Errorf("the plan lacks the route:\n%s", out)
	}
	for _, line := range strings.Split(string(harness.Must(os.ReadFile(trace))(t)), "\n") {
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
	again := harness.Must(a.CLI(ctx, "run", "--dry-run", "--once"))(t)
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
	harness.Must(hv.Run(ctx, "ip", foreign...))(t)
	t.Cleanup(func() {
		_, _ = hv.Run(context.WithoutCancel(ctx), "ip", strings.Fields("route del 198.18.0.2/32 dev br-ex table 201")...)
	})

	watching, cancel := context.WithCancel(ctx)
	events := harness.Must(shared.Tor.WatchRoutes(watching))(t)
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
		harness.Must(hv.Run(ctx, "ip", "route", "flush", "table", "201", "proto", "98"))(t)
		<-time.After(delay)
		harness.Check(t, a.Kill())
		harness.Check(t, a.Start(ctx))
		for _, addr := range []string{"172.24.4.54", "2001:db8:4::54"} {
			harness.Check(t, shared.Tor.AwaitPeer(ctx, peerAddr(hv, addr)))
		}
		settled(t)
		pings(t, "172.24.4.54")
	}
	cancel()
	if gone := <-lost; len(gone) > 0 {
		t.Errorf("the top of rack lost routes: %v", gone)
	}
	if out := harness.Must(hv.Run(ctx, "ip", "route", "show", "table", "201"))(t); !strings.Contains(out, "198.18.0.2") {
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
	before := harness.Must(a.Status(ctx))(t)
	harness.Check(t, shared.Central.Southbound.Kill())
	harness.Check(t, harness.Until(ctx, "status to say that the database is away", func() bool {
		s, err := a.Status(ctx)
		return err == nil && s.Frozen != ""
	}))
	pings(t, "172.24.4.56")
	harness.Check(t, shared.Central.Southbound.Start(ctx))
	harness.Check(t, harness.Until(ctx, "status to say that the database is back", func() bool {
		s, err := a.Status(ctx)
		return err == nil && s.Frozen == ""
	}))
	after := harness.Must(a.Status(ctx))(t)
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
	harness.Check(t, shared.Central.Southbound.Kill())
	t.Cleanup(func() { harness.Check(t, shared.Central.Southbound.Start(context.WithoutCancel(ctx))) })
	harness.Check(t, a.Kill())
	harness.Check(t, a.Start(ctx))
	for _, addr := range []netip.Addr{hv.Addr4, hv.Addr6} {
		harness.Check(t, shared.Tor.AwaitPeer(ctx, addr))
	}
	// The peers have heard our End-of-RIB once nothing of ours is stale.
	harness.Check(t, harness.Until(ctx, "the End-of-RIB after which nothing is stale", func() bool {
		out, err := shared.Tor.Vtysh(ctx, "show bgp ipv4 unicast 172.24.4.58/32")
		return err == nil && strings.Contains(out, "172.24.4.58") && !strings.Contains(out, "stale")
	}))
	at(t, "172.24.4.58", hv)
	at(t, "2001:db8:4::58", hv)
	pings(t, "172.24.4.58")
	harness.Check(t, shared.Central.Southbound.Start(ctx))
	harness.Check(t, harness.Until(ctx, "rounds with the database that is back", func() bool {
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
	harness.Must(hv.Run(ctx, "ip", strings.Fields("rule add pref 100 to 172.24.4.59 lookup 55")...))(t)
	t.Cleanup(func() { _, _ = hv.Run(context.WithoutCancel(ctx), "ip", "rule", "del", "pref", "100") })
	for _, tt := range []struct {
		agent int
		args  []string
		exit  int
		want  string
	}{
		{2, []string{"status"}, 2, "! overridden: rule inet priority 32000"},
		{2, []string{"status"}, 2, "shadowed by rule: 100:"},
		{2, []string{"plan"}, 2, "0 to create, 0 to update, 0 to delete"},
		{2, []string{"audit"}, 2, "another owner's object wins over it: 100: from all to 172.24.4.59 lookup 55"},
		{2, []string{"explain", "172.24.4.59"}, 0, "ADVERTISED"},
		{0, []string{"explain", "172.24.4.59"}, 2, "(not-owner)"},
		{0, []string{"explain", "172.24.4.59"}, 2, "announced by: " + hv.SystemID},
		{2, []string{"desired"}, 0, "path ipv4-unicast 172.24.4.59/32"},
	} {
		res := harness.Must(shared.agents[tt.agent].CLI(ctx, tt.args...))(t)
		if res.Exit != tt.exit || !strings.Contains(res.Out, tt.want) {
			t.Errorf("%v on %s: exit %d, want %d, and %q in\n%s%s", tt.args, shared.agents[tt.agent].Chassis.Name, res.Exit,
				tt.exit, tt.want, res.Out, res.Err)
		}
	}
	harness.Must(hv.Run(ctx, "ip", "rule", "del", "pref", "100"))(t)
	settled(t)
	for _, tt := range []struct{ command, want string }{
		{"status", "healthy"}, {"plan", "0 to create, 0 to update, 0 to delete"}, {"audit", "no drift"},
	} {
		if res := harness.Must(a.CLI(ctx, tt.command))(t); res.Exit != 0 || !strings.Contains(res.Out, tt.want) {
			t.Errorf("%s without the rule: exit %d, want 0, and %q in\n%s%s", tt.command, res.Exit, tt.want, res.Out, res.Err)
		}
	}
	// What a snapshot says is what the controller says.
	snap := harness.Must(a.CLI(ctx, "snapshot"))(t)
	path := filepath.Join(hv.Dir, "snapshot.json")
	harness.Check(t, os.WriteFile(path, []byte(snap.Out), 0o600))
	live := harness.Must(a.CLI(ctx, "desired", "-o", "json"))(t)
	file := harness.Must(a.CLI(ctx, "desired", "-o", "json", "--snapshot", path))(t)
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
	if res := harness.Must(a.CLI(ctx, "cleanup"))(t); res.Exit != 1 {
		t.Errorf("cleanup beside a running controller: exit %d, want 1\n%s%s", res.Exit, res.Out, res.Err)
	}
	harness.Check(t, a.Stop(ctx))
	t.Cleanup(func() {
		harness.Check(t, a.Start(context.WithoutCancel(ctx)))
		for _, addr := range []netip.Addr{hv.Addr4, hv.Addr6} {
			harness.Check(t, shared.Tor.AwaitPeer(context.WithoutCancel(ctx), addr))
		}
	})
	dry := harness.Must(a.CLI(ctx, "cleanup", "--dry-run"))(t)
	if dry.Exit != 2 {
		t.Errorf("cleanup --dry-run: exit %d, want 2\n%s", dry.Exit, dry.Err)
	}
	res := harness.Must(a.CLI(ctx, "cleanup"))(t)
	if res.Exit != 0 || res.Out != dry.Out {
		t.Errorf("cleanup: exit %d, %s\nit did\n%sbut had announced\n%s", res.Exit, res.Err, res.Out, dry.Out)
	}
	left := harness.Must(hv.Run(ctx, "ip", "route", "show", "table", "all", "proto", "98"))(t)
	left += harness.Must(hv.Run(ctx, "ip", "-6", "route", "show", "table", "all", "proto", "98"))(t)
	left += harness.Must(hv.Run(ctx, "ip", "rule", "show", "pref", "32000"))(t)
	left += harness.Must(hv.Run(ctx, "ip", "addr", "show", "dev", "br-ex", "to", "169.254.0.0/16"))(t)
	left += harness.Must(hv.Run(ctx, "ip", "-6", "neigh", "show", "proxy"))(t)
	if left != "" || strings.Contains(flowsOf(t, hv), "0x3e7") {
		t.Errorf("left behind:\n%s%s", left, flowsOf(t, hv))
	}
	if v := harness.Must(hv.Run(ctx, "cat", "/proc/sys/net/ipv4/conf/br-ex/proxy_arp"))(t); strings.TrimSpace(v) != "0" {
		t.Errorf("proxy_arp is %s, want the 0 from before", v)
	}
}
