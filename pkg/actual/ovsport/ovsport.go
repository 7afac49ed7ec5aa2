// Package ovsport is the backend for ports of our own on bridges of Open
// vSwitch: rows of the tables Port and Interface of the local Open_vSwitch
// database (ovs-vswitchd.conf.db(5)).
//
// A port is ours if its row carries external_ids:bgp-ovn. The mark is written
// by the very transaction that makes the port, so that nothing unmarked is ever
// left behind. A port of another owner under a name that we want is reported
// and never changed.
//
// A port of a device records the device's index in Interface.external_ids, and is made
// again where the device is: see ifindexKey.
//
// It refuses to make the device of a port that is not internal (the kernel
// backend does), to wait until ovs-vswitchd has made a port (the source of
// observe.OpenVSwitch sees the port's number come), and to connect: that is
// package vswitch's, and shared with that source.
//
// Read next: rows.go for what a port is in the database, read.go, apply.go.
package ovsport

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

var errStarting = errors.New("not connected yet")

// Backend implements actual.Backend for object.KindOVSPort.
type Backend struct {
	changed chan struct{}
	own     *vswitch.Connection // nil where the caller has the connection

	mu          sync.Mutex
	session     *vswitch.Session // nil while there is none
	unavailable error            // why there is none, or no rows
	tables      vswitch.Tables   // the newest rows, while unavailable is nil
	first       chan struct{}    // closed when the first attempt to connect has ended, either way
	applying    bool

	// index asks for the index of a device, 0 if there is none.
	index func(name string) (int, error)
	// behind is what cur_cfg of database on has not come to yet, 0 if it has, and letGo are the
	// ports that ovs-vswitchd has let go of then. Only Apply uses them.
	on     database
	behind int
	letGo  map[string]bool
	// gone are the names of ports that have been deleted, by us or others, since ovs-vswitchd was
	// last known to have done all that is in the database.
	gone map[string]bool

	asked   map[string]bool      // the names in focus of the last Read
	missing map[string]bool      // bridges that were not there when a port was to be made
	seen    map[string]portState // what the last Read or Apply left, see inspectTables
	set     object.Set           // of seen
}

var _ actual.Backend = (*Backend)(nil)

// New returns a backend whose Follower is to be handed to a connection.
func New() *Backend {
	return &Backend{
		changed: make(chan struct{}, 1), first: make(chan struct{}), unavailable: errStarting,
		index: deviceIndex, gone: map[string]bool{},
		asked: map[string]bool{}, missing: map[string]bool{}, seen: map[string]portState{},
	}
}

// Open returns a backend with a connection of its own, which lives until ctx
// ends or Close is called. A server that is not there is awaited for ever.
func Open(ctx context.Context, cfg vswitch.Config) (*Backend, error) {
	b := New()
	var err error
	if b.own, err = vswitch.Start(ctx, cfg, b.Follower()); err != nil {
		return nil, err
	}
	return b, nil
}

// Name is "ovsport".
func (b *Backend) Name() string { return "ovsport" }

// Kinds is ports alone.
func (b *Backend) Kinds() []object.Kind { return []object.Kind{object.KindOVSPort} }

// Changed is signalled when others changed a port of ours or under a name of
// ours, when a bridge has appeared for which a port could not be made, and when
// the connection is lost or back.
func (b *Backend) Changed() <-chan struct{} { return b.changed }

// Close ends the connection if it is the backend's own. Ports stay.
func (b *Backend) Close() error {
	if b.own == nil {
		return nil
	}
	return b.own.Close()
}

func (b *Backend) signal() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// Follower is what a connection has to call.
func (b *Backend) Follower() vswitch.Follower { return follower{b} }

type follower struct{ *Backend }

// Connected notes the session; it is of use once its first rows have come.
func (b follower) Connected(s *vswitch.Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session, b.tables = s, vswitch.Tables{}
	b.unavailable = errors.New("connected, the initial rows are not complete yet")
}

// Disconnected forgets the session and its rows: what has become of the ports
// cannot be known.
func (b follower) Disconnected(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session != nil {
		b.signal()
	}
	b.session, b.tables, b.unavailable = nil, vswitch.Tables{}, err
	b.finishFirst()
}

// Rows stores a new state, unless Apply has already seen a newer one.
func (b follower) Rows(t vswitch.Tables) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session == nil || t.Moment < b.tables.Moment {
		return
	}
	if b.unavailable != nil && b.finishFirst() {
		b.signal() // it is back
	}
	b.tables, b.unavailable = t, nil
	if !b.applying && b.differs(nil) {
		b.signal()
	}
}

// finishFirst ends the wait of the first Read and reports whether it had ended.
func (b *Backend) finishFirst() bool {
	select {
	case <-b.first:
		return true
	default:
		close(b.first)
		return false
	}
}

// current returns the session and why there may be none.
func (b *Backend) current() (*vswitch.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unavailable != nil {
		return nil, fmt.Errorf("no connection to the Open_vSwitch database: %w", b.unavailable)
	}
	return b.session, nil
}

// differs reports whether another owner changed what concerns us: a port that
// is not among those in done differs from what was seen, or a bridge has
// appeared that was missing.
func (b *Backend) differs(done map[string]bool) bool {
	found := false
	now := inspectTables(b.tables, b.asked)
	for name, h := range now {
		found = found || !done[name] && b.seen[name] != h
	}
	for name := range b.seen {
		_, there := now[name]
		found = found || !done[name] && !there
	}
	for _, br := range b.tables.Bridges {
		if b.missing[br.Name] {
			delete(b.missing, br.Name)
			found = true
		}
	}
	return found
}
