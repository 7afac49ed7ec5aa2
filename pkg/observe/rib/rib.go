// Package rib is the source of [observe.Learned]: what neighbours announce to
// our speaker, unicast as far as the policy accepts it, and EVPN.
//
// It keeps nothing from events: an event is a reason to list the accepted
// prefixes again. Nor does it report that nothing is announced before the
// sessions had the time to come up: the planner would then delete routes that
// the process before us installed.
//
// Read next: Source.run in rib.go, then unicast.go and evpn.go for what is read
// from the speaker.
package rib

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Speaker is what is read from a BGP speaker; [*Table] is one.
type Speaker interface {
	Learned(ctx context.Context, within netip.Prefix, exact bool) ([]observe.LearnedPath, error)
	LearnedEVPN(ctx context.Context) ([]observe.EVPNRoute, error)
	Sessions(ctx context.Context) (all, up int, err error)
	WatchLearned(ctx context.Context, heard func(speaker.Heard)) (notifies bool, err error)
}

// Resolver looks up the routes of this node.
type Resolver interface {
	// NoRoute returns those of the addresses to which no route leads, in order.
	NoRoute(ctx context.Context, addrs []netip.Addr) ([]netip.Addr, error)
	// RoutesChanged is signalled when the answer may have changed.
	RoutesChanged() <-chan struct{}
}

// Config is what to follow.
type Config struct {
	Speaker Speaker
	// Accept are the unicast prefixes of interest; see Source.Accept.
	Accept []observe.PrefixRange
	// EVPN follows the family l2vpn-evpn, too.
	EVPN bool
	// Resolver is asked for the next hops of EVPN; without one all are taken to
	// be reachable.
	Resolver Resolver
	// Settle is how long sessions may take to come up, and neighbours to
	// announce everything, once there is one; 0 does not wait.
	Settle time.Duration
	Logger *slog.Logger
}

const (
	// gather is how long to wait for more after an event: a neighbour that
	// comes up sends its table in many messages.
	gather = 20 * time.Millisecond
	// fastPoll is how often to list where no event comes: while graceful restart
	// keeps paths, while sessions are awaited, and with a speaker that does not
	// notify.
	fastPoll = time.Second
	// slowPoll is how often to list otherwise, in case an event was lost.
	slowPoll = 30 * time.Second
	// pauseFactor bounds the share of the time that listing takes: a pause is at
	// least so many times as long as the listing before it.
	pauseFactor = 10
)

// Source follows one speaker.
type Source struct {
	cfg     Config
	log     *slog.Logger
	changed chan struct{}
	wake    chan struct{}
	stop    context.CancelFunc
	done    chan struct{}

	// due is what has to be listed again because of events.
	due struct{ unicast, evpn atomic.Bool }

	// Only the goroutine that lists uses these.
	notifies bool
	since    time.Time // when the first neighbour was seen; zero before
	fault    string
	last     listing // what was listed last

	mu     sync.Mutex
	state  *observe.Learned
	accept []observe.PrefixRange
}

var _ observe.Source[*observe.Learned] = (*Source)(nil)

// Open begins to follow the speaker.
func Open(cfg Config) (*Source, error) {
	ctx, stop := context.WithCancel(context.Background())
	s := &Source{
		cfg: cfg, log: cfg.Logger, stop: stop, done: make(chan struct{}),
		changed: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		accept: cfg.Accept,
		state:  &observe.Learned{Revision: 1, Unsettled: "the speaker has not been read yet"},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	notifies, err := cfg.Speaker.WatchLearned(ctx, s.heard)
	if err != nil {
		stop()
		return nil, err
	}
	s.notifies = notifies
	go s.run(ctx)
	return s, nil
}

// Changed is signalled when Read may return something new.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Read returns the last listing, at once and always: without a speaker nothing is
// learned, which is no reason to hold up everything else.
func (s *Source) Read(context.Context) (*observe.Learned, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, nil
}

// Accept changes which prefixes are of interest. What it adds is listed a moment
// later.
func (s *Source) Accept(ranges []observe.PrefixRange) {
	s.mu.Lock()
	s.accept = ranges
	s.mu.Unlock()
	s.due.unicast.Store(true)
	signal(s.wake)
}

// Takes reports whether a prefix is in one of the accepted ranges.
func (s *Source) Takes(prefix netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.accept, func(r observe.PrefixRange) bool { return r.Contains(prefix) })
}

// Close ends the following.
func (s *Source) Close() error {
	s.stop()
	<-s.done
	return nil
}

// heard notes what an event was about.
func (s *Source) heard(h speaker.Heard) {
	if !h.Unicast && !(h.EVPN && s.cfg.EVPN) {
		return
	}
	if h.Unicast {
		s.due.unicast.Store(true)
	}
	if h.EVPN {
		s.due.evpn.Store(true)
	}
	signal(s.wake)
}

// run lists, waits and lists again until the context ends. It is the only goroutine that
// calls the speaker, so that a slow answer never holds up Read.
func (s *Source) run(ctx context.Context) {
	defer close(s.done)
	var routes <-chan struct{} // nil: never
	if s.cfg.EVPN && s.cfg.Resolver != nil {
		routes = s.cfg.Resolver.RoutesChanged()
	}
	all := true
	for {
		pause := s.relist(ctx, all)
		event, ok := wait(ctx, pause, s.wake, routes)
		if !ok {
			return
		}
		// Events that come during this pause need no listing of their own.
		if _, ok = wait(ctx, gather, nil, nil); !ok {
			return
		}
		all = !event // without an event, anything may have changed
	}
}

