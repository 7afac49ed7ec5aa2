package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/internal/proof"
)

const (
	// lengthVariable is how long TestProofSoak goes on, such as 60m.
	lengthVariable = "SOAK"
	// reportVariable is a file for the table and the curve.
	reportVariable = "SOAK_REPORT"

	pause      = 50 * time.Millisecond // between changes: twenty a second
	driftEvery = 25                    // changes, between two routes that another program deletes
	pingEvery  = 100 * time.Millisecond
	// serverEvery is how often the Southbound server is killed and comes back.
	serverEvery = 5 * time.Minute
)

// What grows by less than this is flat. Memory is judged only over an hour or so: of the
// short form no line can be drawn.
const (
	mostHeapSlope  = 64      // bytes a change
	mostResident   = 8 * mib // from the second quarter to the last
	mostGoroutines = 5
	worthJudging   = 30 * time.Minute
)

func length(t *testing.T) time.Duration {
	t.Helper()
	if text := os.Getenv(lengthVariable); text != "" {
		return harness.Must(time.ParseDuration(text))(t)
	}
	return time.Duration(proof.Count(20, 3600)) * time.Second
}

// Twenty changes a second for a long time, with routes that another program deletes and
// a database server that is killed: nothing that is steady is withdrawn or lost, in the
// end the node is what the database says, and memory, goroutines and descriptors are
// what they were.
func TestProofSoak(t *testing.T) {
	w := newWorld(t)
	foreign := w.foreign(t)
	before := foreign()
	w.settle(t)
	use := newUsage(w)
	quiet := harness.Must(use.sample(t.Context()))(t)
	withdrawn := w.watch(t)
	ping := harness.Must(w.Host.SendTraffic(netip.MustParseAddr(steady[0]), pingEvery))(t)

	took := length(t)
	c, counts := w.soak(t, use, took)

	w.settle(t)
	harness.Check(t, ping.AwaitAnswers(harness.Context(t, time.Minute), 5))
	lost := harness.Must(ping.Stop())(t)
	if !lost.Lossless() {
		t.Errorf("%d of %d echo requests were lost", lost.Sent-lost.Received, lost.Sent)
	}
	gone := withdrawn()
	if len(gone) > 0 {
		t.Errorf("the peer lost steady routes: %v", gone)
	}
	w.compare(t)
	if after := foreign(); after != before {
		t.Errorf("foreign objects are\n%s\nwant\n%s", after, before)
	}
	w.quietAgain(t, use, quiet)

	parts := c.windows(max(took/60, time.Second))
	judged := parts[len(parts)/6:] // the first ten minutes of an hour warm up
	if took >= worthJudging {
		flat(t, judged)
	}
	last := parts[len(parts)-1]
	proof.Report(t, "%s: %d changes, %d routes deleted by others, %d deaths of the database server; 0 of %d steady "+
		"routes withdrawn, %d of %d echo requests lost; heap %+.1f bytes a change, resident %.0f MiB at most, %.0f s CPU",
		took, last.changes, counts.drift, counts.deaths, len(steady), lost.Sent-lost.Received, lost.Sent, heapSlope(judged),
		slices.MaxFunc(parts, func(a, b window) int { return int(a.resident - b.resident) }).resident/mib, last.cpu)
	publish(t, c, took)
}

// counts are the disturbances beside the changes.
type counts struct{ drift, deaths int }

// soak makes changes at an even pace, and weighs the process every second.
func (w *world) soak(t *testing.T, use *usage, length time.Duration) (c curve, n counts) {
	t.Helper()
	began := time.Now()
	routes := rand.New(rand.NewPCG(seed, 1))
	nextServer, nextSample := serverEvery, time.Duration(0)
	for changes := 0; ; changes++ {
		at := time.Since(began)
		if at >= nextSample || at >= length {
			s := harness.Must(use.sample(t.Context()))(t)
			s.at, s.changes = at, changes
			c = append(c, s)
			nextSample += time.Second
		}
		if at >= length {
			return c, n
		}
		if at >= nextServer {
			w.killServer(t)
			n.deaths++
			nextServer += serverEvery
		}
		if changes%driftEvery == driftEvery-1 && w.deleteRoute(t, routes) {
			n.drift++
		}
		harness.Check(t, w.sb.change())
		// What a busy machine made late is caught up with.
		<-time.After(time.Until(began.Add(time.Duration(changes+1) * pause)))
	}
}

// killServer ends the Southbound server as a crash does, and starts it again.
func (w *world) killServer(t *testing.T) {
	t.Helper()
	harness.Check(t, w.Central.Southbound.Kill())
	harness.Check(t, w.Central.Southbound.Start(t.Context()))
	harness.Check(t, w.sb.dial())
}

