// Package lookingpoint is a BGP session (RFC 4271) that receives and never announces: with
// a route server or a top of rack that sends everything it has, so that one can see from
// outside what has become of what this node announces.
//
// The session is not one of the speaker's, on purpose. What comes in on it gets into no
// table that anything is forwarded by; a message that GoBGP cannot bear ends this session
// and no other; a full table of the Internet passes by, and only what concerns prefixes of
// ours is kept. The messages are read and written by GoBGP's codec.
//
// A router may tell the same by BMP (RFC 7854) instead: then it connects to us, and says what
// it has taken from each of its neighbours.
//
// It refuses to announce anything, to accept BGP connections, and to judge what it has seen:
// package verify does.
//
// Read next: [Session], then message.go and store.go; bmp.go for BMP.
package lookingpoint

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// Config says how a looking point is reached.
type Config struct {
	// Remote is the looking point; its address has a zone if it is link-local.
	Remote netip.AddrPort
	// Local is our end; invalid leaves the choice to the kernel.
	Local netip.Addr
	// AS is the looking point's, LocalAS the one that we say is ours.
	AS, LocalAS uint32
	// RouterID is our BGP identifier on this session. It must not be that of the speaker: a
	// router does not send back to an identifier what it has from it.
	RouterID netip.Addr
	// Password is the TCP MD5 key (RFC 2385); empty for none.
	Password string
	// Allow is asked before each attempt to connect, with our end's address; nil allows all.
	Allow func(local netip.Addr) error
	// EVPN says that the family l2vpn-evpn is asked for, too.
	EVPN bool
	// BMP is where the router's BMP session (RFC 7854) is accepted, in place of a BGP session
	// with it; invalid for none. Of Remote only the address counts then.
	BMP netip.AddrPort
	// Retry is the pause before the second attempt to connect, which grows; 0 is 5 s.
	Retry  time.Duration
	Logger *slog.Logger
}

// The times of a session.
const (
	holdTime = 90 * time.Second
	// firstRetry and lastRetry bound the pause between attempts to connect.
	firstRetry = 5 * time.Second
	lastRetry  = time.Minute
	// handshakeTime bounds connecting and the exchange of OPEN messages.
	handshakeTime = 20 * time.Second
	// writeTime bounds sending one message.
	writeTime = 20 * time.Second
	// quiet is how long nothing comes after the first table of a router that does not mark
	// its end (RFC 4724 section 2), and longest how long such a table may take at most.
	quiet   = 10 * time.Second
	longest = 5 * time.Minute
	// refreshPause is the shortest time between two requests for everything (RFC 2918), and
	// refreshTime how long the answer takes where its end is not marked (RFC 7313).
	refreshPause = time.Minute
	refreshTime  = 30 * time.Second
)

// Status is how a session is.
type Status struct {
	// Established says that it is up, since Since; otherwise it is down since then.
	Established bool
	Since       time.Time
	// Err is why it is not up, or was lost last; or why what comes in cannot be gone by.
	Err error
	// Complete says that the looking point has sent everything that it has.
	Complete bool
	// Doubtful says that paths for what is announced since recently may have been
	// missed: they are asked for again.
	Doubtful bool
	// AddPath says that it sends all paths for an NLRI, not the best one only (RFC 7911).
	AddPath bool
	// Families are those that come on the session: what was agreed on, or what a router has told
	// of by BMP.
	Families []object.Family
	// Router is its BGP identifier, Local our end's address.
	Router, Local netip.Addr
	// Received counts the paths that came in since the session began, Kept those that are
	// kept.
	Received uint64
	Kept     int
	// Changed counts changes of what is kept, and of this status.
	Changed uint64
}

// Session is one session. Its methods may be called at any time.
type Session struct {
	cfg Config
	log *slog.Logger

	mu     sync.Mutex // guards what follows
	store  *store
	status Status
	// line is the connection while the session is up; nil otherwise.
	line *line
	// heard is when the last UPDATE came, ended which families' first tables have ended.
	heard time.Time
	ended map[bgp.Family]bool
	// refreshed is when everything was asked for again, answered what of it has come.
	refreshed time.Time
	answered  map[bgp.Family]bool
	said      string
}

// New makes a session that is not up yet.
func New(cfg Config) *Session {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Retry == 0 {
		cfg.Retry = firstRetry
	}
	return &Session{
		cfg: cfg, log: cfg.Logger.With("looking_point", cfg.Remote.String()), store: newStore(),
		status: Status{Since: time.Now(), Err: fmt.Errorf("it has not been connected yet")},
	}
}

// Run keeps the session up until ctx ends.
func (s *Session) Run(ctx context.Context) {
	if s.cfg.BMP.IsValid() {
		s.runBMP(ctx)
		return
	}
	pause := s.cfg.Retry
	for {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		s.down(err)
		if time.Since(began) > lastRetry {
			pause = s.cfg.Retry
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, lastRetry)
	}
}

// once connects, and receives until the session ends.
func (s *Session) once(ctx context.Context) error {
	conn, local, err := s.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	l := &line{conn: conn}
	if err := l.handshake(s.cfg); err != nil {
		return err
	}
	s.up(l, local)
	go l.keepAlive(ctx)
	return l.receive(s.take)
}