// wait waits for the end of a pause, or for a signal, which is an event; not ok
// if the context ends.
func wait(ctx context.Context, pause time.Duration, a, b <-chan struct{}) (event, ok bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, false
	case <-a:
		return true, true
	case <-b:
		return true, true
	case <-timer.C:
		return false, true
	}
}

// relist lists what has changed, or everything, and returns when to do so again
// without an event.
func (s *Source) relist(ctx context.Context, all bool) time.Duration {
	began := time.Now()
	// Signal and flags are taken before the listing: what comes during it counts
	// anew.
	select {
	case <-s.wake:
	default:
	}
	unicast, evpn := s.due.unicast.Swap(false), s.due.evpn.Swap(false)
	next, err := s.list(ctx, all || unicast, all || evpn)
	unsettled, sessions := s.unsettled(ctx)
	if err = errors.Join(err, sessions); err != nil {
		if ctx.Err() != nil {
			return slowPoll
		}
		next = s.last // the listing before stays valid
		unsettled = err.Error()
		s.due.unicast.Store(true)
		s.due.evpn.Store(true)
	}
	if fault := errText(err); fault != s.fault {
		s.fault = fault
		if fault != "" {
			s.log.Warn("cannot list learned paths; keeping those listed before", "err", err)
		}
	}
	s.last = next
	s.publish(next, unsettled)
	if !s.notifies || next.stale || unsettled != "" {
		return max(fastPoll, pauseFactor*time.Since(began))
	}
	return slowPoll
}

// errText makes errors comparable: each call of the speaker returns a new value.
func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// listing is what was listed.
type listing struct {
	paths   []observe.LearnedPath
	evpn    []observe.EVPNRoute
	noRoute []netip.Addr
	stale   bool
}

// list asks for what may have changed; the rest is as it was.
func (s *Source) list(ctx context.Context, unicast, evpn bool) (next listing, err error) {
	next = s.last
	if unicast {
		if next.paths, err = s.listUnicast(ctx); err != nil {
			return next, err
		}
	}
	if evpn && s.cfg.EVPN {
		if next.evpn, err = s.cfg.Speaker.LearnedEVPN(ctx); err != nil {
			return next, err
		}
	}
	if next.noRoute, err = s.noRoute(ctx, next.evpn); err != nil {
		return next, err
	}
	next.stale = slices.ContainsFunc(next.paths, func(p observe.LearnedPath) bool { return p.Stale }) ||
		slices.ContainsFunc(next.evpn, func(r observe.EVPNRoute) bool { return r.Stale })
	return next, nil
}

// listUnicast asks for each accepted range. Ranges may overlap.
func (s *Source) listUnicast(ctx context.Context) ([]observe.LearnedPath, error) {
	s.mu.Lock()
	accept := s.accept
	s.mu.Unlock()
	var out []observe.LearnedPath
	for _, r := range accept {
		paths, err := s.cfg.Speaker.Learned(ctx, r.Prefix, r.Exact())
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			if r.Contains(p.Prefix) {
				out = append(out, p)
			}
		}
	}
	sorting.Sort(out, compare)
	return slices.Compact(out), nil
}

// compare orders paths by prefix, next hop and neighbour. Equal tables then compare equal,
// whatever order GoBGP lists them in, and publish finds no change.
func compare(a, b observe.LearnedPath) int {
	if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
		return c
	}
	if c := a.Prefix.Bits() - b.Prefix.Bits(); c != 0 {
		return c
	}
	if c := a.NextHop.Compare(b.NextHop); c != 0 {
		return c
	}
	if c := a.LinkLocal.Compare(b.LinkLocal); c != 0 {
		return c
	}
	switch {
	case a.Peer < b.Peer:
		return -1
	case a.Peer > b.Peer:
		return 1
	}
	return 0
}

// unsettled returns why neighbours may still announce more; empty once Settle is over.
// The time begins with the first neighbour: before there is one, none could announce.
func (s *Source) unsettled(ctx context.Context) (string, error) {
	if s.cfg.Settle == 0 || !s.since.IsZero() && time.Since(s.since) >= s.cfg.Settle {
		return "", nil
	}
	all, up, err := s.cfg.Speaker.Sessions(ctx)
	if err != nil {
		return "", err
	}
	if all > 0 && s.since.IsZero() {
		s.since = time.Now()
	}
	return fmt.Sprintf("%d of %d sessions are up; neighbours have %s to announce what they have",
		up, all, s.cfg.Settle), nil
}

// publish makes a new state, with a new revision, if anything differs from the last.
func (s *Source) publish(t listing, unsettled string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Unsettled == unsettled && slices.Equal(s.state.Paths, t.paths) &&
		slices.Equal(s.state.EVPN, t.evpn) && slices.Equal(s.state.NoRoute, t.noRoute) {
		return
	}
	s.state = &observe.Learned{
		Revision: s.state.Revision + 1, Paths: t.paths, EVPN: t.evpn, NoRoute: t.noRoute, Unsettled: unsettled,
	}
	signal(s.changed)
}

// signal does not wait: one signal that is pending covers those that follow.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