// deleteRoute does what a careless program does: it deletes one of our routes, but none
// that traffic needs. It says whether there was one.
func (w *world) deleteRoute(t *testing.T, random *rand.Rand) bool {
	t.Helper()
	have := w.sb.announced()
	if len(have) == 0 {
		return false
	}
	p := have[random.IntN(len(have))]
	_, err := w.node.Run(t.Context(), "ip", "route", "del", p.String(), "table", "201")
	return err == nil // it may just not be there
}

// watch counts steady routes that the top of rack loses, until called.
func (w *world) watch(t *testing.T) func() []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events := harness.Must(w.Tor.WatchRoutes(ctx))(t)
	lost := make(chan []string, 1)
	go func() {
		var gone []string
		for e := range events {
			if e.Withdrawn && slices.Contains(steady, e.Prefix.Addr().String()) {
				gone = append(gone, e.String())
			}
		}
		lost <- gone
	}()
	return func() []string { cancel(); return <-lost }
}

// compare demands that routes and the peer's table are what the database says.
func (w *world) compare(t *testing.T) {
	t.Helper()
	want := w.sb.announced()
	for _, addr := range steady {
		want = append(want, netip.MustParsePrefix(addr+"/"+bits(addr)))
	}
	slices.SortFunc(want, comparePrefixes)
	harness.Eventually(t, time.Minute, func() string {
		var have []netip.Prefix
		for _, family := range []lab.Family{lab.IPv4, lab.IPv6} {
			for p := range harness.Must(w.Tor.Routes(t.Context(), family))(t) {
				have = append(have, p)
			}
		}
		slices.SortFunc(have, comparePrefixes)
		return differs("the peer", have, want)
	})
	harness.Eventually(t, time.Minute, func() string {
		var have []netip.Prefix
		for _, version := range []string{"-4", "-6"} {
			out := harness.Must(w.node.Run(t.Context(), "ip", version, "-o", "route", "show", "table", "201", "proto", "98"))(t)
			for line := range strings.Lines(out) {
				addr := strings.Fields(line)[0]
				if p, err := netip.ParsePrefix(addr); err == nil {
					have = append(have, p)
				} else {
					have = append(have, netip.MustParsePrefix(addr+"/"+bits(addr)))
				}
			}
		}
		slices.SortFunc(have, comparePrefixes)
		return differs("the kernel", have, want)
	})
}

func differs(who string, have, want []netip.Prefix) string {
	if slices.Equal(have, want) {
		return ""
	}
	only := func(a, b []netip.Prefix) []netip.Prefix {
		return slices.DeleteFunc(slices.Clone(a), func(p netip.Prefix) bool { return slices.Contains(b, p) })
	}
	return fmt.Sprintf("%s has %d routes, want %d; too many: %v; missing: %v", who, len(have), len(want),
		only(have, want), only(want, have))
}

// quietAgain demands that goroutines and descriptors come back to what they were.
func (w *world) quietAgain(t *testing.T, use *usage, before sample) {
	t.Helper()
	harness.Eventually(t, time.Minute, func() string {
		s := harness.Must(use.sample(t.Context()))(t)
		if s.goroutines <= before.goroutines+mostGoroutines && s.descriptors <= before.descriptors+mostGoroutines {
			return ""
		}
		return fmt.Sprintf("%.0f goroutines and %.0f descriptors, want about %.0f and %.0f", s.goroutines, s.descriptors,
			before.goroutines, before.descriptors)
	})
}

// flat demands that memory has not grown once the process was warm.
func flat(t *testing.T, ws []window) {
	t.Helper()
	if got := heapSlope(ws); got > mostHeapSlope {
		t.Errorf("the heap grows by %.1f bytes a change, want at most %d", got, mostHeapSlope)
	}
	third := len(ws) / 3
	peak := func(part []window) (most window) {
		for _, w := range part {
			most.resident, most.goroutines = max(most.resident, w.resident), max(most.goroutines, w.goroutines)
			most.descriptors = max(most.descriptors, w.descriptors)
		}
		return most
	}
	first, last := peak(ws[:third]), peak(ws[len(ws)-third:])
	if grown := last.resident - first.resident; grown > mostResident {
		t.Errorf("resident memory grew by %.1f MiB, want at most %d", grown/mib, mostResident/mib)
	}
	if last.descriptors > first.descriptors+mostGoroutines || last.goroutines > first.goroutines+mostGoroutines {
		t.Errorf("goroutines %.0f -> %.0f, descriptors %.0f -> %.0f", first.goroutines, last.goroutines, first.descriptors,
			last.descriptors)
	}
}

// publish prints the curve, and writes it where SOAK_REPORT says.
func publish(t *testing.T, c curve, took time.Duration) {
	t.Helper()
	parts := c.windows(max(took/30, time.Second))
	text := table(parts) + "\n" + plot(parts)
	t.Log("\n" + text)
	if path := os.Getenv(reportVariable); path != "" {
		harness.Check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		harness.Check(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

func comparePrefixes(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) }
