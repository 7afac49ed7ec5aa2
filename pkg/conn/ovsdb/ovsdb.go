// Package ovsdb follows a database of an OVSDB server (RFC 7047): it keeps a session
// with any member or relay of its cluster, applies every update as one step and
// publishes the rows as an immutable value. It knows no table: which tables and
// columns are read, and what rows become, is in a [wire.Database].
//
// libovsdb's client is not used, only its types of requests, for three reasons that
// were measured: it applies rows one by one, so that half a transaction can be
// seen; it stays silent when an update3 cannot be applied; and it needs several
// times the time and memory for a first copy.
//
// It refuses to write: nothing is ever sent but requests to read. It refuses to
// forget: while no server answers, the last rows stay readable, with the reason why they
// may be old.
//
// Read next: session.go for one connection, reconnect.go for what happens between
// two, package wire for the rows.
package ovsdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

// Config is where the database is and how to keep the session with it.
type Config struct {
	// Remotes are OVSDB addresses: unix:/path, tcp:host:port, ssl:host:port
	// (ovsdb(7)); any member of a cluster or relay. They are tried in a random
	// order, so that the nodes of a fleet spread over them.
	//
	// Without any, nothing is connected to before Retarget says where.
	Remotes []string
	// TLS is needed for ssl remotes.
	TLS TLS
	// Database is what servers call the database; the name that the
	// wire.Database has if empty.
	Database string
	// Probe is after how much silence the server is asked for a sign of life while it
	// is asked for a copy, which a busy one takes its time for; it has as long again to
	// answer. 60 s if zero, never if negative.
	Probe time.Duration
	// Echo is the same once the rows are in step with the server, so that one that hangs
	// is left after twice as long: what it had to tell comes with the next session without
	// another copy. DefaultEcho, or Probe where that is less, if zero.
	Echo time.Duration
	// BackoffMin and BackoffMax bound the pause after all remotes have been
	// tried in vain: 250 ms and 2 s if zero, with a jitter of 20 %.
	BackoffMin, BackoffMax time.Duration
	// MaxSize bounds one message of a server, and the text of all rows together, in
	// octets: DefaultMaxSize if zero. A server that sends more is left.
	MaxSize int64
	// MaxSizeKey names the setting that is MaxSize, for the error; "the limit" if
	// empty.
	MaxSizeKey string
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
}

// The defaults of Config.
const (
	DefaultProbe      = 60 * time.Second
	DefaultEcho       = 7500 * time.Millisecond
	DefaultBackoffMin = 250 * time.Millisecond
	DefaultBackoffMax = 2 * time.Second
	// DefaultMaxSize is enough for 300,000 ports: 100,000 have some 80 MB of text.
	DefaultMaxSize = 256 << 20
)

// Follower keeps the rows of one database current; DB holds those of one
// revision. Values of DB that were read are never changed.
type Follower[DB any] struct {
	db  *wire.Database[DB]
	cfg Config
	log *slog.Logger

	target target

	changed   chan struct{}
	latest    atomic.Pointer[DB]
	status    status
	endpoints endpoints
	cancel    context.CancelFunc
	done      chan struct{}

	view *View[DB] // nil follows all rows
	// poke makes the session that there is look at the view again; nil without one.
	poke  atomic.Pointer[func()]
	asked atomic.Bool // that it looks although the rows are the same

	// What follows belongs to the goroutine of run.
	store    *wire.Store[DB]
	since    string // last transaction id that store includes
	revision uint64
	cluster  cluster
	scope    Scope // what the rows of store were asked for by
	unscoped bool  // a server has refused conditions
	// unpublished says that store has news which Read does not return yet.
	unpublished bool
}

// Follow begins to follow a database. An error means that the configuration is
// wrong; servers that do not answer are tried until Close, or ctx ends.
func Follow[DB any](ctx context.Context, db *wire.Database[DB], cfg Config) (*Follower[DB], error) {
	return FollowPart(ctx, db, cfg, nil)
}

// FollowPart is Follow for the rows of a view; nil is all of them.
func FollowPart[DB any](
	ctx context.Context, db *wire.Database[DB], cfg Config, view *View[DB],
) (*Follower[DB], error) {
	remotes, err := usableRemotes(cfg.Remotes, cfg.TLS)
	if err != nil {
		return nil, err
	}
	cfg.Database = cmp.Or(cfg.Database, db.Name)
	cfg.fill()
	ctx, cancel := context.WithCancel(ctx)
	s := &Follower[DB]{
		db:      db,
		cfg:     cfg,
		log:     cfg.Logger.With("database", cfg.Database),
		view:    view,
		changed: make(chan struct{}, 1),
		cancel:  cancel,
		done:    make(chan struct{}),
	}
	s.target.init(remotes)
	go s.run(ctx)
	return s, nil
}

func (c *Config) fill() {
	if c.Probe == 0 {
		c.Probe = DefaultProbe
	}
	if c.Echo == 0 {
		c.Echo = min(DefaultEcho, c.Probe)
	}
	if c.BackoffMin <= 0 {
		c.BackoffMin = DefaultBackoffMin
	}
	if c.BackoffMax <= 0 {
		c.BackoffMax = DefaultBackoffMax
	}
	c.BackoffMax = max(c.BackoffMin, c.BackoffMax)
	if c.MaxSize <= 0 {
		c.MaxSize = DefaultMaxSize
	}
	c.MaxSizeKey = cmp.Or(c.MaxSizeKey, "the limit")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// Changed signals that Read may return something new.
func (s *Follower[DB]) Changed() <-chan struct{} { return s.changed }

// Read returns the newest rows. Before the first copy is complete the error wraps
// NotSynced of the database with what is waited for.
func (s *Follower[DB]) Read(context.Context) (*DB, error) {
	if rows := s.latest.Load(); rows != nil {
		return rows, nil
	}
	return nil, fmt.Errorf("%s: %w: %s", strings.ToLower(s.db.Title), s.db.NotSynced, s.status.missing())
}

// Close ends the session and waits for it. What was read stays readable.
func (s *Follower[DB]) Close() error {
	s.cancel()
	<-s.done
	return nil
}

// publish makes the rows of the store the newest.
func (s *Follower[DB]) publish() {
	s.unpublished = false
	rows := s.store.Publish()
	if s.view != nil {
		s.view.Set(rows, s.scope)
	}
	s.revision++
	*s.db.Head(rows).Revision = s.revision
	s.latest.Store(rows)
	s.signal()
}

// publishStale publishes why the newest rows may be old, or with an empty reason
// that they are not. The revision stays: the rows are the same.
func (s *Follower[DB]) publishStale(why string) {
	have := s.latest.Load()
	if have == nil || *s.db.Head(have).Stale == why {
		return
	}
	rows := *have
	*s.db.Head(&rows).Stale = why
	s.latest.Store(&rows)
	s.signal()
}

func (s *Follower[DB]) signal() {
	select {
	case s.changed <- struct{}{}:
	default: // a signal that was not received yet has the same effect
	}
}

// errClosed ends a session because Close was called, which is no fault.
var errClosed = errors.New("closed")
