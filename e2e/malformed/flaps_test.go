package malformed_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
)

const (
	flapping  = 100  // neighbours that come and go
	flapPort  = 1791 // of the speaker in this process
	flapLimit = 1024 // octets of memory that a flap may cost
)

// usage is what a process holds.
type usage struct {
	heap                    uint64
	goroutines, descriptors int
}

// used is what this process holds after everything unused is freed.
func used(t *testing.T) usage {
	t.Helper()
	for range 3 { // what finalizers release is freed by the next collection
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return usage{m.HeapAlloc, runtime.NumGoroutine(), len(open)}
}

// TestProofFlaps: a hundred neighbours come, announce twenty prefixes and break the
// connection without a word, again and again. What the speaker holds afterwards does not
// grow with how often.
func TestProofFlaps(t *testing.T) {
	b, err := bgp.New(bgp.Config{Config: speaker.Config{
		AS: nodeAS, RouterID: nodeAddr, Listen: []netip.Addr{nodeAddr}, ListenPort: flapPort,
		Logger: slog.New(slog.DiscardHandler),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	n := &node{Backend: b}
	var addrs []netip.Addr
	for i := range flapping {
		addrs = append(addrs, attacker(i))
	}
	n.expect(t, addrs...)
	for range 2 { // until tables and buffers have the size that they keep
		flapAll(t, n, addrs)
	}
	before := used(t)
	rounds := proof.Count(1, 10)
	for range rounds {
		flapAll(t, n, addrs)
	}
	flaps := rounds * flapping
	var after usage
	harness.Eventually(t, 30*time.Second, func() string { // what ends a session takes its time
		after = used(t)
		grown := int64(after.heap) - int64(before.heap)
		switch {
		case after.goroutines > before.goroutines:
			return fmt.Sprintf("%d goroutines, %d before", after.goroutines, before.goroutines)
		case after.descriptors > before.descriptors:
			return fmt.Sprintf("%d descriptors, %d before", after.descriptors, before.descriptors)
		case grown > int64(flapLimit*max(flaps, 1000)): // of fewer the noise of the heap is more
			return fmt.Sprintf("%d octets more after %d flaps", grown, flaps)
		}
		return ""
	})
	proof.Report(t, "%d flaps of %d neighbours: heap %+d octets a flap, goroutines %d -> %d, descriptors %d -> %d",
		flaps, flapping, (int64(after.heap)-int64(before.heap))/int64(flaps), before.goroutines, after.goroutines,
		before.descriptors, after.descriptors)
}

// flapAll lets each neighbour have one session that brings routes and breaks.
func flapAll(t *testing.T, n *node, addrs []netip.Addr) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(addrs))
	for i, addr := range addrs {
		wg.Go(func() { errs[i] = flap(addr) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", addrs[i], err)
		}
	}
	harness.Eventually(t, 60*time.Second, func() string {
		return differs(n.learned("203.0.113.0/24"), "")
	})
}

// flap is one session. After the one before, the speaker lets nobody in for five seconds.
func flap(from netip.Addr) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var p *speakertest.Peer
	err := harness.Await(ctx, "a session of "+from.String(), func(ctx context.Context) (bool, error) {
		var err error
		p, err = speakertest.Dial(ctx, from, netip.AddrPortFrom(nodeAddr, flapPort))
		if err != nil {
			return false, err
		}
		if err = p.Establish(usualOpen(from)); err != nil {
			_ = p.Close()
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	defer p.Close()
	for i := range 20 {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(113 + i), 0}), 24)
		if err := p.Write(speakertest.UpdateMessage(speakertest.Usual(from, speakertest.AS), prefix)); err != nil {
			return err
		}
	}
	return nil
}
