package soak_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/internal/proof"
)

const (
	trafficEvery = 5 * time.Millisecond
	// longestLife bounds how long a process lives once it has answered.
	longestLife = 800 * time.Millisecond
)

// The process is killed again and again under twenty changes a second: while it starts,
// before its sessions are up, and while it applies. The peer keeps what is steady, no
// packet to it is lost, objects of others stay byte for byte, and in the end kernel,
// flows and the peer's table are what the database says.
func TestProofKills(t *testing.T) {
	w := newWorld(t)
	foreign := w.foreign(t)
	before, flows := foreign(), w.flows(t)
	w.settle(t)
	withdrawn := w.watch(t)
	var running []*lab.Traffic
	for _, addr := range steady {
		harness.Check(t, w.Host.AwaitPing(t.Context(), netip.MustParseAddr(addr)))
		running = append(running, harness.Must(w.Host.SendTraffic(netip.MustParseAddr(addr), trafficEvery))(t))
	}
	for _, r := range running {
		harness.Check(t, r.AwaitAnswers(harness.Context(t, time.Minute), 10))
	}
	stop := w.churn(t)
	kills := proof.Count(5, 200)
	early := w.kill(t, kills)
	changes := stop()

	w.settle(t)
	w.compare(t)
	if res := harness.Must(w.agent.CLI(t.Context(), "audit"))(t); res.Exit != 0 {
		t.Errorf("audit ended with %d:\n%s%s", res.Exit, res.Out, res.Err)
	}
	sent, lost := 0, 0
	for _, r := range running {
		harness.Check(t, r.AwaitAnswers(harness.Context(t, time.Minute), 5))
		res := harness.Must(r.Stop())(t)
		sent, lost = sent+res.Sent, lost+res.Sent-res.Received
	}
	gone := withdrawn()
	// An end between the peer's Established and our first UPDATE costs what the peer had
	// marked as stale before (RFC 4724 section 4.2); no process can prevent that.
	unlucky := w.endedBeforeUpdates(t)
	if lost > 0 && len(gone) == 0 || len(gone) > unlucky {
		t.Errorf("%d of %d packets were lost; the peer lost %v; %d sessions ended before they had carried anything",
			lost, sent, gone, unlucky)
	}
	if after := foreign(); after != before {
		t.Errorf("foreign objects are\n%s\nwant\n%s", after, before)
	}
	if got := w.flows(t); got != flows {
		t.Errorf("flows are\n%s\nwant\n%s", got, flows)
	}
	proof.Report(t, "%d SIGKILLs, %d of them before the sessions were up, under %d changes: end state equal, foreign "+
		"objects equal, %d steady prefixes withdrawn, %d of %d packets at 5 ms lost; %d sessions ended between Established "+
		"and the first UPDATE", kills, early, changes, len(gone), lost, sent, unlucky)
}

// endedBeforeUpdates counts in the peer's log the sessions that ended before their
// End-of-RIB had come.
func (w *world) endedBeforeUpdates(t *testing.T) (unlucky int) {
	t.Helper()
	empty := map[string]bool{} // by neighbour: up, and nothing complete yet
	for line := range strings.Lines(harness.Must(w.Tor.BGPLog())(t)) {
		_, change, isChange := strings.Cut(line, "%ADJCHANGE: neighbor ")
		_, marker, isMarker := strings.Cut(line, "rcvd End-of-RIB for ")
		switch {
		case isMarker:
			_, from, _ := strings.Cut(marker, " from ")
			neighbour, _, _ := strings.Cut(from, " ")
			empty[neighbour] = false
		case isChange:
			neighbour, rest, _ := strings.Cut(change, "(")
			if strings.Contains(rest, " Down ") && empty[neighbour] {
				unlucky++
			}
			empty[neighbour] = strings.HasSuffix(strings.TrimSpace(rest), " Up")
		}
	}
	if len(empty) == 0 {
		t.Error("the peer has logged no session")
	}
	return unlucky
}

// kill ends the process that often and starts it again. Every other one dies before its
// sessions are up, which it counts.
func (w *world) kill(t *testing.T, kills int) (early int) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 2))
	for i := range kills {
		ctx := harness.Context(t, time.Minute)
		if i%2 == 0 {
			for _, addr := range []netip.Addr{w.node.Addr4, w.node.Addr6} {
				if err := w.Tor.AwaitPeer(ctx, addr); err != nil {
					t.Fatalf("kill %d: %v\n%s", i, err, w.agent.Tail(20))
				}
			}
		} else {
			early++
		}
		<-time.After(time.Duration(random.Int64N(int64(longestLife)))) // when it dies is chance
		harness.Check(t, w.agent.Kill())
		harness.Check(t, w.agent.Start(ctx))
	}
	for _, addr := range []netip.Addr{w.node.Addr4, w.node.Addr6} {
		harness.Check(t, w.Tor.AwaitPeer(harness.Context(t, time.Minute), addr))
	}
	return early
}

// churn makes changes until the returned function is called, which counts them.
func (w *world) churn(t *testing.T) (stop func() int) {
	t.Helper()
	quit, done := make(chan struct{}), make(chan error, 1)
	changes := 0
	go func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				done <- nil
				return
			case <-tick.C:
			}
			if err := w.sb.change(); err != nil {
				done <- err
				return
			}
			changes++
		}
	}()
	return func() int {
		close(quit)
		harness.Check(t, <-done)
		return changes
	}
}

// flows are ours on the provider bridge.
func (w *world) flows(t *testing.T) string {
	t.Helper()
	return harness.Must(w.node.Ofctl(t.Context(), "--no-stats", "dump-flows", "br-ex", "cookie=0x3e7/-1"))(t)
}
