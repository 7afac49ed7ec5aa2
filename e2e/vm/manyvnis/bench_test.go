//go:build guest

package manyvnis

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

const (
	vpnAS    = lab.ChassisAS
	firstVNI = 5001
	// patience bounds each phase; a system call takes 0.2 ms in the guest.
	patience = 4 * time.Minute
	// pollEvery is the pause between two looks, each of which is a process.
	pollEvery = 250 * time.Millisecond
)

func vni(i int) int { return firstVNI + i }

// target is how many times faster than FRR through vtysh bgp-ovn wants to be. FRR,
// which gets slower with each tenant, is not waited for any longer than that.
const target = 5

// BenchmarkManyVNIs measures from the moment somebody wants n tenants on a node
// until a peer has a route of each and the node has nothing left to do. FRR gets
// less work than bgp-ovn, which also makes the way into Open vSwitch and back, and
// gets its devices by one "ip -batch": once with a vtysh for each tenant, as they
// come, and once with one for all, as only a restart could.
func BenchmarkManyVNIs(b *testing.B) {
	n := 500
	if text := os.Getenv("VNIS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		w := newWorld(b)
		ours := w.ours(b, n)
		once := w.frr(b, n, true, patience)
		each := w.frr(b, n, false, target*ours.done())
		if once.routes < n {
			b.Fatalf("FRR has announced %d of %d after %s", once.routes, n, once.took)
		}
		b.ReportMetric(ours.wired.Seconds(), "s/wired")
		b.ReportMetric(ours.peer.Seconds(), "s/at-peer")
		b.ReportMetric(ours.idle.Seconds()*1e3, "ms/idle-look")
		b.ReportMetric(once.took.Seconds(), "s/frr-one-vtysh")
		b.ReportMetric(once.took.Seconds()/ours.done().Seconds(), "x-frr-one-vtysh")
		b.ReportMetric(each.took.Seconds()/ours.done().Seconds(), "x-frr-vtysh")
		b.ReportMetric(float64(each.routes), "vnis-of-frr-then")
	}
}

// TestFewVNIs goes the benchmark's way with a few tenants, so that the way is known
// to lead somewhere without the time that many take: both have announced a route of
// each tenant, bgp-ovn has nothing left to do, and neither leaves a device or a route
// behind.
func TestFewVNIs(t *testing.T) {
	const n = 20
	w := newWorld(t)
	w.ours(t, n)
	for _, oneFile := range []bool{true, false} {
		if p := w.frr(t, n, oneFile, harness.Scaled(patience)); p.routes != n {
			t.Errorf("FRR has announced %d of %d after %s", p.routes, n, p.took)
		}
	}
}

// world is a lab with one node, on which a provider network has its patch port.
type world struct {
	*lab.Lab
	ctx context.Context
	gw  *lab.Chassis
	bin string

	external string // row of the provider network's datapath
	chassis  string // row of the node
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{ctx: t.Context()}
	w.Lab = harness.Must(lab.Start(w.ctx, lab.Options{Log: os.Stderr, Chassis: []lab.ChassisSpec{{Gateway: true}}}))(t)
	t.Cleanup(func() { harness.Check(t, w.Close()) })
	w.gw = w.Chassis[0]
	w.bin = harness.Must(harness.Binary(w.ctx))(t)
	harness.Check(t, w.Tor.EnableEVPN(w.ctx))
	flat := harness.Must(w.Neutron.ProviderNetwork(w.ctx, "flat", "physnet1", 0,
		netip.MustParsePrefix("172.24.0.0/16")))(t)
	port := harness.Must(w.Neutron.Port(w.ctx, lab.PortSpec{
		Name: "vm", Network: flat, Chassis: w.gw,
		Addrs: []netip.Addr{netip.MustParseAddr("172.24.0.9")},
	}))(t)
	harness.Must(w.gw.PlugVM(w.ctx, port))(t)
	harness.Check(t, port.AwaitUp(w.ctx))
	w.external = w.row(t, "Datapath_Binding", "external_ids:name="+flat.Switch())
	w.chassis = w.row(t, "Chassis", "name="+w.gw.SystemID)
	// Both would remove or answer rows that no Northbound database has.
	harness.Check(t, w.Central.Northd.Kill())
	harness.Check(t, w.gw.Controller.Kill())
	return w
}

func (w *world) row(t testing.TB, table, where string) string {
	t.Helper()
	out := harness.Must(w.Central.Sbctl(w.ctx, "--bare", "--columns=_uuid", "find", table, where))(t)
	return strings.TrimSpace(out)
}

// timing is what became of one transaction.
type timing struct {
	peer  time.Duration // until the peer had all
	wired time.Duration // until the controller had done all
	idle  time.Duration // of one more look at everything, with nothing to do
}

func (t timing) done() time.Duration { return max(t.peer, t.wired) }

