package legacy

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// freshNamespace puts the test's thread into a network namespace of its own,
// which ends with the thread: it is never unlocked.
func freshNamespace(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test needs root for a network namespace of its own")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

func ip(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil && !strings.Contains(command, " show ") { // an empty table is an error
		t.Fatalf("ip %s: %v: %s", command, err, out)
	}
	return string(out)
}

func setUp(t *testing.T) *Kernel {
	t.Helper()
	freshNamespace(t)
	for _, c := range []string{
		"link add br-ex type veth peer name other", "link set br-ex up", "link set other up", "link set lo up",
		"addr add 169.254.1.1/32 dev br-ex", "addr add fd53:d91e:400:7f17::1:1/128 dev br-ex nodad",
		"rule add pref 32000 to 172.24.4.70 lookup 77", "-6 rule add pref 32000 to 2001:db8::70 lookup 77",
		"rule add pref 32000 to 10.0.0.0/26 lookup 77",
		"rule add pref 32000 to 172.24.4.71 iif lo lookup 77", "rule add pref 32000 to 172.24.4.72 from 10.0.0.0/8 lookup 77",
		"rule add pref 31999 to 172.24.4.73 lookup 77", "rule add pref 32000 lookup 77 protocol 98",
		"rule add pref 32000 to 172.24.4.74 fwmark 7 lookup 77",
		"rule add pref 32000 not to 172.24.4.75 lookup 77", "rule add pref 32000 to 172.24.4.76 ipproto tcp lookup 77",
		"route add default dev br-ex table 77", "-6 route add default dev br-ex table 77",
		"route add 172.24.4.70 dev br-ex table 77", "-6 route add 2001:db8::70 dev br-ex table 77",
		"route add 10.0.0.0/26 via 172.24.4.70 dev br-ex onlink table 77 proto static",
		"-6 route add 2600:db8::/64 via 2001:db8::70 dev br-ex onlink table 77",
		"route add 198.18.0.0/15 dev br-ex table 77 proto 186", "route add blackhole 198.51.100.0/24 table 77",
	} {
		ip(t, c)
	}
	k, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func read(t *testing.T, k *Kernel) State {
	t.Helper()
	s, err := k.Read(Scope{Bridges: []string{"br-ex"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func lines[T object.Value](vs []T) string {
	var b strings.Builder
	for _, v := range vs {
		b.WriteString(object.Text(v) + "\n")
	}
	return b.String()
}

// TestRead: rules that select by anything else than the destination are another
// owner's.
func TestRead(t *testing.T) {
	s := read(t, setUp(t))
	if got, want := lines(s.Rules), `rule inet to 10.0.0.0/26 priority 32000 lookup 77
rule inet to 172.24.4.70/32 priority 32000 lookup 77
rule inet6 to 2001:db8::70/128 priority 32000 lookup 77
`; got != want {
		t.Errorf("rules:\n%s", got)
	}
	if got, want := lines(s.Routes), `route 0.0.0.0/0 table 77 metric 0  dev br-ex proto boot
route 10.0.0.0/26 table 77 metric 0  dev br-ex via 172.24.4.70 proto static
route 172.24.4.70/32 table 77 metric 0  dev br-ex proto boot
route 198.18.0.0/15 table 77 metric 0  dev br-ex proto 186
route ::/0 table 77 metric 1024  dev br-ex proto boot
route 2001:db8::70/128 table 77 metric 1024  dev br-ex proto boot
route 2600:db8::/64 table 77 metric 1024  dev br-ex via 2001:db8::70 proto boot
`; got != want {
		t.Errorf("routes:\n%s", got)
	}
}

// TestTakeOver: a route that is taken over is replaced in one message; the kernel
// never reports its end.
func TestTakeOver(t *testing.T) {
	k := setUp(t)
	// The socket is subscribed when this returns, and is closed with the test.
	updates, done := make(chan netlink.RouteUpdate, 64), make(chan struct{})
	t.Cleanup(func() { close(done) })
	if err := netlink.RouteSubscribe(updates, done); err != nil {
		t.Fatal(err)
	}
	s := read(t, k)
	for _, r := range s.Routes {
		if !r.Unmarked() || r.Dst.Bits() == 0 {
			continue
		}
		want := r.Route
		if err := k.Apply(object.Change{Before: r, After: want}, 98); err != nil {
			t.Errorf("%s: %v", object.Text(r), err)
		}
	}
	ip(t, "route add 203.0.113.1 dev br-ex table 78") // the last update
	replaced := 0
	for u := range updates {
		if u.Dst != nil && u.Dst.String() == "203.0.113.1/32" {
			break
		}
		if u.Type == unix.RTM_DELROUTE {
			t.Errorf("a route was missing for a moment: %s", u.Route)
		}
		if u.Type == unix.RTM_NEWROUTE && u.Protocol == 98 {
			replaced++
		}
	}
	if replaced != 4 {
		t.Errorf("%d routes have become ours, want 4", replaced)
	}
	for command, want := range map[string][]string{
		"-4 route show table 77 proto 98": {
			"172.24.4.70 dev br-ex scope link", "10.0.0.0/26 via 172.24.4.70 dev br-ex onlink",
		},
		"-6 route show table 77 proto 98": {"2001:db8::70 dev br-ex", "2600:db8::/64 via 2001:db8::70 dev br-ex"},
	} {
		got := ip(t, command)
		for _, line := range want {
			if !strings.Contains(got, line) {
				t.Errorf("ip %s: want %q in\n%s", command, line, got)
			}
		}
	}
	for _, command := range []string{"-4 route show table 77 proto boot", "-6 route show table 77 proto boot"} {
		got := ip(t, command)
		if strings.Count(got, "\n") > 2 || strings.Contains(got, "172.24") || strings.Contains(got, "2001") {
			t.Errorf("ip %s:\n%s", command, got)
		}
	}
}

// TestDelete: deletes hit what was read and nothing beside it, and may come twice.
func TestDelete(t *testing.T) {
	k := setUp(t)
	s := read(t, k)
	for range 2 {
		for _, r := range s.Rules {
			if err := k.Apply(object.Change{Before: r}, 98); err != nil {
				t.Errorf("%s: %v", object.Text(r), err)
			}
		}
		for _, r := range s.Routes {
			if !r.Unmarked() {
				continue
			}
			if err := k.Apply(object.Change{Before: r}, 98); err != nil {
				t.Errorf("%s: %v", object.Text(r), err)
			}
		}
	}
	if got := ip(t, "-4 rule show pref 32000"); strings.Count(got, "\n") != 6 {
		t.Errorf("rules of others:\n%s", got)
	}
	if got := read(t, k); len(got.Rules) != 0 {
		t.Errorf("rules are left: %v", got.Rules)
	}
	got := ip(t, "-4 route show table 77")
	if !strings.Contains(got, "198.18.0.0/15") || !strings.Contains(got, "blackhole") || strings.Contains(got, "default") {
		t.Errorf("routes:\n%s", got)
	}
	if err := k.Apply(object.Change{Before: object.Address{}}, 98); err == nil {
		t.Error("a change of another owner's object was accepted")
	}
}

// TestHandBack: our routes get the predecessor's protocol in one message, each gets its
// rule, and both may come twice.
func TestHandBack(t *testing.T) {
	k := setUp(t)
	ip(t, "route add 172.24.4.80 dev br-ex table 77 proto 98")
	ip(t, "-6 route add 2001:db8::80 dev br-ex table 77 proto 98")
	ip(t, "-6 route add 2600:db8:8::/64 via 2001:db8::80 dev br-ex table 77 proto 98")
	ip(t, "link set other alias bgp-ovn")
	updates, done := make(chan netlink.RouteUpdate, 64), make(chan struct{})
	t.Cleanup(func() { close(done) })
	if err := netlink.RouteSubscribe(updates, done); err != nil {
		t.Fatal(err)
	}
	for _, r := range read(t, k).Routes {
		if r.Protocol != 98 {
			continue
		}
		back := r
		back.Protocol = unix.RTPROT_BOOT
		for range 2 {
			for _, c := range []object.Change{
				{Before: r.Route, After: back},
				{After: Rule{To: r.Dst, Table: r.Table, Priority: RulePriority}},
			} {
				if err := k.Apply(c, 98); err != nil {
					t.Errorf("%s: %v", c.Key().Text(), err)
				}
			}
		}
	}
	device := object.Link{Name: "other"}
	if err := k.Apply(object.Change{Before: device, After: Released{device}}, 98); err != nil {
		t.Error(err)
	}
	if out := ip(t, "link show dev other"); strings.Contains(out, "alias") {
		t.Errorf("the alias is left:\n%s", out)
	}
	ip(t, "route add 203.0.113.1 dev br-ex table 78") // the last update
	for u := range updates {
		if u.Dst != nil && u.Dst.String() == "203.0.113.1/32" {
			break
		}
		if u.Type == unix.RTM_DELROUTE {
			t.Errorf("a route was missing for a moment: %s", u.Route)
		}
	}
	rules := ip(t, "-4 rule show pref 32000") + ip(t, "-6 rule show pref 32000")
	for _, dst := range []string{"172.24.4.80", "2001:db8::80", "2600:db8:8::/64"} {
		if strings.Count(rules, "to "+dst+" lookup 77") != 1 {
			t.Errorf("want one rule to %s:\n%s", dst, rules)
		}
	}
	if left := ip(t, "-4 route show table 77 proto 98") + ip(t, "-6 route show table 77 proto 98"); left != "" {
		t.Errorf("routes are still ours:\n%s", left)
	}
}

// TestUseOfDevices: what shows that a device is not the predecessor's alone.
func TestUseOfDevices(t *testing.T) {
	k := setUp(t)
	for _, c := range []string{
		"link add bridge type bridge", "link add port type veth peer name far", "link set port master bridge",
		"link add under type veth peer name away", "link add link under name macvlan type macvlan",
		"link set far up", "link set port up", "route add 203.0.113.0/24 dev far table 56",
		"link set away up", "link set under up", "route add 203.0.113.0/24 dev away table 77",
		"route add 198.51.100.0/24 table 55 nexthop dev far nexthop dev under",
	} {
		ip(t, c)
	}
	links, err := k.nl.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"port": true, "under": true, "far": true, "away": false, "macvlan": false} {
		used, err := k.usedDevices(links, []uint32{77})
		if err != nil || used[name] != want {
			t.Errorf("%s is used: %t, %v", name, used[name], err)
		}
	}
	for _, step := range []struct {
		setting string
		want    bool
	}{
		{"", false},
		{"ipv4/conf/away/proxy_arp", false},
		{"ipv6/conf/away/proxy_ndp", true},
		{"ipv4/conf/default/proxy_arp", false}, // then every new device has it
	} {
		if step.setting != "" {
			if err := os.WriteFile("/proc/sys/net/"+step.setting, []byte("1"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := proxies("away"); err != nil || got != step.want {
			t.Errorf("after %q: %t, %v", step.setting, got, err)
		}
	}
	if got, err := proxies("nowhere"); err != nil || got {
		t.Errorf("a device that is gone: %t, %v", got, err)
	}
}

// What FRR has learned is read with all next hops; the address that zebra has in the place of an IPv6
// one is resolved. It is deleted by its metric, and other routes stay.
func TestLearned(t *testing.T) {
	k := setUp(t)
	for _, c := range []string{
		"neigh add 169.254.0.1 lladdr 02:00:00:00:00:07 dev br-ex nud permanent",
		"-6 neigh add fe80::7 lladdr 02:00:00:00:00:07 dev br-ex nud permanent",
		"-6 neigh add fe80::8 lladdr 02:00:00:00:00:08 dev br-ex nud permanent",
		"route add default proto bgp metric 20 nexthop via 169.254.0.1 dev br-ex onlink " +
			"nexthop via 192.0.2.1 dev other onlink",
		"route add 10.7.0.0/16 via inet6 fe80::8 dev br-ex proto bgp metric 20",
		"-6 route add default via fe80::8 dev br-ex proto bgp metric 20",
		"route add default dev other metric 4098 proto 98",
	} {
		ip(t, c)
	}
	learned, err := k.Learned()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range learned {
		got = append(got, object.Text(l.Route))
	}
	want := []string{
		"route 0.0.0.0/0 table 254 metric 20  nexthop 192.0.2.1 dev other nexthop fe80::7 dev br-ex",
		"route 10.7.0.0/16 table 254 metric 20  dev br-ex via fe80::8",
		"route ::/0 table 254 metric 20  dev br-ex via fe80::8",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("got\n%s", strings.Join(got, "\n"))
	}
	for range 2 { // again is no error
		for _, l := range learned {
			if err := k.Apply(object.Change{Before: l}, 98); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := ip(t, "route show table main") + ip(t, "-6 route show table main")
	if strings.Contains(left, "proto bgp") || !strings.Contains(left, "default dev other proto 98") {
		t.Errorf("left are\n%s", left)
	}
}
