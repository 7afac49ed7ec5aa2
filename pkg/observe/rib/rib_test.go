package rib

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table is a speaker that holds what a test puts in.
type table struct {
	mu       sync.Mutex
	paths    []observe.LearnedPath
	evpn     []observe.EVPNRoute
	all, up  int
	err      error
	heard    func(speaker.Heard)
	notifies bool
	// asked counts listings.
	asked struct{ unicast, evpn int }
}

func (s *table) LearnedEVPN(context.Context) ([]observe.EVPNRoute, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked.evpn++
	return slices.Clone(s.evpn), s.err
}

func (s *table) Learned(_ context.Context, within netip.Prefix, exact bool) ([]observe.LearnedPath, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked.unicast++
	var out []observe.LearnedPath
	for _, p := range s.paths {
		if p.Prefix == within || !exact && within.Overlaps(p.Prefix) {
			out = append(out, p)
		}
	}
	return out, s.err
}

func (s *table) Sessions(context.Context) (all, up int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all, s.up, s.err
}

func (s *table) WatchLearned(_ context.Context, heard func(speaker.Heard)) (bool, error) {
	s.heard = heard
	return s.notifies, nil
}

// set changes the table, and sends an event if it is one that notifies.
func (s *table) set(change func()) { s.change(speaker.Heard{Unicast: true}, change) }

func (s *table) change(h speaker.Heard, change func()) {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	if s.notifies {
		s.heard(h)
	}
}

func path(prefix, hop string, stale bool) observe.LearnedPath {
	return observe.LearnedPath{
		Prefix: netip.MustParsePrefix(prefix), NextHop: netip.MustParseAddr(hop), Peer: hop,
		Stale: stale,
	}
}

func open(t *testing.T, s *table, settle time.Duration, accept ...string) *Source {
	t.Helper()
	cfg := Config{Speaker: s, Settle: settle}
	for _, a := range accept {
		r, err := observe.ParsePrefixRange(a)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Accept = append(cfg.Accept, r)
	}
	src, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

// await waits for signals until the state is as demanded.
func await(t *testing.T, src *Source, what string, ok func(*observe.Learned) bool) *observe.Learned {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		l, err := src.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ok(l) {
			return l
		}
		select {
		case <-src.Changed():
		case <-deadline:
			t.Fatalf("%s: still %+v", what, l)
		}
	}
}

func count(n int) func(*observe.Learned) bool {
	return func(l *observe.Learned) bool { return len(l.Paths) == n }
}

func TestFollows(t *testing.T) {
	s := &table{notifies: true, all: 2, up: 2}
	src := open(t, s, 0, "0.0.0.0/0", "10.0.0.0/8 le 16", "10.1.0.0/16")
	await(t, src, "settled", func(l *observe.Learned) bool { return l.Unsettled == "" })
	s.set(func() {
		s.paths = []observe.LearnedPath{
			path("0.0.0.0/0", "192.0.2.2", false), path("0.0.0.0/0", "192.0.2.3", false),
			path("10.1.0.0/16", "192.0.2.2", false), path("10.1.1.0/24", "192.0.2.2", false),
			path("11.0.0.0/8", "192.0.2.2", false),
		}
	})
	before := await(t, src, "three paths, though two ranges overlap", count(3))
	s.set(func() {})
	s.set(func() { s.paths = s.paths[:1] })
	after := await(t, src, "one path", count(1))
	if len(before.Paths) != 3 || after.Revision <= before.Revision {
		t.Errorf("what was read has changed: %+v, then %+v", before, after)
	}
}

// What is accepted can change under way, without an event of the speaker.
func TestAccept(t *testing.T) {
	s := &table{notifies: true, all: 1, up: 1, paths: []observe.LearnedPath{
		path("0.0.0.0/0", "192.0.2.2", false), path("10.1.0.0/16", "192.0.2.2", false),
		path("10.2.0.0/16", "192.0.2.2", false),
	}}
	src := open(t, s, 0)
	if l := await(t, src, "nothing accepted",
		func(l *observe.Learned) bool { return l.Unsettled == "" }); len(l.Paths) != 0 {
		t.Errorf("learned %+v", l.Paths)
	}
	wide, err := observe.ParsePrefixRange("10.0.0.0/8 le 16")
	if err != nil {
		t.Fatal(err)
	}
	src.Accept([]observe.PrefixRange{wide})
	await(t, src, "the two of the range", count(2))
	src.Accept(nil)
	await(t, src, "nothing again", count(0))
}

// There is no event for the end of a graceful restart, and none at all from a speaker that
// is elsewhere.
func TestAsks(t *testing.T) {
	for _, notifies := range []bool{true, false} {
		s := &table{notifies: notifies, paths: []observe.LearnedPath{path("0.0.0.0/0", "192.0.2.2", notifies)}}
		src := open(t, s, 0, "0.0.0.0/0")
		await(t, src, "a path", count(1))
		s.mu.Lock()
		s.paths = nil
		s.mu.Unlock()
		await(t, src, "none", count(0))
	}
}

// Time runs from the first neighbour on, not from the start.
func TestSettles(t *testing.T) {
	s := &table{notifies: true}
	src := open(t, s, 100*time.Millisecond, "0.0.0.0/0")
	await(t, src, "nobody there", func(l *observe.Learned) bool {
		return l.Unsettled == "0 of 0 sessions are up; neighbours have 100ms to announce what they have"
	})
	s.set(func() { s.all, s.up = 2, 1 })
	await(t, src, "one is up", func(l *observe.Learned) bool {
		return l.Unsettled == "1 of 2 sessions are up; neighbours have 100ms to announce what they have"
	})
	await(t, src, "settled", func(l *observe.Learned) bool { return l.Unsettled == "" })
}

// The last listing stays valid while the speaker cannot be read, and is not held for
// certain.
func TestSpeakerAway(t *testing.T) {
	s := &table{notifies: true, paths: []observe.LearnedPath{path("0.0.0.0/0", "192.0.2.2", false)}}
	src := open(t, s, 0, "0.0.0.0/0")
	await(t, src, "a path", count(1))
	s.set(func() { s.err = errors.New("connection refused") })
	l := await(t, src, "unsettled", func(l *observe.Learned) bool { return l.Unsettled != "" })
	if len(l.Paths) != 1 {
		t.Errorf("got %+v, want the path that was listed before", l)
	}
	s.set(func() { s.err, s.paths = nil, nil })
	await(t, src, "settled again", func(l *observe.Learned) bool { return l.Unsettled == "" && len(l.Paths) == 0 })
}
