package state

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Entry is one key of the ledger: it may be ours, and this is why.
type Entry struct {
	// Value is what was last written under the key.
	Value object.Value
	Why   []object.Source
	Since time.Time
	// Prior is a setting's value from before our first change; nil for the rest.
	Prior object.Value
}

// storedEntry is an Entry on disk: values as the lines of a plan, so that a
// person with a bbolt browser can read them. Secrets are not in a line.
type storedEntry struct {
	Version int             `json:"v"`
	Line    string          `json:"line"`
	Since   time.Time       `json:"since"`
	Why     []object.Source `json:"why,omitempty"`
	Prior   string          `json:"prior,omitempty"`
}

// encode returns the entry as it is stored.
func (e Entry) encode() ([]byte, error) {
	s := storedEntry{Version: Version, Line: object.Text(e.Value), Since: e.Since, Why: e.Why}
	if e.Prior != nil {
		s.Prior = object.Text(e.Prior)
	}
	return json.Marshal(s)
}

// decodeEntry is the inverse of encode.
func decodeEntry(raw []byte) (Entry, error) {
	var s storedEntry
	if err := json.Unmarshal(raw, &s); err != nil {
		return Entry{}, err
	}
	e := Entry{Why: s.Why, Since: s.Since}
	var err error
	if e.Value, err = object.Parse(s.Line); err != nil {
		return e, err
	}
	if s.Prior != "" {
		e.Prior, err = object.Parse(s.Prior)
	}
	return e, err
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
	return e.Prior, ok && e.Prior != nil
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
		if kind.IsSetting() || kind.IsSession() {
			continue
		}
		for _, e := range entries {
			s.Put(object.Item{Value: e.Value, Why: e.Why})
		}
	}
	return s
}
