// Package flows is the source of [observe.Flows]: the flows that others have made on
// bridges, as far as they tell which addresses a bridge lets in. A bridge is read when its
// monitor tells of a change that may concern that, and not otherwise.
//
// It refuses to write, and to forget: while ovs-vswitchd does not answer, what was read
// last stays, with the reason why it may be old.
//
// Read next: [Open], then bridge.go.
package flows

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Config is what is followed.
type Config struct {
	Tool openflow.Tool
	// Bridges are the names of those to follow, asked again with each Read; false while
	// they are not known.
	Bridges func() ([]string, bool)
	// Grace is how long a bridge must be missing while ovs-vswitchd runs before it counts
	// as one without flows: three seconds if zero.
	Grace time.Duration
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
}

// Source keeps the flows of bridges current. It implements observe.Source[*observe.Flows].
type Source struct {
	cfg     Config
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	changed chan struct{}

	mu       sync.Mutex // guards the rest, and what bridges publish
	bridges  map[string]*bridge
	revision uint64
	fresh    bool // latest is what there is
	latest   *observe.Flows
	synced   bool // everything has been read once
}

var _ observe.Source[*observe.Flows] = (*Source)(nil)

// Open begins to follow the bridges until Close. Open vSwitch does not have to run.
func Open(cfg Config) *Source {
	cfg.Grace = cmp.Or(cfg.Grace, 3*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Source{cfg: cfg, changed: make(chan struct{}, 1), bridges: map[string]*bridge{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.choose()
	return s
}

// Close ends the monitors. What was read stays readable.
func (s *Source) Close() error {
	s.cancel()
	s.running.Wait()
	return nil
}

// Changed signals that Read may return something new.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Read returns the newest flows. Until every bridge has been read once the error wraps
// observe.ErrNotSynced with what is waited for.
func (s *Source) Read(context.Context) (*observe.Flows, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.choose() && !s.synced {
		return nil, fmt.Errorf("%w: the bridges of ovn-bridge-mappings are not known", observe.ErrNotSynced)
	}
	if !s.synced {
		var missing []string
		for _, name := range slices.Sorted(maps.Keys(s.bridges)) {
			if b := s.bridges[name]; !b.known {
				missing = append(missing, "bridge "+name+": "+cmp.Or(b.fault, "not read yet"))
			}
		}
		if len(missing) > 0 {
			return nil, fmt.Errorf("%w: %s", observe.ErrNotSynced, strings.Join(missing, "; "))
		}
		s.synced = true
	}
	if !s.fresh {
		s.build()
	}
	return s.latest, nil
}

// build makes the newest value.
func (s *Source) build() {
	s.revision++
	out := &observe.Flows{Revision: s.revision, Bridges: map[string][]observe.BridgeFlow{}}
	var stale []string
	for _, name := range slices.Sorted(maps.Keys(s.bridges)) {
		b := s.bridges[name]
		if b.known {
			out.Bridges[name] = b.list
		}
		if b.fault != "" {
			stale = append(stale, fmt.Sprintf("bridge %s cannot be read since %s: %s", name,
				b.since.UTC().Format(time.RFC3339), b.fault))
		}
	}
	out.Stale = strings.Join(stale, "; ")
	s.latest, s.fresh = out, true
}

// choose begins to follow bridges that are asked for, and ends that of others. False says
// that it is not known which these are. The caller holds mu.
func (s *Source) choose() bool {
	names, ok := s.cfg.Bridges()
	if !ok {
		return false
	}
	for name, b := range s.bridges {
		if !slices.Contains(names, name) {
			b.stop()
			delete(s.bridges, name)
			s.fresh = false
		}
	}
	for _, name := range names {
		if s.bridges[name] == nil && openflow.CheckBridge(name) == nil && s.ctx.Err() == nil {
			s.bridges[name] = s.follow(name)
			s.fresh = false
		}
	}
	return true
}

// touch says that what was read last is not the newest any more. The caller holds mu.
func (s *Source) touch() {
	s.fresh = false
	select {
	case s.changed <- struct{}{}:
	default: // a signal that was not received yet has the same effect
	}
}

// Status is how a bridge is followed.
type Status struct {
	Bridge string
	// Flows are those that are kept.
	Flows int
	// Reads is how often it was read.
	Reads uint64
	// Fault is why it cannot be read, since Since; empty if it can.
	Fault string
	Since time.Time
}

// Status returns how the bridges are followed, by name.
func (s *Source) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Status
	for _, name := range slices.Sorted(maps.Keys(s.bridges)) {
		b := s.bridges[name]
		st := Status{Bridge: name, Flows: len(b.list), Reads: b.reads, Fault: b.fault, Since: b.since}
		if !b.known && st.Fault == "" {
			st.Fault = "not read yet"
		}
		out = append(out, st)
	}
	return out
}
