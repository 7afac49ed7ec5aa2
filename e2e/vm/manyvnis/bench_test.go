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

// world is a lab with one node, on which a provider network has its patch port.
type world struct {
	*lab.Lab
	ctx context.Context
	gw  *lab.Chassis
	bin string

	external string // row of the provider network's datapath
	chassis  string // row of the node
}

func newWorld(b *testing.B) *world {
	b.Helper()
	w := &world{ctx: b.Context()}
	w.Lab = must(lab.Start(w.ctx, lab.Options{Log: os.Stderr, Chassis: []lab.ChassisSpec{{Gateway: true}}}))(b)
	b.Cleanup(func() { check(b, w.Close()) })
	w.gw = w.Chassis[0]
	w.bin = must(product.Binary(w.ctx, w.Dir))(b)
	check(b, w.Tor.EnableEVPN(w.ctx))
	flat := must(w.Neutron.ProviderNetwork(w.ctx, "flat", "physnet1", 0, netip.MustParsePrefix("172.24.0.0/16")))(b)
	port := must(w.Neutron.Port(w.ctx, lab.PortSpec{Name: "vm", Network: flat, Chassis: w.gw, Addrs: []netip.Addr{netip.MustParseAddr("172.24.0.9")}}))(b)
	must(w.gw.PlugVM(w.ctx, port))(b)
	check(b, port.AwaitUp(w.ctx))
	w.external = w.row(b, "Datapath_Binding", "external_ids:name="+flat.Switch())
	w.chassis = w.row(b, "Chassis", "name="+w.gw.SystemID)
	// Both would remove or answer rows that no Northbound database has.
	check(b, w.Central.Northd.Kill())
	check(b, w.gw.Controller.Kill())
	return w
}

func (w *world) row(b *testing.B, table, where string) string {
	b.Helper()
	out := must(w.Central.Sbctl(w.ctx, "--bare", "--columns=_uuid", "find", table, where))(b)
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
func (w *world) ours(b *testing.B, n int) (t timing) {
	b.Helper()
	agent := must(product.NewEVPN(w.gw, w.bin))(b)
	check(b, agent.Start(w.ctx))
	check(b, w.Tor.AwaitPeer(w.ctx, w.gw.Addr4))
	rows := tenants(n, w.chassis, w.external)
	began := time.Now()
	check(b, transact(w.Central.SBSocket(), rows))
	t.peer = w.awaitRoutes(b, n, agent.Daemon).Sub(began)
	t.wired = w.awaitIdle(b, agent).Sub(began)
	began = time.Now()
	w.awaitIdle(b, agent)
	t.idle = time.Since(began)
	check(b, agent.Stop(w.ctx))
	if res := must(agent.CLI(w.ctx, "cleanup"))(b); res.Exit != 0 {
		b.Fatalf("cleanup ended with %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	if left := must(w.gw.Run(w.ctx, "ip", "-br", "link", "show", "type", "vrf"))(b); left != "" {
		b.Fatalf("cleanup leaves\n%s", left)
	}
	w.awaitRoutes(b, 0, agent.Daemon)
	return t
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
func (w *world) frr(b *testing.B, n int, oneFile bool, limit time.Duration) (p progress) {
	b.Helper()
	f := must(w.gw.NewFRR(frrConfig(w.gw)))(b)
	files := must(vtyshFiles(w.gw, n, oneFile))(b)
	add, del := filepath.Join(w.gw.Dir, "add"), filepath.Join(w.gw.Dir, "del")
	check(b, os.WriteFile(add, []byte(devices(w.gw, n, "add")), 0o644))
	check(b, os.WriteFile(del, []byte(devices(w.gw, n, "del")), 0o644))

	began := time.Now()
	must(w.gw.Run(w.ctx, "ip", "-batch", add))(b)
	p.took = time.Since(began)
	check(b, f.Start(w.ctx))
	check(b, w.Tor.AwaitPeer(w.ctx, w.gw.Addr4))
	ctx, cancel := context.WithTimeout(w.ctx, max(limit-p.took, 0))
	defer cancel()
	began = time.Now()
	for _, file := range files {
		if err := f.File(ctx, file); err != nil && ctx.Err() == nil {
			b.Fatal(err)
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

	check(b, f.Stop(w.ctx))
	must(w.gw.Run(w.ctx, "ip", "-batch", del))(b)
	w.awaitRoutes(b, 0, f.BGPD)
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
func (w *world) awaitRoutes(b *testing.B, n int, speaker *lab.Daemon) time.Time {
	b.Helper()
	last := ""
	return w.await(b, func() string {
		return fmt.Sprintf("the peer to have %d routes, it says %q\n%s", n, last, speaker.Tail(30))
	}, func(ctx context.Context) bool {
		have := 0
		have, last = w.routes(ctx)
		return have == n
	})
}

// awaitIdle waits until the controller has nothing left to do.
func (w *world) awaitIdle(b *testing.B, agent *product.Agent) time.Time {
	b.Helper()
	var last product.Result
	return w.await(b, func() string {
		return fmt.Sprintf("nothing to do; plan says\n%s%s%s", last.Out, last.Err, agent.Tail(10))
	}, func(ctx context.Context) bool {
		res, err := agent.CLI(ctx, "plan")
		if err != nil {
			return false
		}
		last = res
		return last.Exit == 0
	})
}

func (w *world) await(b *testing.B, what func() string, ok func(context.Context) bool) time.Time {
	b.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if ok(ctx) {
			return time.Now()
		}
		select {
		case <-ctx.Done():
			b.Fatalf("%v: wait for %s", ctx.Err(), what())
		case <-tick.C:
		}
	}
}

// must ends the benchmark on an error and otherwise passes the value on.
func must[T any](v T, err error) func(*testing.B) T {
	return func(b *testing.B) T {
		b.Helper()
		check(b, err)
		return v
	}
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
