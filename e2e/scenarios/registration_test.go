package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// A node registers again in the Southbound database: its row is deleted, or the whole
// database is built anew. OVN itself goes on forwarding meanwhile. With bgp-ovn no more
// packets are lost than with OVN alone, to which the top of rack has static routes, and
// the top of rack loses none of the routes.
func TestProofRegistersAgain(t *testing.T) {
	hv := shared.Chassis[0]
	s := newSite(t, "again", []string{"10.29.0.0/26"}, []string{"172.24.4.231"}, hv)
	inside := guest(t, "again-vm", s.network, hv, "10.29.0.5")
	outside := guest(t, "again-provider", shared.public, hv, "172.24.4.233", "2001:db8:4::233")
	s.float(t, inside.Port, "172.24.4.232", false)
	r := registration{
		node: hv, addrs: []string{"172.24.4.231", "172.24.4.232", "172.24.4.233", "2001:db8:4::233"},
		ports: []string{inside.Port.ID, outside.Port.ID, "cr-" + s.router.GatewayPort()},
	}
	for _, addr := range r.addrs {
		at(t, addr, hv)
	}
	for _, tt := range []struct {
		name string
		do   func(context.Context) error
		// steps of ours that it takes: the flows of a patch port that OVN makes anew.
		steps int
	}{
		{"chassis-del", func(ctx context.Context) error { return shared.Central.Deregister(ctx, hv) }, 0},
		{"database built anew", shared.Central.RebuildSouthbound, 4},
	} {
		t.Run(tt.name, func(t *testing.T) { r.compare(t, tt.do, tt.steps) })
	}
}

// registration is the node that registers again, and what is on it.
type registration struct {
	node  *lab.Chassis
	addrs []string
	ports []string // logical ports that must come back to it
}

// spread is by how many packets two runs of the same may differ: how long OVN itself takes
// to build its database anew varies by a factor of three, and of a single run a moment in which
// the machine has other work is a large part. That nothing is withdrawn is what is judged strictly.
func spread(alone, rounds int) int {
	if rounds == 1 {
		return max(800, 2*alone) // a second of the four addresses
	}
	return max(120*rounds, 2*alone)
}

// compare measures OVN alone and bgp-ovn in turns.
// Allowed is how many steps may be taken each time.
func (r registration) compare(t *testing.T, do func(context.Context) error, allowed int) {
	t.Helper()
	rounds := proof.Count(1, 10)
	var sentAlone, lostAlone, sent, lost, withdrawn int
	steps := 0
	alone := func() {
		s, l := r.alone(t, do)
		sentAlone, lostAlone = sentAlone+s, lostAlone+l
	}
	for round := range rounds {
		first := round%2 == 0 // the second of two loses more
		if first {
			alone()
		}
		gone := r.watch(t)
		taken := r.steps(t)
		s, l := r.losses(t, do)
		sent, lost = sent+s, lost+l
		settled(t)
		if list := taken(); len(list) > allowed {
			t.Logf("%d steps:\n%s", len(list), strings.Join(list, "\n"))
			steps += len(list) - allowed
		}
		if list := gone(); len(list) > 0 {
			t.Logf("the top of rack lost %v\n%s", list, shared.agents[r.node.Index-1].Tail(30))
			withdrawn += len(list)
		}
		if !first {
			alone()
		}
	}
	proof.Report(t, "%d times: OVN alone lost %d of %d packets at 5 ms, bgp-ovn %d of %d; withdrew %d, %d steps too many",
		rounds, lostAlone, sentAlone, lost, sent, withdrawn, steps)
	if withdrawn > 0 || lost > lostAlone+spread(lostAlone, rounds) {
		t.Errorf("OVN alone lost %d packets; bgp-ovn lost %d, and %d routes were withdrawn", lostAlone, lost, withdrawn)
	}
	if steps > 0 { // what bgp-ovn does not change, it does not lose
		t.Errorf("%d steps were taken beyond %d each time", steps, allowed)
	}
}

// steps lists the steps that bgp-ovn takes on the node until called, as kind, key and row.
// Left out are other addresses: while other nodes have not yet registered in a database that
// is built anew, ovn-controller binds their gateways here, and bgp-ovn follows it.
func (r registration) steps(t *testing.T) func() []string {
	t.Helper()
	client := shared.agents[r.node.Index-1].Client()
	last := uint64(0)
	for _, step := range harness.Must(client.History(t.Context(), history.Filter{}))(t).Steps {
		last = max(last, step.Round)
	}
	return func() []string {
		t.Helper()
		var list []string
		for _, step := range harness.Must(client.History(t.Context(), history.Filter{After: last}))(t).Steps {
			others := step.Prefix != nil && step.Kind != object.KindProxyNeigh.String() &&
				!slices.Contains(r.addrs, step.Prefix.Addr().String())
			if !others {
				list = append(list, fmt.Sprintf("%s %s %s (%s)", step.Verb, step.Kind, step.Key, step.Row))
			}
		}
		return list
	}
}

// losses counts what is lost while something happens to the node, until its ports are
// bound again.
func (r registration) losses(t *testing.T, do func(context.Context) error) (sent, lost int) {
	t.Helper()
	ctx := harness.Context(t, 2*time.Minute)
	var running []*lab.Traffic
	for _, addr := range r.addrs {
		running = append(running, traffic(t, addr))
	}
	harness.Check(t, do(ctx))
	for _, port := range r.ports {
		harness.Check(t, harness.Await(ctx, port+" to be bound again", func(ctx context.Context) (bool, error) {
			have, err := shared.Central.BoundTo(ctx, port)
			if err == nil && have != r.node.SystemID {
				err = fmt.Errorf("it is bound to %q", have)
			}
			return err == nil, err
		}))
	}
	harness.Check(t, shared.Central.Sync(ctx))
	for _, res := range outcome(t, running...) {
		sent, lost = sent+res.Sent, lost+res.Sent-res.Received
	}
	return sent, lost
}

// alone does the same without bgp-ovn: its wiring stays as it is, and static routes at
// the top of rack stand in for its announcements.
func (r registration) alone(t *testing.T, do func(context.Context) error) (sent, lost int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	a := shared.agents[r.node.Index-1]
	for _, addr := range r.addrs {
		harness.Check(t, shared.Tor.AddRoute(host(addr), peerAddr(r.node, addr)))
	}
	harness.Check(t, a.Kill())
	sent, lost = r.losses(t, do)
	harness.Check(t, a.Start(ctx))
	for _, addr := range []netip.Addr{r.node.Addr4, r.node.Addr6} {
		harness.Check(t, shared.Tor.AwaitPeer(ctx, addr))
	}
	settled(t)
	for _, addr := range r.addrs {
		harness.Check(t, shared.Tor.DeleteRoute(host(addr), peerAddr(r.node, addr)))
		at(t, addr, r.node)
	}
	return sent, lost
}

// watch lists the routes to the addresses that the top of rack loses, until called.
func (r registration) watch(t *testing.T) func() []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events := harness.Must(shared.Tor.WatchRoutes(ctx))(t)
	lost := make(chan []string, 1)
	go func() {
		var gone []string
		for e := range events {
			if e.Withdrawn && slices.Contains(r.addrs, e.Prefix.Addr().String()) {
				gone = append(gone, e.String())
			}
		}
		lost <- gone
	}()
	return func() []string { cancel(); return <-lost }
}
