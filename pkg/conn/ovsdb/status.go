package ovsdb

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// Status is the state of a session, for operators and metrics.
type Status struct {
	// Remote is the server we are connected to; empty if none.
	Remote string
	// Since is when the connection was made, or lost.
	Since time.Time
	// Synced is set when the rows are in step with the server.
	Synced bool
	// SyncedAt is when they last came to be.
	SyncedAt time.Time
	// Method is how the database is monitored: monitor_cond_since, monitor_cond
	// or monitor.
	Method string
	// Schema is the version of the server's schema.
	Schema string
	// Errors is why each remote was last left or refused, by remote, sorted.
	// Those of a remote end with a successful copy from it.
	Errors []RemoteError
	// LastError is the newest of all times; it stays.
	LastError string
	Counters
}

// RemoteError is why a remote was left or refused.
type RemoteError struct {
	Remote string
	Err    string
	At     time.Time
}

// Counters only ever grow.
type Counters struct {
	Connects     uint64 // connections made
	Copies       uint64 // whole copies of the database
	Found        uint64 // reconnections that needed only what was missed
	Transactions uint64 // updates applied
	Bytes        uint64 // received
}

// status is the changing form of Status.
type status struct {
	mu    sync.Mutex
	now   Status
	trial string // the remote that is being tried
	// noRemote is why there is none.
	noRemote string
	bytes    atomic.Uint64
}

// Status returns the state of the session.
func (s *Follower[DB]) Status() Status {
	s.status.mu.Lock()
	defer s.status.mu.Unlock()
	out := s.status.now
	out.Bytes = s.status.bytes.Load()
	out.Errors = slices.Clone(out.Errors)
	return out
}

func (s *status) update(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.now)
}

func (s *status) connecting(remote string) {
	s.update(func(*Status) { s.trial = remote })
}

// connected is the first of two steps: there is a connection, and not yet a copy.
func (s *status) connected(remote string, at time.Time) {
	s.update(func(now *Status) {
		now.Remote, now.Since = remote, at
		now.Connects++
	})
}

// synced is the second: the rows are those of the server, and what went wrong with it
// before is of no interest any more.
func (s *status) synced(method, schema string, at time.Time) {
	s.update(func(now *Status) {
		now.Synced, now.SyncedAt, now.Method, now.Schema = true, at, method, schema
		now.forget(now.Remote)
	})
}

func (s *status) copied()  { s.update(func(now *Status) { now.Copies++ }) }
func (s *status) found()   { s.update(func(now *Status) { now.Found++ }) }
func (s *status) applied() { s.update(func(now *Status) { now.Transactions++ }) }

// retargeted forgets what went wrong with servers that are no remotes any more.
func (s *status) retargeted(remotes []string, missing string) {
	s.update(func(now *Status) {
		s.trial, s.noRemote = "", missing
		now.Errors = slices.DeleteFunc(now.Errors, func(e RemoteError) bool { return !slices.Contains(remotes, e.Remote) })
		if len(remotes) == 0 {
			now.LastError = missing
		}
	})
}

// lost reports whether the reason is another than the last time.
func (s *status) lost(remote string, err error) (news bool) {
	s.update(func(now *Status) {
		news = !slices.ContainsFunc(now.Errors, func(e RemoteError) bool {
			return e.Remote == remote && e.Err == err.Error()
		})
		at := time.Now()
		if now.Remote != "" {
			now.Remote, now.Since = "", at
		}
		now.Synced = false
		now.LastError = remote + ": " + err.Error()
		now.forget(remote)
		now.Errors = append(now.Errors, RemoteError{remote, err.Error(), at})
		sorting.Sort(now.Errors, func(a, b RemoteError) int { return strings.Compare(a.Remote, b.Remote) })
	})
	return news
}

// forget removes the error of a remote: there is at most one of each.
func (now *Status) forget(remote string) {
	now.Errors = slices.DeleteFunc(now.Errors, func(e RemoteError) bool { return e.Remote == remote })
}

// missing returns what the first copy is waiting for.
func (s *status) missing() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noRemote != "" {
		return s.noRemote
	}
	var words []string
	if s.now.Remote != "" {
		words = append(words, fmt.Sprintf("reading from %s (%d bytes so far)", s.now.Remote, s.bytes.Load()))
	} else if s.trial != "" {
		words = append(words, "trying "+s.trial)
	}
	for _, e := range s.now.Errors {
		words = append(words, e.Remote+": "+e.Err)
	}
	if len(words) == 0 {
		return "not started yet"
	}
	return strings.Join(words, "; ")
}