// ours has bgp-ovn wire n tenants, and take all of it away again.
func (w *world) ours(t testing.TB, n int) (took timing) {
	t.Helper()
	agent := harness.Must(product.NewEVPN(w.gw, w.bin))(t)
	harness.Check(t, agent.Start(w.ctx))
	harness.Check(t, w.Tor.AwaitPeer(w.ctx, w.gw.Addr4))
	rows := tenants(n, w.chassis, w.external)
	began := time.Now()
	harness.Check(t, transact(w.Central.SBSocket(), rows))
	took.peer = w.awaitRoutes(t, n, agent.Daemon).Sub(began)
	took.wired = w.awaitIdle(t, agent).Sub(began)
	began = time.Now()
	w.awaitIdle(t, agent)
	took.idle = time.Since(began)
	harness.Check(t, agent.Stop(w.ctx))
	if res := harness.Must(agent.CLI(w.ctx, "cleanup"))(t); res.Exit != 0 {
		t.Fatalf("cleanup ended with %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	if left := harness.Must(w.gw.Run(w.ctx, "ip", "-br", "link", "show", "type", "vrf"))(t); left != "" {
		t.Fatalf("cleanup leaves\n%s", left)
	}
	w.awaitRoutes(t, 0, agent.Daemon)
	return took
}

// progress is how far FRR came in which time.
type progress struct {
	routes int
	took   time.Duration
}

// frr has FRR announce n tenants, or as many as it can before the limit, and take
// all of it away again. Zebra of FRR 8.4 loses addresses that it is told of while a
// device moves into a VRF, so it starts when the devices are there; its start is
// not counted, and neither is that of the session.
func (w *world) frr(t testing.TB, n int, oneFile bool, limit time.Duration) (p progress) {
	t.Helper()
	f := harness.Must(w.gw.NewFRR(frrConfig(w.gw)))(t)
	files := harness.Must(vtyshFiles(w.gw, n, oneFile))(t)
	add, del := filepath.Join(w.gw.Dir, "add"), filepath.Join(w.gw.Dir, "del")
	harness.Check(t, os.WriteFile(add, []byte(devices(w.gw, n, "add")), 0o644))
	harness.Check(t, os.WriteFile(del, []byte(devices(w.gw, n, "del")), 0o644))

	began := time.Now()
	harness.Must(w.gw.Run(w.ctx, "ip", "-batch", add))(t)
	p.took = time.Since(began)
	harness.Check(t, f.Start(w.ctx))
	harness.Check(t, w.Tor.AwaitPeer(w.ctx, w.gw.Addr4))
	ctx, cancel := context.WithTimeout(w.ctx, max(limit-p.took, 0))
	defer cancel()
	began = time.Now()
	for _, file := range files {
		if err := f.File(ctx, file); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		p.routes, _ = w.routes(w.ctx)
		if p.routes == n || ctx.Err() != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	p.took += time.Since(began)

	harness.Check(t, f.Stop(w.ctx))
	harness.Must(w.gw.Run(w.ctx, "ip", "-batch", del))(t)
	w.awaitRoutes(t, 0, f.BGPD)
	return p
}

// routes counts the IP Prefix routes that the peer has of the node.
func (w *world) routes(ctx context.Context) (n int, last string) {
	out, err := w.Tor.Vtysh(ctx, "show bgp l2vpn evpn route type prefix")
	switch {
	case err != nil:
		return -1, err.Error()
	case strings.Contains(out, "No EVPN prefixes"):
		return 0, out
	}
	last = out[max(0, len(out)-300):]
	if at := strings.LastIndex(out, "Displayed "); at >= 0 {
		if _, err := fmt.Sscanf(out[at:], "Displayed %d prefixes", &n); err == nil {
			return n, last
		}
	}
	return -1, last
}

// awaitRoutes waits until the peer has n IP Prefix routes of the node.
func (w *world) awaitRoutes(t testing.TB, n int, speaker *lab.Daemon) time.Time {
	t.Helper()
	last := ""
	return w.await(t, func() string {
		return fmt.Sprintf("the peer to have %d routes, it says %q\n%s", n, last, speaker.Tail(30))
	}, func(ctx context.Context) bool {
		have := 0
		have, last = w.routes(ctx)
		return have == n
	})
}

// awaitIdle waits until the controller has nothing left to do.
func (w *world) awaitIdle(t testing.TB, agent *product.Agent) time.Time {
	t.Helper()
	ctx, cancel := harness.WithTimeout(w.ctx, patience)
	defer cancel()
	harness.Check(t, agent.Settle(ctx))
	return time.Now()
}

func (w *world) await(t testing.TB, what func() string, ok func(context.Context) bool) time.Time {
	t.Helper()
	ctx, cancel := harness.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := harness.Until(ctx, "a state of the node", func() bool { return ok(ctx) }); err != nil {
		t.Fatalf("%v: wait for %s", err, what())
	}
	return time.Now()
}
