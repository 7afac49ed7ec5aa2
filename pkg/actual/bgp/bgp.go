// Package bgp is the backend over a GoBGP speaker: it reads and changes the
// paths that originate here, unicast and EVPN, and the neighbours that they are
// sent to, and says how the sessions are. The speaker runs in this process (New), or in another
// one (Dial) that keeps the sessions up while this one restarts: one of ours
// (Serve) or anybody's gobgpd, of which only what carries our marks is touched.
//
// It refuses to be a router: what a neighbour announces is never passed on to
// another one, and what it learns is an input of the next round (Learned) and
// nothing else. It also refuses to end the sessions when it is closed, because neighbours that support graceful
// restart (RFC 4724) then keep forwarding to this node until it is back.
//
// Read next: path.go, evpn.go, peer.go, then apply.go and read.go; for the second
// form mark.go and remote.go.
package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// DefaultDeferral is how long a restarting speaker waits for the End-of-RIB
// markers of its neighbours unless the configuration says otherwise.
const DefaultDeferral = 10 * time.Second

// Config says who the speaker is.
type Config struct {
	// Socket is where Dial finds the speaker: unix: and an absolute path.
	Socket string
	// Attach takes the speaker that Dial finds as it is, whoever it is, and
	// does not start BGP in it. Nothing below is needed then.
	Attach bool
	// AS is the local autonomous system number (RFC 6793).
	AS uint32
	// RouterID is the BGP Identifier, an IPv4 address (RFC 6286).
	RouterID netip.Addr
	// Listen are the addresses to accept sessions on; none stands for all.
	Listen []netip.Addr
	// ListenPort is the TCP port to accept sessions on: 0 is 179, -1 is none.
	ListenPort int32
	// Deferral is the Selection_Deferral_Timer of RFC 4724 section 4.1: how
	// long routes are held back after a restart for a neighbour that does not
	// send its End-of-RIB. It counts in whole seconds; 0 is DefaultDeferral.
	Deferral time.Duration
	// Logger takes the speaker's messages; nil is slog.Default.
	Logger *slog.Logger
	// OnPeer is told of each change of a session's state, in order. It must
	// return quickly: what it holds up is kept in memory without a bound.
	OnPeer func(PeerEvent)
}

// Backend holds paths and peers in a speaker.
//
// GoBGP keeps some settings in package variables and its main loop has no end,
// so a program makes one Backend and keeps it.
type Backend struct {
	speaker  speaker
	stop     func(context.Context) error
	deferral time.Duration
	log      *slog.Logger
	words    *journal
	onPeer   func(PeerEvent)
	changed  chan struct{}
	unwatch  context.CancelFunc

	// keyless is why neighbours that connect cannot use a password, if so.
	keyless error

	mu     sync.Mutex // guards what follows
	mirror mirror
	// running is set once peers have been added: those that come later are
	// new and not restarting.
	running bool
	// malformed are EVPN paths of neighbours that have been complained about.
	malformed map[string]error
	// idle is set when BGP does not run in the speaker: it holds nothing.
	idle bool
}

// New starts a speaker without paths or peers in this process.
func New(cfg Config) (*Backend, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	words := newJournal(cfg.Logger)
	server, err := startServer(cfg, words)
	if err != nil {
		return nil, err
	}
	b := newBackend(cfg, server, words)
	b.stop = func(ctx context.Context) error {
		b.unwatch() // a watcher may hold up the end
		return stopServer(ctx, server)
	}
	b.keyless = keyless(cfg.ListenPort)
	if err := b.watch(server); err != nil {
		return nil, err
	}
	return b, nil
}

func newBackend(cfg Config, s speaker, words *journal) *Backend {
	b := &Backend{
		speaker:  s,
		deferral: cfg.Deferral,
		log:      cfg.Logger,
		words:    words,
		onPeer:   cfg.OnPeer,
		changed:  make(chan struct{}, 1),
	}
	if b.deferral == 0 {
		b.deferral = DefaultDeferral
	}
	return b
}

// validate finds what GoBGP would refuse later, or take for something else.
func (c Config) validate() error {
	switch {
	case c.Attach:
		return nil
	case c.AS == 0:
		return fmt.Errorf("local AS 0 is reserved (RFC 7607)")
	case !c.RouterID.Is4() || c.RouterID.IsUnspecified():
		return fmt.Errorf("router id %s is not an IPv4 address", c.RouterID)
	case c.ListenPort < -1 || c.ListenPort > 65535:
		return fmt.Errorf("listen port %d is out of range", c.ListenPort)
	case c.Deferral < 0 || c.Deferral > 0 && c.Deferral < time.Second:
		return fmt.Errorf("deferral %s is under a second", c.Deferral)
	}
	return nil
}

// Name is the backend's word in messages.
func (*Backend) Name() string { return "bgp" }

// Kinds are what the speaker holds.
func (*Backend) Kinds() []object.Kind {
	return []object.Kind{object.KindPath, object.KindEVPN, object.KindPeer}
}

// Changed is signalled when a session comes up or goes down, and when a speaker
// in another process comes or goes.
func (b *Backend) Changed() <-chan struct{} { return b.changed }

func (b *Backend) wake() {
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
