package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	gobgpapi "github.com/osrg/gobgp/v4/api"
)

const (
	// BeginLimit bounds connecting, and the first read.
	BeginLimit = 10 * time.Second
	// The pause between attempts to connect grows from one to the other.
	minPause, maxPause = 50 * time.Millisecond, 2 * time.Second
)

// errMismatch is an error that another attempt to connect will not resolve: the running
// speaker has another AS or router id.
var errMismatch = errors.New("the running speaker is not the configured one")

// Connect makes the first connection. It starts BGP in the speaker if it does not run,
// and otherwise finds everything of ours in place. One that is not there yet is no
// error: Ready returns why, and Follow goes on trying.
func (c *Conn) Connect(owner Owner) error {
	if err := c.connect(owner); errors.Is(err, errMismatch) {
		c.cancel()
		return err
	}
	return nil
}

// stayConnected follows the connection and replaces it when it is lost.
func (c *Conn) stayConnected(owner Owner) {
	defer close(c.done)
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		if l, _ := c.line.get(); l != nil {
			pause = minPause
			lost := follow(l, owner)
			_ = l.close() // it is broken, or the context has ended
			c.line.set(nil, fmt.Errorf("the connection to the speaker at %s is lost: %w", c.cfg.Socket, lost))
			if c.ctx.Err() == nil {
				c.lost(owner, lost)
			}
		}
		select {
		case <-c.ctx.Done():
			return
		case <-time.After(time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))):
		}
		if c.connect(owner) == nil {
			owner.Wake()
		}
	}
}

// follow passes events on until the connection is lost, and returns why.
func follow(l *line, owner Owner) error {
	for {
		e, err := l.events.Recv()
		if err != nil {
			return plainError(err)
		}
		notify(owner, e)
	}
}

// lost forgets the sessions, which have ended with their speaker.
func (c *Conn) lost(owner Owner, why error) {
	c.log.Warn("the connection to the speaker is lost", slog.Any("err", why))
	for _, address := range c.Sessions.followed() {
		owner.Session(address, Idle)
		c.Sessions.Forget(address)
	}
	owner.Wake()
}

// connect makes a connection and puts it in while the owner does nothing else with
// the speaker.
func (c *Conn) connect(owner Owner) error {
	limited, cancel := context.WithTimeout(c.ctx, BeginLimit)
	defer cancel()
	l, err := dialLine(c.ctx, limited, c.cfg.Socket)
	if err == nil {
		err = owner.Renew(func() (idle bool, err error) {
			if idle, err = c.begin(limited, l.client); err != nil {
				return idle, errors.Join(err, l.close())
			}
			c.line.set(l, nil)
			return idle, nil
		})
	}
	if err == nil {
		c.log.Info("connected to the speaker", slog.String("socket", c.cfg.Socket))
		return nil
	}
	if c.line.set(nil, err) && c.ctx.Err() == nil {
		c.log.Warn("cannot connect to the speaker; retrying with backoff",
			slog.String("socket", c.cfg.Socket), slog.Any("err", err), slog.Duration("at_most_every", maxPause))
	}
	return err
}

// begin starts BGP, or makes sure that it is the one that was asked for.
func (c *Conn) begin(ctx context.Context, api client) (idle bool, err error) {
	g, err := api.global(ctx)
	if err != nil || c.cfg.Attach {
		return g.GetAsn() == 0, err
	}
	return false, c.setUp(ctx, api, g)
}

// setUp starts BGP as configured, or checks that it runs so already.
func (c *Conn) setUp(ctx context.Context, api client, g *gobgpapi.Global) error {
	cfg := c.cfg
	switch {
	case g.GetAsn() == 0:
		if err := api.StartBgp(ctx, &gobgpapi.StartBgpRequest{Global: cfg.global()}); err != nil {
			return fmt.Errorf("start BGP in the speaker: %w", err)
		}
	case g.GetAsn() != cfg.AS || g.GetRouterId() != cfg.RouterID.String():
		return fmt.Errorf("%w: %s has AS %d and router id %s, configured are AS %d and router id %s; restart it, "+
			"or correct the configuration", errMismatch, cfg.Socket, g.GetAsn(), g.GetRouterId(), cfg.AS, cfg.RouterID)
	default:
		c.sameListener(g)
	}
	return c.ensurePolicy(ctx, api)
}

// sameListener warns where the running speaker listens on another address or port than
// the configured one, which GoBGP cannot change. It reports 179 where 0 was configured.
func (c *Conn) sameListener(have *gobgpapi.Global) {
	port := c.cfg.ListenPort
	if port == 0 {
		port = 179
	}
	want := c.cfg.global().ListenAddresses
	if have.GetListenPort() != port || len(want) > 0 && !slices.Equal(have.GetListenAddresses(), want) {
		c.log.Warn("the speaker keeps its old listening address until it is restarted",
			slog.Int("port", int(have.GetListenPort())), slog.Any("addresses", have.GetListenAddresses()))
	}
}

// ensurePolicy sets our export policy, unless it would decide about what others
// announce.
func (c *Conn) ensurePolicy(ctx context.Context, api client) error {
	names, action, err := api.exportPolicies(ctx)
	if err != nil {
		return fmt.Errorf("list the export policies: %w", err)
	}
	if slices.Contains(names, exportPolicyName) {
		return nil
	}
	foreign, err := api.foreignPeers(ctx)
	if err != nil {
		return fmt.Errorf("list peers: %w", err)
	}
	if len(names) > 0 || action == gobgpapi.RouteAction_ROUTE_ACTION_REJECT || foreign > 0 {
		c.log.Warn("the speaker is shared: its export policy is left to its owner, who has to keep learned paths " +
			"from being passed on")
		return nil
	}
	return exportPolicy(ctx, api)
}
