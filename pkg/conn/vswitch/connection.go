// Package vswitch keeps a connection to the local Open_vSwitch database
// (ovs-vswitchd.conf.db(5)) by the stock libovsdb client, and hands its rows to
// whoever has a use for them: the source that observes it and the backend that
// keeps ports of ours in it. Both share one connection.
//
// It refuses to know what rows and columns mean. The cache of the client is not
// transactional and its events may be lost, so an event only means that the
// whole cache is to be read again once it has come to rest.
//
// Read next: session.go for one connection, tables.go for what is handed out,
// models.go for the tables and columns.
package vswitch

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"time"
)

// The defaults of Config.
const (
	DefaultEndpoint = "unix:/var/run/openvswitch/db.sock"
	DefaultTimeout  = 10 * time.Second
)

// The pause between two attempts to connect. The database is on this machine,
// so that frequent attempts cost little.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// A server that is silent is asked for a sign of life every echoPause and has echoLimit to
// give it, or Config.Timeout where that is less: one that hangs is noticed within the sum.
const (
	echoPause = 5 * time.Second
	echoLimit = 10 * time.Second
)

// Config is where the database is.
type Config struct {
	// Endpoint is unix:/absolute/path, tcp:host:port or ssl:host:port, and
	// DefaultEndpoint if it is empty.
	Endpoint string
	// TLS is needed for ssl endpoints.
	TLS *tls.Config
	// Timeout bounds connecting and every answer of the server.
	Timeout time.Duration
	// Logger is handed to the client; nil discards its messages.
	Logger *slog.Logger
}

// Follower is notified of what happens to a connection. All calls come from one
// goroutine and must not wait for anything.
type Follower interface {
	// Connected is called once the initial rows have come. The session can be
	// used until Disconnected.
	Connected(s *Session)
	// Rows is called with every complete state. The first one of a session
	// comes after Connected.
	Rows(t Tables)
	// Disconnected is called when a session has ended, and when an attempt to
	// connect has failed; not because of Close.
	Disconnected(err error)
}

// Connection is an endless attempt to be connected.
type Connection struct {
	cfg       Config
	followers []Follower
	stop      context.CancelFunc
	done      chan struct{}
}

// Start begins to connect and returns at once: a server that is not there is
// awaited for ever. Only a configuration that can never work is an error. It
// goes on until ctx ends or Close is called.
func Start(ctx context.Context, cfg Config, followers ...Follower) (*Connection, error) {
	if cfg.Endpoint == "" {
		cfg.Endpoint = DefaultEndpoint
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := checkEndpoint(cfg.Endpoint, cfg.TLS != nil); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	c := &Connection{cfg: cfg, followers: followers, stop: stop, done: make(chan struct{})}
	go c.run(ctx)
	return c, nil
}

// Close ends the connection; no follower is called after that.
func (c *Connection) Close() error {
	c.stop()
	<-c.done
	return nil
}

// run holds one session after the other. Each has a client of its own, because
// libovsdb's reconnection panics the process when it gives up and keeps rows
// that vanished meanwhile.
func (c *Connection) run(ctx context.Context) {
	defer close(c.done)
	pause := firstPause
	for ctx.Err() == nil {
		connected, err := c.session(ctx)
		if connected {
			pause = firstPause
		}
		if ctx.Err() != nil {
			return
		}
		for _, f := range c.followers {
			f.Disconnected(err)
		}
		wait(ctx, time.Duration(float64(pause)*(0.8+0.4*rand.Float64())))
		pause = min(2*pause, lastPause)
	}
}

// wait returns after d or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
