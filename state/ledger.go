package state

import (
	"fmt"
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

// Owned reports whether the key may be ours.
func (db *DB) Owned(k object.Key) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	_, ok := db.ledger[k]
	return ok
}

// Prior is a setting's value from before our first change.
func (db *DB) Prior(k object.Key) (object.Value, bool) {
	db.mu.Lock()
	e, ok := db.ledger[k]
	db.mu.Unlock()
	if !ok || e.Prior == "" {
		return nil, false
	}
	v, err := object.Parse(e.Prior)
	return v, err == nil
}

// Why is the provenance recorded for the key.
func (db *DB) Why(k object.Key) []object.Source {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.ledger[k].Why
}

// Since is when the key was recorded; zero if it is not.
func (db *DB) Since(k object.Key) time.Time {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.ledger[k].Since
}

// Keys are all keys in the ledger, in key order.
func (db *DB) Keys() []object.Key {
	db.mu.Lock()
	keys := make([]object.Key, 0, len(db.ledger))
	for k := range db.ledger {
		keys = append(keys, k)
	}
	db.mu.Unlock()
	slices.SortFunc(keys, object.Key.Compare)
	return keys
}
