package state

import (
	"maps"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Entry is one key of the ledger: it may be ours, and this is why.
type Entry struct {
	// Value is what was last written under the key.
	Value object.Value
	// Why are the rows that led to it, Relations what it needs and keeps, and Cause
	// is that of the step that wrote it.
	Why       []object.Source
	Relations object.Relations
	Cause     plan.Cause
	// Since is when the key was entered.
	Since time.Time
	// Prior is a setting's value from before our first change; nil for the rest.
	Prior object.Value
}

// item returns the entry as what it was when it was wanted.
func (e Entry) item() object.Item {
	return object.Item{Value: e.Value, Why: e.Why}.WithRelations(e.Relations)
}

// enter stores an entry. Of an open file, the caller holds the lock.
func (c *contents) enter(k object.Key, e Entry) {
	if c.ledger[k.Kind] == nil {
		c.ledger[k.Kind] = map[object.Key]Entry{}
	}
	c.ledger[k.Kind][k] = e
}

func (db *DB) entry(k object.Key) (Entry, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	e, ok := db.ledger[k.Kind][k]
	return e, ok
}

// Owned reports whether the key may be ours.
func (db *DB) Owned(k object.Key) bool {
	_, ok := db.entry(k)
	return ok
}

// Prior is a setting's value from before our first change.
func (db *DB) Prior(k object.Key) (object.Value, bool) {
	e, ok := db.entry(k)
	return e.Prior, ok && e.Prior != nil
}

// Why is the provenance recorded for the key.
func (db *DB) Why(k object.Key) []object.Source {
	e, _ := db.entry(k)
	return e.Why
}

// Recorded is what was last written under the key, with its provenance and its
// relations.
func (db *DB) Recorded(k object.Key) (object.Item, bool) {
	e, ok := db.entry(k)
	return e.item(), ok
}

// Cause is that of the step that wrote the key; empty if it is not recorded, as in
// files of an older version.
func (db *DB) Cause(k object.Key) plan.Cause {
	e, _ := db.entry(k)
	return e.Cause
}

// Since is when the key was recorded; zero if it is not.
func (db *DB) Since(k object.Key) time.Time {
	e, _ := db.entry(k)
	return e.Since
}

// Keys are the keys of one kind in the ledger, in no order.
func (db *DB) Keys(k object.Kind) []object.Key {
	db.mu.Lock()
	defer db.mu.Unlock()
	return slices.Collect(maps.Keys(db.ledger[k]))
}

// Lines are the entries of the ledger in JSON, one a line in the order of their keys. Secrets
// are not in them.
func (db *DB) Lines() ([]byte, error) {
	db.mu.Lock()
	var entries []Entry
	for _, kind := range slices.Sorted(maps.Keys(db.ledger)) {
		for _, k := range sorted(slices.Collect(maps.Keys(db.ledger[kind]))) {
			entries = append(entries, db.ledger[kind][k])
		}
	}
	db.mu.Unlock()
	var out []byte
	for _, e := range entries {
		var err error
		if out, err = appendLine(out, e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// LastKnown is the set that was last written, without peers: what a restarted
// controller goes on announcing while no database answers, and the settings that it
// stands on.
func (db *DB) LastKnown() object.Set {
	db.mu.Lock()
	defer db.mu.Unlock()
	var s object.Set
	for kind, entries := range db.ledger {
		if kind.IsSession() {
			continue
		}
		for _, e := range entries {
			s.Put(e.item())
		}
	}
	return s
}
