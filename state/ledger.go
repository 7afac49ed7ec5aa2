package state

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Entry is one key of the ledger: it may be ours, and this is why.
type Entry struct {
	Version int             `json:"v"`
	Key     storedKey       `json:"key"`
	Why     []object.Source `json:"why,omitempty"`
	Since   time.Time       `json:"since"`
	// Line is the value as it was last written, in the form of a plan.
	Line string `json:"line,omitempty"`
	// Prior is the line of a setting's value from before our first change.
	Prior string `json:"prior,omitempty"`
}

// storedKey is object.Key with names, so that a person with a bbolt browser
// can read it.
type storedKey struct {
	Kind   object.Kind `json:"kind"`
	Name   string      `json:"name,omitempty"`
	Sub    string      `json:"sub,omitempty"`
	Num    uint32      `json:"num,omitempty"`
	Aux    uint32      `json:"aux,omitempty"`
	Prefix string      `json:"prefix,omitempty"`
}

func store(k object.Key) storedKey {
	s := storedKey{Kind: k.Kind, Name: k.Name, Sub: k.Sub, Num: k.Num, Aux: k.Aux}
	if k.Prefix.IsValid() {
		s.Prefix = k.Prefix.String()
	}
	return s
}

func (e Entry) key() (object.Key, error) {
	k := object.Key{Kind: e.Key.Kind, Name: e.Key.Name, Sub: e.Key.Sub, Num: e.Key.Num, Aux: e.Key.Aux}
	if e.Key.Prefix != "" {
		var err error
		if k.Prefix, err = netip.ParsePrefix(e.Key.Prefix); err != nil {
			return k, fmt.Errorf("prefix: %w", err)
		}
	}
	return k, nil
}

// enter stores an entry; the caller holds the lock.
func (db *DB) enter(k object.Key, e Entry) {
	if db.ledger[k.Kind] == nil {
		db.ledger[k.Kind] = map[object.Key]Entry{}
	}
	db.ledger[k.Kind][k] = e
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
	if !ok || e.Prior == "" {
		return nil, false
	}
	v, err := object.Parse(e.Prior)
	return v, err == nil
}

// Why is the provenance recorded for the key.
func (db *DB) Why(k object.Key) []object.Source {
	e, _ := db.entry(k)
	return e.Why
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

// LastKnown is the set that was last written, without settings and peers: what
// a restarted controller goes on announcing while no database answers.
func (db *DB) LastKnown() object.Set {
	db.mu.Lock()
	defer db.mu.Unlock()
	var s object.Set
	for kind, entries := range db.ledger {
		if kind.IsSetting() || kind == object.KindPeer {
			continue
		}
		for _, e := range entries {
			if v, err := object.Parse(e.Line); err == nil {
				s.Put(object.Item{Value: v, Why: e.Why})
			}
		}
	}
	return s
}
