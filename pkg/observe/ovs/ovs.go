// Package ovs is the source of observe.OpenVSwitch: the local Open_vSwitch
// database, which ovn-controller and ovs-vswitchd write and this package only
// reads.
//
// It refuses to interpret what it finds: which bridges matter is for drivers.
//
// Read next: build.go for what is made of the rows, pkg/conn/vswitch for the
// tables and the connection.
package ovs

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The defaults of Config.
const (
	DefaultEndpoint = vswitch.DefaultEndpoint
	DefaultTimeout  = vswitch.DefaultTimeout
)

// Config is where the database is.
type Config struct {
	// Endpoint is unix:/absolute/path, tcp:host:port or ssl:host:port, and
	// DefaultEndpoint if it is empty.
	Endpoint string
	// TLS is needed for ssl endpoints.
	TLS *tls.Config
	// SystemID overrides external_ids:system-id, as ovn-controller's option -n
	// does.
	SystemID string
	// Timeout bounds connecting and every answer of the server.
	Timeout time.Duration
	// Logger receives changes of the connection; nil discards them.
	Logger *slog.Logger
	// Others share the connection.
	Others []vswitch.Follower
}

// Status is the state of the connection.
type Status struct {
	Connected bool
	// Since is when Connected last changed.
	Since time.Time
	// LastError is why the last connection ended or could not be made; nil
	// before the first failure. It outlives a reconnection.
	LastError error
}

// Source implements observe.Source[*observe.OpenVSwitch].
type Source struct {
	cfg     Config
	changed chan struct{}
	conn    *vswitch.Connection

	mu      sync.Mutex
	newest  *observe.OpenVSwitch
	missing string
	status  Status
}

var _ observe.Source[*observe.OpenVSwitch] = (*Source)(nil)

// Open starts following the database and returns at once: a server that is not
// there yet is awaited for ever. Only a configuration that can never work is an
// error. The source lives until ctx ends or Close is called.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	if cfg.Endpoint == "" {
		cfg.Endpoint = DefaultEndpoint
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Source{
		cfg:     cfg,
		changed: make(chan struct{}, 1),
		missing: "not connected yet",
		status:  Status{Since: time.Now()},
	}
	var err error
	s.conn, err = vswitch.Start(ctx, vswitch.Config{
		Endpoint: cfg.Endpoint, TLS: cfg.TLS, Timeout: cfg.Timeout,
		Logger: cfg.Logger,
	},
		append([]vswitch.Follower{follower{s}}, cfg.Others...)...)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Changed is signalled when Read may return something new.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Read returns the newest state, which must not be changed. While the server is
// away that is the last one known, marked stale.
func (s *Source) Read(context.Context) (*observe.OpenVSwitch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		return nil, fmt.Errorf("%s: %w: %s", s.cfg.Endpoint, observe.ErrNotSynced, s.missing)
	}
	return s.newest, nil
}

// Status returns the state of the connection.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Close ends the connection. Read keeps returning what it last did.
func (s *Source) Close() error {
	return s.conn.Close()
}

// follower keeps the methods by which rows come out of the source's own.
type follower struct{ *Source }

// Connected notes that rows are flowing. The snapshot stays stale until the
// first one of this session replaces it.
func (s follower) Connected(*vswitch.Session) {
	s.mu.Lock()
	s.status.Connected, s.status.Since = true, time.Now()
	s.missing = "connected, the initial rows are not complete yet"
	s.mu.Unlock()
	s.cfg.Logger.Info("connected to the Open_vSwitch database", "endpoint", s.cfg.Endpoint)
}

// Rows publishes what the rows say.
func (s follower) Rows(t vswitch.Tables) {
	if t.Root == nil {
		s.rootless()
		return
	}
	s.publish(build(t, s.cfg.SystemID))
}

// rootless deals with a database that has not been initialised.
func (s *Source) rootless() {
	const why = "table Open_vSwitch has no row"
	s.mu.Lock()
	s.missing = why
	newest := s.newest
	s.mu.Unlock()
	s.stale(newest, why)
}

// Disconnected notes the end of a session or of an attempt. The last state
// is published once more, as stale.
func (s follower) Disconnected(err error) {
	s.mu.Lock()
	was := s.status.Connected
	s.status.LastError = err
	s.missing = err.Error()
	if was {
		s.status.Connected, s.status.Since = false, time.Now()
	}
	newest := s.newest
	s.mu.Unlock()
	if !was {
		return
	}
	s.cfg.Logger.Warn("connection to the Open_vSwitch database lost", "endpoint", s.cfg.Endpoint, "err", err)
	s.stale(newest, fmt.Sprintf("disconnected since %s: %v", time.Now().UTC().Format(time.RFC3339), err))
}

// stale publishes the last state together with why it may be out of date.
func (s *Source) stale(known *observe.OpenVSwitch, why string) {
	if known == nil {
		return
	}
	old := *known
	old.Stale = why
	s.publish(&old)
}

// publish makes next the newest state unless nothing differs.
func (s *Source) publish(next *observe.OpenVSwitch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest != nil {
		next.Revision = s.newest.Revision
		if reflect.DeepEqual(next, s.newest) {
			return
		}
	}
	next.Revision++
	s.newest = next
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
