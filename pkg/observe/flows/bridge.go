package flows

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// A bridge is read at once after a change, and again only after several times as long as
// that took: in a burst of changes, reading takes a fifth of a core at most.
const (
	restShare = 4
	restLeast = 20 * time.Millisecond
	restMost  = 5 * time.Second
	// retry is how long to wait before another try to read it.
	retry = time.Second
)

// bridge is one that is followed. It implements openflow.Watcher.
type bridge struct {
	s     *Source
	name  string
	stop  context.CancelFunc
	dirty chan struct{} // what is known may be old

	// What follows is guarded by s.mu.
	list    []observe.BridgeFlow
	known   bool
	reads   uint64
	fault   string
	since   time.Time
	missing time.Time // since when it has been missing without a break
	// attached says that the monitor tells of changes.
	attached bool
}

func (s *Source) follow(name string) *bridge {
	ctx, stop := context.WithCancel(s.ctx)
	b := &bridge{s: s, name: name, stop: stop, dirty: make(chan struct{}, 1)}
	m := &openflow.Monitor{Tool: s.cfg.Tool, Bridge: name, Log: s.cfg.Logger.With("bridge", name), Watcher: b}
	s.running.Go(func() { m.Run(ctx) })
	s.running.Go(func() { b.run(ctx) })
	return b
}

// run reads the bridge whenever it may have changed.
func (b *bridge) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.dirty:
		}
		began := time.Now()
		out, err := b.s.cfg.Tool.Dump(ctx, b.name)
		if ctx.Err() != nil {
			return
		}
		rest := min(max(restShare*time.Since(began), restLeast), restMost)
		if err != nil {
			if !errors.Is(err, openflow.ErrNoBridge) { // which may be a restart, see Absent
				b.failed(err.Error())
			}
			rest = retry
			b.again()
		} else {
			b.read(parse(out))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

// parse keeps the flows that tell of destinations.
func parse(out []byte) []observe.BridgeFlow {
	var list []observe.BridgeFlow
	for line := range bytes.Lines(out) {
		if f, ok := observe.ParseBridgeFlow(string(bytes.TrimSpace(line))); ok {
			list = append(list, f)
		}
	}
	return observe.SortBridgeFlows(list)
}

// read takes up what the bridge has.
func (b *bridge) read(list []observe.BridgeFlow) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.reads++
	if b.known && b.fault == "" && slices.Equal(b.list, list) {
		return
	}
	if b.fault != "" {
		b.s.cfg.Logger.Info("the flows of a bridge can be read again", "bridge", b.name)
	}
	b.list, b.known, b.fault, b.since = list, true, "", time.Time{}
	b.s.touch()
}

// failed says why the bridge cannot be read: what is known of it stays.
func (b *bridge) failed(why string) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.fault == why {
		return
	}
	if b.fault == "" {
		b.since = time.Now()
	}
	b.s.cfg.Logger.Warn("the flows of a bridge cannot be read: what is known of them stays", "bridge", b.name, "err", why)
	b.fault = why
	b.s.touch()
}

// again has the bridge read once more, unless its monitor does that when it is back.
func (b *bridge) again() {
	b.s.mu.Lock()
	attached := b.attached
	b.s.mu.Unlock()
	if attached {
		b.mark()
	}
}

// mark has the bridge read.
func (b *bridge) mark() {
	select {
	case b.dirty <- struct{}{}:
	default:
	}
}

// Attached is called once every later change is told of.
func (b *bridge) Attached() {
	b.s.mu.Lock()
	b.missing, b.attached = time.Time{}, true
	b.s.mu.Unlock()
	b.mark()
}

// Changed is called for a change. Whatever has a destination may be one that counts.
func (b *bridge) Changed(line string) {
	if !strings.Contains(line, "table=") || strings.Contains(line, "table=0 ") {
		for _, field := range []string{"nw_dst=", "ipv6_dst=", "arp_tpa=", "nd_target="} {
			if strings.Contains(line, field) {
				b.mark()
				return
			}
		}
	}
}

// Missed is called when changes may not have been told of.
func (b *bridge) Missed() { b.mark() }

// Detached is called when nothing is told of any more.
func (b *bridge) Detached() {
	b.s.mu.Lock()
	b.attached = false
	b.s.mu.Unlock()
	b.failed("ovs-vswitchd has gone away")
}

// Absent is called again and again while the bridge does not answer. One that was deleted
// has no flows.
func (b *bridge) Absent(gone bool) {
	const away = "ovs-vswitchd does not answer"
	b.s.mu.Lock()
	if !gone {
		b.missing = time.Time{}
		b.s.mu.Unlock()
		b.failed(away)
		return
	}
	if b.missing.IsZero() {
		b.missing = time.Now()
	}
	deleted := time.Since(b.missing) >= b.s.cfg.Grace
	b.s.mu.Unlock()
	if deleted {
		b.read(nil)
	}
}
