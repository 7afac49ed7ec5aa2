package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// TestSysctlPaths: a device may be named so that its path leads elsewhere.
func TestSysctlPaths(t *testing.T) {
	l := newLab(t)
	for _, path := range []string{
		"../../etc/passwd", "net/../../../tmp/x", "/etc/passwd", "", "net//ipv4/ip_forward",
		"net/./ipv4",
	} {
		s := object.Sysctl{Path: path, Val: "1"}
		if err := l.apply(create(s))[0]; err == nil || !strings.Contains(err.Error(), "not the path of a sysctl") {
			t.Errorf("%q: got %v", path, err)
		}
	}
}

// TestSysctlBlanks: a value of several words reads as it is written in a plan.
func TestSysctlBlanks(t *testing.T) {
	l := newLab(t)
	s := object.Sysctl{Path: "net/ipv4/ip_local_port_range", Val: "20000 30000"}
	l.must(create(s))
	l.agrees([]object.Value{s})
	bad := object.Sysctl{Path: "net/ipv4/ip_local_port_range", Val: "nonsense"}
	if err := l.apply(create(bad))[0]; err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v", err)
	}
	if err := l.apply(remove(s))[0]; !errors.Is(err, errNeverDeleted) {
		t.Errorf("got %v", err)
	}
}

// TestSysctlDot: a device with a dot in its name has its own directory.
func TestSysctlDot(t *testing.T) {
	l := newLab(t)
	l.ip("link add br-ex.100 type ifb")
	s := parse(t, "sysctl net/ipv4/conf/br-ex.100/proxy_arp  = 1")
	l.must(create(s))
	l.agrees([]object.Value{s})
}

// TestSysctlOfOthers: the kernel notifies of some settings, and that wakes.
func TestSysctlOfOthers(t *testing.T) {
	l := newLab(t)
	want := []object.Value{
		parse(t, "sysctl net/ipv4/conf/d0/proxy_arp  = 1"),
		parse(t, "sysctl net/ipv6/conf/d0/proxy_ndp  = 1"),
		parse(t, "sysctl net/ipv4/ip_forward  = 1"),
	}
	l.read(wanting(t, want...))
	l.build(want)
	l.agrees(want)
	l.quiet()
	for _, v := range want {
		l.clearSignals()
		file := filepath.Join("/proc/sys", v.(object.Sysctl).Path)
		if err := os.WriteFile(file, []byte("0\n"), 0); err != nil {
			t.Fatal(err)
		}
		l.woken()
		if it, _ := l.read(wanting(t, want...)).Get(v.Key()); it.Value.(object.Sysctl).Val != "0" {
			t.Errorf("got %v", it.Value)
		}
	}
}

// TestSettingsInBulk: rtnetlink and the files say the same of every setting that
// both know, and what has its value already is not written, which the kernel would
// notify all listeners.
func TestSettingsInBulk(t *testing.T) {
	l := newLab(t)
	names := map[string][]string{
		"ipv4": {"forwarding", "rp_filter", "proxy_arp", "ignore_routes_with_linkdown"},
		"ipv6": {"forwarding", "proxy_ndp", "ignore_routes_with_linkdown"},
	}
	var have, want []object.Value
	for version, files := range names {
		for _, dev := range []string{"all", "default", "lo", "d0", "p0", "d1"} {
			for i, name := range files {
				path := "net/" + version + "/conf/" + dev + "/" + name
				if len(dev) > i && dev != "all" { // another pattern for each device
					if err := os.WriteFile(filepath.Join("/proc/sys", path), []byte(fmt.Sprint((len(dev)+i)%2)), 0); err != nil {
						t.Fatal(err)
					}
				}
				text, err := os.ReadFile(filepath.Join("/proc/sys", path))
				if err != nil {
					t.Fatal(err)
				}
				have = append(have, object.Sysctl{Path: path, Val: strings.TrimSpace(string(text))})
				want = append(want, object.Sysctl{Path: path, Val: "1"})
			}
		}
	}
	l.read(wanting(t, have...))
	l.agrees(have)
	dumped := l.b.settingsOf(t.Context(), func(yield func(string) bool) {
		for _, v := range have {
			if !yield(v.(object.Sysctl).Path) {
				return
			}
		}
	})
	if len(dumped) < len(have) {
		t.Fatalf("rtnetlink dumps %d settings, want %d", len(dumped), len(have))
	}
	// Asked for a family that it lacks, as IPv6 may be, the kernel dumps those it has.
	other, err := l.b.dumpSettings(t.Context(), unix.AF_X25)
	for path := range other {
		if err != nil || netconfFamily(path) == 0 {
			t.Errorf("of X.25 rtnetlink dumps %s: %v", path, err)
		}
	}
	l.build(want)
	l.agrees(want)
	l.clearSignals() // "all" has changed settings of devices
	watch, err := rtnl.Listen(l.b.ns, 1<<20, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { watch.Close() })
	notified := func() (n int) {
		if lost, err := watch.Drain(func(rtnl.Message) error { n++; return nil }); lost || err != nil {
			t.Fatal(lost, err)
		}
		return n
	}
	var again []object.Change
	for _, v := range want {
		again = append(again, create(v))
	}
	l.must(again...)
	if n := notified(); n != 0 {
		t.Errorf("%d settings were written that had their value", n)
	}
	l.must(create(object.Sysctl{Path: "net/ipv4/conf/d0/proxy_arp", Val: "0"}))
	if n := notified(); n != 1 {
		t.Errorf("the kernel notified of %d changes, want 1", n)
	}
}

// TestNamespaceByPath: a backend for another namespace than the one its
// callers' threads are in, sysctls included.
func TestNamespaceByPath(t *testing.T) {
	l := newLab(t)
	ns := l.namespace()
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.fd(t))
	isolate(t) // another namespace, without d0
	l.open(Config{Netns: path})
	want := everyKind(t)
	l.build(want)
	l.agrees(want)
	if _, err := os.Stat("/proc/sys/net/ipv4/conf/d0"); !os.IsNotExist(err) {
		t.Fatalf("the test is in the wrong namespace: %v", err)
	}
}

// fd is a descriptor of the namespace.
func (e elsewhere) fd(t testing.TB) int {
	fd := -1
	err := e.ns.Do(func() (err error) {
		fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// TestClose: twice, and nothing applied goes away.
func TestClose(t *testing.T) {
	l := newLab(t)
	l.must(create(parse(t, "rule inet priority 32000 lookup 201 suppress_prefixlength 0")))
	for range 2 {
		if err := l.b.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := l.b.Read(t.Context(), actual.Focus{}); !errors.Is(err, errClosed) {
		t.Errorf("read: got %v", err)
	}
	other := parse(t, "rule inet priority 32000 lookup 202 suppress_prefixlength 0")
	if err := l.apply(create(other))[0]; !errors.Is(err, errClosed) {
		t.Errorf("apply: got %v", err)
	}
	if got := l.ip("rule"); !strings.Contains(got, "lookup 201 suppress_prefixlength 0 proto 98") {
		t.Errorf("got:\n%s", got)
	}
}
