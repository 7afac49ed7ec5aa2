package scenarios

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// site is a tenant network behind a router with a gateway on the public network.
// All of it goes with the test.
type site struct {
	name    string
	network *lab.Network
	router  *lab.Router
}

// newSite makes one without address translation: what is behind the router is
// reached by its own addresses.
func newSite(t *testing.T, name string, cidrs, gateway []string, on ...*lab.Chassis) site {
	t.Helper()
	ctx := testContext(t)
	var prefixes []netip.Prefix
	for _, c := range cidrs {
		prefixes = append(prefixes, netip.MustParsePrefix(c))
	}
	s := site{name: name, network: harness.Must(shared.Neutron.TenantNetwork(ctx, name, prefixes...))(t)}
	t.Cleanup(func() { harness.Check(t, s.network.Delete(context.WithoutCancel(ctx))) })
	s.router = harness.Must(shared.Neutron.Router(ctx, lab.RouterSpec{
		Name: name, External: shared.public, Addrs: addrs(gateway), Gateways: on,
	}))(t)
	t.Cleanup(func() { harness.Check(t, s.router.Delete(context.WithoutCancel(ctx))) })
	harness.Check(t, s.router.Attach(ctx, s.network))
	return s
}

// float gives a VM of the site a floating IP for the time of the test.
func (s site) float(t *testing.T, p *lab.Port, addr string, distributed bool) {
	t.Helper()
	ctx := testContext(t)
	f := harness.Must(shared.Neutron.FloatingIP(ctx, s.router, p, netip.MustParseAddr(addr), distributed))(t)
	t.Cleanup(func() { harness.Check(t, f.Delete(context.WithoutCancel(ctx))) })
}

func addrs(texts []string) []netip.Addr {
	var out []netip.Addr
	for _, a := range texts {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// expose reloads agents with further lines of configuration, and takes them back
// after the test.
func expose(t *testing.T, agents []*product.Agent, lines ...string) {
	t.Helper()
	set := func(ctx context.Context, lines ...string) {
		t.Helper()
		for _, a := range agents {
			harness.Check(t, a.Configure(nil, lines...))
			if res := harness.Must(a.CLI(ctx, "reload"))(t); res.Exit != 0 {
				t.Fatalf("reload with %q: %s", lines, res.Err)
			}
		}
	}
	ctx := testContext(t)
	set(ctx, lines...)
	t.Cleanup(func() { set(context.WithoutCancel(ctx)) })
}

// routed waits until the top of rack sends a prefix to exactly these chassis.
func routed(t *testing.T, prefix string, to ...*lab.Chassis) {
	t.Helper()
	ctx := harness.Context(t, 20*time.Second)
	if _, err := shared.Tor.WaitRoute(ctx, netip.MustParsePrefix(prefix), to...); err != nil {
		t.Fatal(err)
	}
}

// unrouted demands that the top of rack has no route of BGP to a prefix. What
// must never come cannot be waited for: ask for it after what came.
func unrouted(t *testing.T, prefixes ...string) {
	t.Helper()
	fib := harness.Must(shared.Tor.FIB())(t)
	for _, p := range prefixes {
		if hops, ok := fib[netip.MustParsePrefix(p)]; ok {
			t.Errorf("%s is announced: %v", p, hops)
		}
	}
}

// traffic sends echo requests every 5 ms from the host behind the top of rack,
// once the address has been answered for without loss.
func traffic(t *testing.T, addr string) *lab.Traffic {
	t.Helper()
	pings(t, addr)
	tr := harness.Must(shared.Host.SendTraffic(netip.MustParseAddr(addr), trafficInterval))(t)
	t.Cleanup(func() { _, _ = tr.Stop() }) // twice does no harm
	harness.Check(t, tr.AwaitAnswers(testContext(t), 10))
	return tr
}

const trafficInterval = 5 * time.Millisecond

// outcome demands that the traffic goes on, ends it, and tells what was lost.
func outcome(t *testing.T, running ...*lab.Traffic) (all []lab.PingResult) {
	t.Helper()
	ctx := harness.Context(t, 20*time.Second)
	for i, tr := range running {
		enough := 2
		if i == 0 {
			enough = 50 // a quarter of a second, after which nothing of before is on its way
		}
		if err := tr.AwaitAnswers(ctx, enough); err != nil {
			t.Fatalf("the traffic to %s does not recover: %v", tr.To, err)
		}
	}
	for _, tr := range running {
		r := harness.Must(tr.Stop())(t)
		t.Logf("%s: %d of %d lost, no answer for at most %s", tr.To, r.Sent-r.Received, r.Sent,
			time.Duration(r.LongestGap)*trafficInterval)
		all = append(all, r)
	}
	return all
}

// undisturbed demands that the traffic goes on and that none of it was lost.
func undisturbed(t *testing.T, running ...*lab.Traffic) {
	t.Helper()
	for i, r := range outcome(t, running...) {
		if !r.Lossless() {
			t.Errorf("%s: %d of %d lost, want none", running[i].To, r.Sent-r.Received, r.Sent)
		}
	}
}
