package kube

import (
	"fmt"
	"time"
)

// Status is how the API is followed, for operators and metrics.
type Status struct {
	// Server is the address of the API server; empty before the first request.
	Server string
	Kinds  []KindStatus
	// Node is the own Node. Cordoned is when it was cordoned, zero if it is not or that has no
	// effect, and Drained when its service addresses are withdrawn because of that.
	Node              string
	Cordoned, Drained time.Time
}

// Synced reports whether every kind has been listed and is watched.
func (s Status) Synced() bool {
	for _, k := range s.Kinds {
		if !k.Synced || k.Fault != "" {
			return false
		}
	}
	return true
}

// KindStatus is how one kind is followed.
type KindStatus struct {
	Name string // services
	// Synced is set once the kind has been listed.
	Synced bool
	// Unserved says that the API does not serve it: its CRD is missing.
	Unserved bool
	Objects  int
	// Fault is why the kind is not followed at the moment, since FaultSince; empty if it
	// is. LastError is the newest of all times.
	Fault      string
	FaultSince time.Time
	LastError  string
	// Heard is when the server last told something of the kind, if only that nothing has
	// changed: a list, an event or a bookmark, which come about every minute.
	Heard time.Time
	Counters

	reading int // objects of a list that is being read
}

// Counters only ever grow.
type Counters struct {
	Lists   uint64 // whole lists
	Watches uint64 // watches that began
	Events  uint64 // events of watches, bookmarks among them
	Bytes   uint64 // received
}

// Status returns how the API is followed.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Server: s.api.address(), Node: s.nodeName, Cordoned: s.cordon.at}
	if !s.cordon.at.IsZero() {
		st.Drained = s.cordon.at.Add(s.cordon.drain)
	}
	for _, k := range s.kinds {
		st.Kinds = append(st.Kinds, k.status())
	}
	return st
}

// status is read with s.mu held.
func (f *follower[T]) status() KindStatus { return f.now }

// count changes the status without telling anybody.
func (f *follower[T]) count(change func(*KindStatus)) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	change(&f.now)
}

// waits says what the first list is waited for; empty once it is there. It is called with
// s.mu held.
func (f *follower[T]) waits() string {
	switch {
	case f.synced:
		return ""
	case f.now.Fault != "":
		return f.spec.name + ": " + f.now.Fault
	case f.now.reading > 0:
		return fmt.Sprintf("%s: listing, %d so far", f.spec.name, f.now.reading)
	}
	return f.spec.name + ": not listed yet"
}
