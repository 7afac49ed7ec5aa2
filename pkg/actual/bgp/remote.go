package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	api "github.com/osrg/gobgp/v3/api"
)

const (
	// beginLimit bounds connecting and everything up to the first read.
	beginLimit = 10 * time.Second
	// The pause between attempts to connect grows from one to the other.
	minPause, maxPause = 50 * time.Millisecond, 2 * time.Second
)

// errMismatch is what no other attempt to connect will mend.
var errMismatch = errors.New("the speaker is somebody else")

// Dial returns a backend over a speaker in another process. It starts BGP there
// if nobody has, and otherwise finds everything of ours in place. One that is
// not there yet is no error: Read says so, and Changed is signalled once it is.
func Dial(cfg Config) (*Backend, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if _, err := socketPath(cfg.Socket); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	r := remote{&lineHolder{}}
	b := newBackend(cfg, r, newJournal(cfg.Logger))
	b.stop = b.withdraw
	ctx, cancel := context.WithCancel(context.Background())
	err := b.connect(ctx, cfg, r.line)
	if errors.Is(err, errMismatch) {
		cancel()
		return nil, err
	}
	if err == nil {
		b.first(ctx)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.stayConnected(ctx, cfg, r.line)
	}()
	b.unwatch = func() {
		cancel()
		<-done
	}
	return b, nil
}

// stayConnected follows the line and replaces it when it is lost.
func (b *Backend) stayConnected(ctx context.Context, cfg Config, h *lineHolder) {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		if l, _ := h.get(); l != nil {
			pause = minPause
			lost := b.follow(l)
			_ = l.close() // it is broken, or we are told to end
			h.set(nil, fmt.Errorf("the speaker at %s is gone: %w", cfg.Socket, lost))
			if ctx.Err() == nil {
				b.lost(lost)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if b.connect(ctx, cfg, h) == nil {
			b.wake()
		}
	}
}

// follow passes events on until the line is lost, and returns why.
func (b *Backend) follow(l *line) error {
	for {
		e, err := l.events.Recv()
		if err != nil {
			return said(err)
		}
		b.event(e)
	}
}

// lost forgets the sessions, which have ended with their speaker.
func (b *Backend) lost(why error) {
	b.log.Warn("the speaker is gone", slog.Any("err", why))
	for _, address := range b.words.known() {
		b.observe(address, Idle)
		b.words.forget(address)
	}
	b.wake()
}

// first reads what the speaker holds, so that the first change needs no read.
func (b *Backend) first(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beginLimit)
	defer cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refresh(ctx) != nil {
		b.mirror.unread = true // the next read will say why
	}
}

// connect makes a line and puts it in. Nothing else is going on with the
// speaker meanwhile, and what was known of the one before counts no more.
func (b *Backend) connect(ctx context.Context, cfg Config, h *lineHolder) error {
	limited, cancel := context.WithTimeout(ctx, beginLimit)
	defer cancel()
	l, err := dialLine(ctx, limited, cfg.Socket)
	if err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.mirror.unread, b.running = true, false
		if err = b.begin(limited, cfg, l.client); err != nil {
			_ = l.close() // the other error tells more
		}
	}
	if err == nil {
		h.set(l, nil)
		b.log.Info("connected to the speaker", slog.String("socket", cfg.Socket))
		return nil
	}
	if h.set(nil, err) && ctx.Err() == nil {
		b.log.Warn("no connection to the speaker; it is tried again", slog.String("socket", cfg.Socket), slog.Any("err", err))
	}
	return err
}

// begin starts BGP, or makes sure that it is the one that was asked for.
func (b *Backend) begin(ctx context.Context, cfg Config, c client) error {
	g, err := c.global(ctx)
	if err != nil {
		return err
	}
	b.idle = cfg.Attach && g.GetAsn() == 0
	switch {
	case cfg.Attach:
		return nil
	case g.GetAsn() == 0:
		if err := c.StartBgp(ctx, &api.StartBgpRequest{Global: cfg.global()}); err != nil {
			return fmt.Errorf("start BGP in the speaker: %w", err)
		}
	case g.GetAsn() != cfg.AS || g.GetRouterId() != cfg.RouterID.String():
		return fmt.Errorf("%w: at %s it has AS %d and router id %s, configured are AS %d and router id %s; restart it, or correct the configuration",
			errMismatch, cfg.Socket, g.GetAsn(), g.GetRouterId(), cfg.AS, cfg.RouterID)
	default:
		b.sameListener(g, cfg)
	}
	return b.ensurePolicy(ctx, c)
}

// sameListener says what a running speaker cannot change any more. GoBGP gives
// 179 back where it was told 0.
func (b *Backend) sameListener(have *api.Global, cfg Config) {
	port := cfg.ListenPort
	if port == 0 {
		port = 179
	}
	want := cfg.global().ListenAddresses
	if have.GetListenPort() != port || len(want) > 0 && !slices.Equal(have.GetListenAddresses(), want) {
		b.log.Warn("the speaker listens elsewhere until it is restarted",
			slog.Int("port", int(have.GetListenPort())), slog.Any("addresses", have.GetListenAddresses()))
	}
}

// ensurePolicy sets our export policy, unless it would decide about what others
// announce.
func (b *Backend) ensurePolicy(ctx context.Context, c client) error {
	names, action, err := c.exportPolicies(ctx)
	if err != nil {
		return fmt.Errorf("list the export policies: %w", err)
	}
	if slices.Contains(names, exportPolicyName) {
		return nil
	}
	foreign, err := c.foreignPeers(ctx)
	if err != nil {
		return fmt.Errorf("list peers: %w", err)
	}
	if len(names) > 0 || action == api.RouteAction_REJECT || foreign > 0 {
		b.log.Warn("the speaker is shared: its export policy is left to its owner, who has to keep learned paths from being passed on")
		return nil
	}
	return exportPolicy(ctx, c)
}
