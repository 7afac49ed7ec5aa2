// Package rib is the source of [observe.Learned]: what neighbours announce to
// our speaker, unicast as far as the policy accepts it, and EVPN.
//
// It refuses to keep what it is told by events: an event is a reason to list
// the accepted prefixes again. It also refuses to say that nothing is announced
// before the sessions had the time to come up, because somebody would then take
// away routes that the process before us installed.
//
// Read next: Source.run.
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

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Speaker is what is asked of a BGP speaker; [*Table] is one.
type Speaker interface {
	Learned(ctx context.Context, within netip.Prefix, exact bool) ([]observe.LearnedPath, error)
	LearnedEVPN(ctx context.Context) ([]observe.EVPNRoute, error)
	Sessions(ctx context.Context) (all, up int, err error)
	WatchLearned(ctx context.Context, heard func(speaker.Heard)) (tells bool, err error)
}

// Resolver knows where routes of this node lead.
type Resolver interface {
	// NoRoute returns those of the addresses to which no route leads, in order.
	NoRoute(ctx context.Context, addrs []netip.Addr) ([]netip.Addr, error)
	// RoutesChanged is signalled when the answer may have changed.
	RoutesChanged() <-chan struct{}
}

// Config says what to follow.
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
	// announce everything, once there is one; 0 waits for nobody.
	Settle time.Duration
	Logger *slog.Logger
}

const (
	// gather is how long to wait for more after an event: a neighbour that
	// comes up sends its table in many messages.
	gather = 20 * time.Millisecond
	// impatient is how often to ask where no event says what is awaited: while
	// graceful restart keeps paths, while sessions are awaited, and of a
	// speaker that tells nothing.
	impatient = time.Second
	// patient is how often to ask otherwise.
	patient = 30 * time.Second
	// share bounds the part of the time that goes into asking: a pause is at
	// least so many times as long as asking took.
	share = 10
)

// Source follows one speaker.
type Source struct {
	cfg     Config
	log     *slog.Logger
	changed chan struct{}
	wake    chan struct{}
	stop    context.CancelFunc
	done    chan struct{}

	// due is what has to be listed again, as far as events say.
	due struct{ unicast, evpn atomic.Bool }

	// Of the goroutine that lists.
	tells bool
	since time.Time // when the first neighbour was seen; zero before
	fault string
	known listing // what was listed last

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
		state:  &observe.Learned{Revision: 1, Unsettled: "the speaker has not been asked yet"},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	tells, err := cfg.Speaker.WatchLearned(ctx, s.heard)
	if err != nil {
		stop()
		return nil, err
	}
	s.tells = tells
	go s.run(ctx)
	return s, nil
}

// Changed is signalled when Read may return something new.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Read returns what is known, at once and always: without a speaker nothing is
// learned, which is no reason to hold up everything else.
func (s *Source) Read(context.Context) (*observe.Learned, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, nil
}

// Accept changes which prefixes are of interest. What it adds is known a moment
// later.
func (s *Source) Accept(ranges []observe.PrefixRange) {
	s.mu.Lock()
	s.accept = ranges
	s.mu.Unlock()
	s.due.unicast.Store(true)
	signal(s.wake)
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

func (s *Source) run(ctx context.Context) {
	defer close(s.done)
	var routes <-chan struct{} // nil: never
	if s.cfg.EVPN && s.cfg.Resolver != nil {
		routes = s.cfg.Resolver.RoutesChanged()
	}
	all := true
	for {
		pause := s.look(ctx, all)
		event, ok := wait(ctx, pause, s.wake, routes)
		if !ok {
			return
		}
		if _, ok = wait(ctx, gather, nil, nil); !ok {
			return
		}
		all = !event // where nothing was said, anything may have happened
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

// look lists what has changed, or everything, and returns when to look again
// without an event.
func (s *Source) look(ctx context.Context, all bool) time.Duration {
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
			return patient
		}
		next = s.known // what was known stands
		unsettled = err.Error()
		s.due.unicast.Store(true)
		s.due.evpn.Store(true)
	}
	if fault := errText(err); fault != s.fault {
		s.fault = fault
		if fault != "" {
			s.log.Warn("learned paths cannot be listed; going on with what was known", "err", err)
		}
	}
	s.known = next
	s.publish(next, unsettled)
	if !s.tells || next.stale || unsettled != "" {
		return max(impatient, share*time.Since(began))
	}
	return patient
}

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
	next = s.known
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
	slices.SortFunc(out, compare)
	return slices.Compact(out), nil
}

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

// unsettled says why what is not announced may still come. The time begins to
// run with the first neighbour: before there is one, nobody had the chance.
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

// publish makes a new state if it is one.
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

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