// up begins a session.
func (s *Session) up(l *line, local netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.store.reset()
	s.line, s.heard, s.ended, s.answered = l, now, map[bgp.Family]bool{}, map[bgp.Family]bool{}
	s.refreshed = time.Time{}
	s.status = Status{
		Established: true, Since: now, AddPath: len(l.options.AddPath) > 0, Families: namesOf(l.families),
		Router: l.router, Local: local, Changed: s.status.Changed + 1,
	}
	s.said = ""
	s.log.Info("looking point is connected", "identifier", l.router, "local", local, "add_path", s.status.AddPath)
}

// namesOf are families as they are configured.
func namesOf(list []bgp.Family) (out []object.Family) {
	for _, f := range list {
		if name, ok := speaker.FamilyOf(f); ok {
			out = append(out, name)
		}
	}
	return out
}

// down ends it. What was seen is void then.
func (s *Session) down(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = nil
	s.store.reset()
	since := s.status.Since
	if s.status.Established {
		since = time.Now()
	}
	s.status = Status{Since: since, Err: err, Changed: s.status.Changed + 1}
	if text := err.Error(); text != s.said { // not at each attempt
		s.said = text
		s.log.Warn("looking point is not connected; retrying with backoff", "err", err)
	}
}

// take takes in one message.
func (s *Session) take(m *bgp.BGPMessage, withdraw bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch body := m.Body.(type) {
	case *bgp.BGPUpdate:
		s.heard = time.Now()
		if end, family := body.IsEndOfRib(); end {
			s.ended[family] = true
			s.status.Changed++
			return
		}
		apply(body, func(h verify.Held, alive bool) {
			s.status.Received++
			s.store.update(h, alive && !withdraw)
		})
		s.status.Changed++
	case *bgp.BGPRouteRefresh:
		const end = 2 // EoRR, RFC 7313 section 4
		if body.Demarcation == end {
			s.answered[bgp.NewFamily(body.AFI, body.SAFI)] = true
		}
	}
}

// Want says which NLRI are of interest, in order; the list must not be changed any more.
func (s *Session) Want(sorted []verify.NLRI) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.want(sorted)
	s.status.Changed++
}

// Is says which paths certainly are this node's: what comes of them and is not wanted is kept,
// too, for Extra.
func (s *Session) Is(self verify.Self) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.store.self.Equal(self) {
		s.store.is(self)
		s.status.Changed++
	}
}

// Extra calls fn with what is held of this node's paths and not wanted, in no order.
func (s *Session) Extra(fn func(n verify.NLRI, held []verify.Held)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, list := range s.store.extra {
		fn(n, slices.Clone(list))
	}
}

// Tend is called from time to time, about once a second. It asks for everything again where
// paths may have been missed.
func (s *Session) Tend() {
	s.mu.Lock()
	s.store.tick()
	s.settle()
	ask := s.line
	missed := s.store.doubtful || s.store.unsure
	if again := ask != nil && ask.station && missed && time.Since(s.status.Since) > refreshPause; again {
		s.mu.Unlock()
		ask.conn.Close() // the router connects again, and sends everything
		return
	}
	if !missed || ask == nil || !ask.refreshes || !s.refreshed.IsZero() &&
		time.Since(s.refreshed) < refreshPause {
		ask = nil
	} else {
		s.refreshed = time.Now()
		clear(s.answered)
	}
	s.mu.Unlock()
	if ask != nil {
		ask.refresh()
	}
}

// settle ends the doubt once everything has come again. The caller holds mu.
func (s *Session) settle() {
	if !s.store.doubtful && !s.store.unsure || s.refreshed.IsZero() || s.line == nil {
		return
	}
	if s.all(s.answered) || !s.line.marksRefresh && time.Since(s.refreshed) > refreshTime {
		s.store.doubtful, s.store.unsure = false, false
		s.status.Changed++
	}
}

// all reports whether something holds for each family of the session. The caller holds mu.
func (s *Session) all(done map[bgp.Family]bool) bool {
	return !s.line.station && !slices.ContainsFunc(s.line.families, func(f bgp.Family) bool { return !done[f] })
}

// Status is how the session is now.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	out := s.status
	out.Families = slices.Clone(out.Families)
	if s.line != nil {
		now := time.Now()
		out.Complete = s.all(s.ended) || now.Sub(s.heard) > quiet || now.Sub(out.Since) > longest
		out.Complete = out.Complete && out.Err == nil
	}
	out.Doubtful = s.store.doubtful
	for _, m := range s.store.tables() {
		for _, list := range m {
			out.Kept += len(list)
		}
	}
	return out
}

// View calls fn with what is held for each NLRI, all of one moment.
func (s *Session) View(list []verify.NLRI, fn func(i int, exact []verify.Held, cover *verify.Held)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range list {
		exact := s.store.exact[n]
		var cover *verify.Held
		if len(exact) == 0 {
			cover = s.store.cover(n)
		}
		fn(i, slices.Clone(exact), cover)
	}
}

// LocalOf is the address of this node that the kernel chooses towards another one. Nothing is sent.
func LocalOf(remote netip.Addr) (netip.Addr, error) {
	conn, err := net.Dial("udp", netip.AddrPortFrom(remote, bgp.BGP_PORT).String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}
