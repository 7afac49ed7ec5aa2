// Package scenarios tells the product's promises as stories on a lab of real
// OVN, Open vSwitch and FRR: one lab, one bgp-ovn a chassis, one claim a test.
package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// world is the one lab of all tests here; they use different names in it.
type world struct {
	*lab.Lab
	bin    string
	agents []*product.Agent
	public *lab.Network
	// besideRouter is that of beside; nil where there is none.
	besideRouter *lab.Router
}

var shared world

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run exists because os.Exit skips deferred calls.
func run(m *testing.M) (code int) {
	ctx, cancel := harness.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	err := shared.start(ctx)
	if shared.Lab != nil {
		defer func() {
			if err := shared.Close(); err != nil {
				fmt.Fprintln(os.Stderr, "close lab:", err)
				code = 1
			}
		}()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code = m.Run()
	if err := shared.besideHolds(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

func (w *world) start(ctx context.Context) (err error) {
	if w.bin, err = harness.Binary(ctx); err != nil {
		return err
	}
	o := lab.Options{Log: os.Stderr, KeepDir: os.Getenv("LAB_KEEP") != "", OVN: product.OVN()}
	if w.Lab, err = lab.Start(ctx, o); err != nil {
		return err
	}
	w.public, err = w.Neutron.ProviderNetwork(ctx, "public", "physnet1", 0,
		netip.MustParsePrefix("172.24.4.0/24"), netip.MustParsePrefix("2001:db8:4::/64"))
	if err != nil {
		return err
	}
	for _, c := range w.Chassis {
		a, err := product.New(c, w.bin)
		if err != nil {
			return err
		}
		if err := a.Start(ctx); err != nil {
			return err
		}
		w.agents = append(w.agents, a)
	}
	for _, c := range w.Chassis {
		for _, addr := range []netip.Addr{c.Addr4, c.Addr6} {
			if err := w.Tor.AwaitPeer(ctx, addr); err != nil {
				return fmt.Errorf("%w\n%s", err, w.agents[c.Index-1].Tail(20))
			}
		}
	}
	return w.beside(ctx)
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	return harness.Context(t, time.Minute)
}

// host returns the host prefix of an address.
func host(s string) netip.Prefix {
	a := netip.MustParseAddr(s)
	return netip.PrefixFrom(a, a.BitLen())
}

// guest makes a port on a chassis and plugs a VM into it.
func guest(t *testing.T, name string, n *lab.Network, c *lab.Chassis, addrs ...string) *lab.VM {
	t.Helper()
	ctx := testContext(t)
	spec := lab.PortSpec{Name: name, Network: n, Chassis: c}
	for _, a := range addrs {
		spec.Addrs = append(spec.Addrs, netip.MustParseAddr(a))
	}
	p := harness.Must(shared.Neutron.Port(ctx, spec))(t)
	vm := harness.Must(c.PlugVM(ctx, p))(t)
	t.Cleanup(func() {
		harness.Check(t, vm.Unplug(context.WithoutCancel(ctx)))
		harness.Check(t, p.Delete(context.WithoutCancel(ctx)))
	})
	return vm
}

// at waits until the top of rack sends the addresses to exactly these chassis.
func at(t *testing.T, addr string, to ...*lab.Chassis) {
	t.Helper()
	// A test before may have had the node register again: for fuse.hold, 30 s, rows that are
	// not there do not count then.
	ctx := harness.Context(t, 50*time.Second)
	if _, err := shared.Tor.WaitRoute(ctx, host(addr), to...); err != nil {
		for _, a := range shared.agents {
			res, _ := a.CLI(t.Context(), "explain", addr)
			t.Logf("%s: %s%s\n%s", a.Chassis.Name, res.Out, res.Err, a.Tail(15))
		}
		t.Fatal(err)
	}
}

// pings demands that the host behind the top of rack comes to reach the address
// without loss. The first packets of a new floating IP may be lost to OVN, which
// learns its neighbours then.
func pings(t *testing.T, addr string) {
	t.Helper()
	ctx := testContext(t)
	to := netip.MustParseAddr(addr)
	harness.Check(t, shared.Host.AwaitPing(ctx, to))
	var last lab.PingResult
	if err := harness.Until(ctx, addr+" to answer every ping", func() bool {
		last = harness.Must(shared.Host.Ping(ctx, to, 5, 20*time.Millisecond))(t)
		return last.Lossless()
	}); err != nil {
		t.Fatalf("ping %s: %+v", addr, last)
	}
}
