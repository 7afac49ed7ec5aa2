// Package bgp is the backend over a GoBGP speaker: it reads and changes the
// paths that originate here, unicast and EVPN, and the neighbours that they are
// sent to, and reports the state of the sessions. The speaker runs in this process (New) or
// in another one (Dial); package speaker has the connection. Of a speaker that
// others use too only what carries our marks is touched.
//
// It refuses to know what neighbours announce: that is an input of the next round
// and belongs to package rib under observe.
//
// Read next: path.go, evpn.go, peer.go, then apply.go and read.go; restart.go for
// graceful restart.
package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// DefaultDeferral is how long a restarting speaker waits for the End-of-RIB
// markers of its neighbours unless configured otherwise.
const DefaultDeferral = 10 * time.Second

// Config is the identity of the speaker, and how it is driven.
type Config struct {
	speaker.Config
	// Deferral is the Selection_Deferral_Timer of RFC 4724 section 4.1: how
	// long routes are held back after a restart for a neighbour that does not
	// send its End-of-RIB. It counts in whole seconds; 0 is DefaultDeferral.
	Deferral time.Duration
	// OnPeer is called with each change of a session's state, in order. It must
	// return quickly: what it holds up is kept in memory without a bound.
	OnPeer func(PeerEvent)
}

// Backend holds paths and peers in a speaker.
//
// GoBGP keeps some settings in package variables, so a program makes one Backend and
// keeps it.
type Backend struct {
	speaker  *speaker.Conn
	stop     func(context.Context) error
	deferral time.Duration
	log      *slog.Logger
	onPeer   func(PeerEvent)
	changed  chan struct{}
	unwatch  func()

	loops  loops
	memory memory
	// noPassword is why neighbours that connect cannot use a password, if so.
	noPassword error

	mu     sync.Mutex // guards what follows
	mirror mirror
	room   room
	// roomKept is the constant, but in tests.
	roomKept time.Duration
	// running is set once peers have been added: those that come later are
	// new and not restarting.
	running bool
	// idle is set when BGP does not run in the speaker: it holds nothing.
	idle bool
}

// New starts a speaker without paths or peers in this process.
func New(cfg Config) (*Backend, error) {
	if err := cfg.validateDeferral(); err != nil {
		return nil, err
	}
	conn, err := speaker.Start(cfg.Config)
	if err != nil {
		return nil, err
	}
	b := newBackend(cfg, conn)
	b.stop = func(ctx context.Context) error {
		b.unwatch()
		return conn.Stop(ctx)
	}
	b.noPassword = conn.NoPassword()
	if err := conn.Follow(b); err != nil {
		return nil, err
	}
	return b, nil
}

// Dial returns a backend over a speaker in another process. It starts BGP there
// if it does not run, and otherwise finds everything of ours in place. One that is
// not there yet is no error: Read returns why, and Changed is signalled once it is.
func Dial(cfg Config) (*Backend, error) {
	if err := cfg.validateDeferral(); err != nil {
		return nil, err
	}
	conn, err := speaker.Dial(cfg.Config)
	if err != nil {
		return nil, err
	}
	b := newBackend(cfg, conn)
	b.stop = b.withdraw
	if err := conn.Connect(b); err != nil {
		return nil, err
	}
	if conn.Ready() == nil {
		b.first()
	}
	if err := conn.Follow(b); err != nil {
		return nil, err
	}
	if !cfg.Attach { // what is only looked at is read when it is
		ctx, cancel := context.WithCancel(context.Background())
		stop := b.unwatch
		b.unwatch = func() {
			cancel()
			stop()
		}
		go b.inspect(ctx)
	}
	return b, nil
}

// first reads what the speaker holds, so that the first change needs no read.
func (b *Backend) first() {
	ctx, cancel := context.WithTimeout(context.Background(), speaker.BeginLimit)
	defer cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refresh(ctx) != nil {
		b.mirror.unread = true // the next read returns the cause
	}
}

func newBackend(cfg Config, conn *speaker.Conn) *Backend {
	b := &Backend{
		speaker:  conn,
		deferral: cfg.Deferral,
		log:      cfg.Logger,
		onPeer:   cfg.OnPeer,
		changed:  make(chan struct{}, 1),
		unwatch:  conn.Close,
		roomKept: roomKept,
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	if b.deferral == 0 {
		b.deferral = DefaultDeferral
	}
	return b
}

func (c Config) validateDeferral() error {
	if !c.Attach && (c.Deferral < 0 || c.Deferral > 0 && c.Deferral < time.Second) {
		return fmt.Errorf("deferral %s is under a second", c.Deferral)
	}
	return nil
}

// Conn is the connection to the speaker, for what reads from it besides.
func (b *Backend) Conn() *speaker.Conn { return b.speaker }

// Name is the backend's word in messages.
func (*Backend) Name() string { return "bgp" }

// Kinds are what the speaker holds.
func (*Backend) Kinds() []object.Kind {
	return []object.Kind{object.KindPath, object.KindEVPN, object.KindPeer}
}

// Changed is signalled when a session comes up or goes down, and when a speaker
// in another process comes or goes.
func (b *Backend) Changed() <-chan struct{} { return b.changed }

// Wake signals Changed.
func (b *Backend) Wake() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// Close stops watching and leaves the speaker as it is. Where it is inside this
// process, that is expected to exit: its sessions then end without a CEASE,
// which is what makes neighbours keep the routes (RFC 4724 section 4.2).
func (b *Backend) Close() error {
	b.unwatch()
	return nil
}

// Shutdown withdraws everything of ours: each neighbour gets a CEASE (RFC 4486)
// and drops our routes at once, graceful restart or not. The backend is of no
// use afterwards.
func (b *Backend) Shutdown(ctx context.Context) error {
	b.mu.Lock()
	err := b.stop(ctx)
	b.mirror = mirror{}
	b.mu.Unlock()
	b.unwatch()
	if err != nil {
		return fmt.Errorf("stop the speaker: %w", err)
	}
	return nil
}
