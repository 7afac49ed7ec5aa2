package lab_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// shared is the one lab of all tests here; they use different names in it.
var shared *lab.Lab

var (
	madePublic sync.Once
	thePublic  *lab.Network
	publicErr  error
)

// orphanKey makes this program a lab's owner that is killed.
const orphanKey = "LAB_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanKey) != "" {
		orphan()
	}
	os.Exit(run(m))
}

// run exists because os.Exit skips deferred calls.
func run(m *testing.M) int {
	began := time.Now()
	l, err := lab.Start(context.Background(), lab.Options{Log: os.Stderr, KeepDir: os.Getenv("LAB_KEEP") != ""})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = l
	fmt.Fprintf(os.Stderr, "lab.Start took %s\n", time.Since(began).Round(time.Millisecond))
	code := m.Run()
	if err := l.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close lab:", err)
		return 1
	}
	return code
}

func testContext(t *testing.T) context.Context {
	return harness.Context(t, 30*time.Second)
}

// tenant makes a tenant network for one test.
func tenant(t *testing.T, name string, cidrs ...string) *lab.Network {
	t.Helper()
	var prefixes []netip.Prefix
	for _, c := range cidrs {
		prefixes = append(prefixes, netip.MustParsePrefix(c))
	}
	n := harness.Must(shared.Neutron.TenantNetwork(testContext(t), name, prefixes...))(t)
	harness.AtEnd(t, n.Delete)
	return n
}

// routed makes a router for one test, attached to a network.
func routed(t *testing.T, n *lab.Network, s lab.RouterSpec) *lab.Router {
	t.Helper()
	r := harness.Must(shared.Neutron.Router(testContext(t), s))(t)
	harness.AtEnd(t, r.Delete)
	harness.Check(t, r.Attach(testContext(t), n))
	return r
}

// guest makes a port on a chassis and plugs a VM into it.
func guest(t *testing.T, name string, n *lab.Network, c *lab.Chassis, addrs ...string) *lab.VM {
	t.Helper()
	ctx := testContext(t)
	spec := lab.PortSpec{Name: name, Network: n, Chassis: c}
	for _, a := range addrs {
		spec.Addrs = append(spec.Addrs, netip.MustParseAddr(a))
	}
	port := harness.Must(shared.Neutron.Port(ctx, spec))(t)
	harness.AtEnd(t, port.Delete)
	vm := harness.Must(c.PlugVM(ctx, port))(t)
	harness.AtEnd(t, vm.Unplug)
	return vm
}

// public is the provider network that most tests share.
func public(t *testing.T) *lab.Network {
	t.Helper()
	madePublic.Do(func() {
		thePublic, publicErr = shared.Neutron.ProviderNetwork(testContext(t), "public", "physnet1", 0,
			netip.MustParsePrefix("172.24.4.0/24"), netip.MustParsePrefix("2001:db8:4::/64"))
	})
	harness.Check(t, publicErr)
	return thePublic
}

func TestSweepSparesTheLiving(t *testing.T) {
	harness.Check(t, lab.Sweep())
	if _, err := os.Stat(shared.Tor.NetnsPath()); err != nil {
		t.Fatal(err)
	}
}

// orphan starts a small lab, tells its directory and namespaces, and dies the
// hard way.
func orphan() {
	l, err := lab.Start(context.Background(), lab.Options{Chassis: []lab.ChassisSpec{{}}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Chassis[0].Vswitchd.PID(), l.Dir, l.Tor.NetnsPath())
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func TestSweepAfterKill(t *testing.T) {
	cmd := exec.CommandContext(testContext(t), os.Args[0])
	cmd.Env = append(os.Environ(), orphanKey+"=1")
	out, _ := cmd.Output() // it was killed
	words := strings.Fields(string(out))
	if len(words) != 3 {
		t.Fatalf("the orphan said %q", out)
	}
	harness.Check(t, lab.Sweep())
	for _, gone := range append(words[1:], "/proc/"+words[0]+"/ns/net") {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s after Sweep: got %v, want it gone", gone, err)
		}
	}
}

func TestSecondLab(t *testing.T) {
	l, err := lab.Start(testContext(t),
		lab.Options{Chassis: []lab.ChassisSpec{{Bridges: "physnet1:br-ex,physnet2:br-ex2"}}})
	harness.Check(t, err)
	path := l.Tor.NetnsPath()
	harness.Check(t, l.Close())
	harness.Check(t, l.Close())
	for _, gone := range []string{path, l.Dir} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s after Close: got %v, want it gone", gone, err)
		}
	}
}
