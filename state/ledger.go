package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
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

// storedEntry is an Entry on disk: values and keys as they are printed in a plan, so
// that a person with a bbolt browser can read them. Secrets are not in a line.
type storedEntry struct {
	Version int             `json:"v"`
	Line    string          `json:"line"`
	Since   time.Time       `json:"since"`
	Cause   plan.Cause      `json:"cause,omitempty"`
	Why     []object.Source `json:"why,omitempty"`
	Needs   json.RawMessage `json:"needs,omitempty"`
	Shared  json.RawMessage `json:"shared_needs,omitempty"`
	Keeps   json.RawMessage `json:"keeps,omitempty"`
	Prior   string          `json:"prior,omitempty"`
}

// encoder encodes the entries of one transaction. Lists of keys that many entries
// share are printed once.
type encoder struct{ lists map[*object.Key]encodedList }

type encodedList struct {
	length int
	text   json.RawMessage
}

// encode returns the entry as it is stored.
func (c *encoder) encode(e Entry) ([]byte, error) {
	s := storedEntry{
		Version: Version, Line: object.Text(e.Value), Since: e.Since, Cause: e.Cause, Why: e.Why,
		Needs: c.keys(e.Relations.After), Shared: c.keys(e.Relations.Shared), Keeps: c.keys(e.Relations.Keeps),
	}
	if e.Prior != nil {
		s.Prior = object.Text(e.Prior)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return append(raw[:len(raw)-1], sumOf(raw)...), nil
}

// The checksum of an entry is its last field, and covers all before. bbolt has none for
// what it stores, and an entry of which one bit is another may claim an object of others.
// Entries of earlier releases have none.
const (
	sumField  = `,"sum":"`
	sumLength = len(sumField) + 8 + len(`"}`)
)

// sumOf is the end of an entry with the checksum of what raw, which ends with a brace, is
// without it.
func sumOf(raw []byte) string {
	return fmt.Sprintf(sumField+`%08x"}`, crc32.Checksum(raw[:len(raw)-1], crc32.MakeTable(crc32.Castagnoli)))
}

// checkSum compares the checksum of an entry, if it has one.
func checkSum(raw []byte) error {
	at := len(raw) - sumLength
	if at < 0 || !bytes.HasPrefix(raw[at:], []byte(sumField)) {
		return nil
	}
	if sumOf(raw[:at+1]) != string(raw[at:]) {
		return errors.New("its checksum is wrong")
	}
	return nil
}

func (c *encoder) keys(list []object.Key) json.RawMessage {
	if len(list) == 0 {
		return nil
	}
	at := &list[0]
	if have, ok := c.lists[at]; ok && have.length == len(list) {
		return have.text
	}
	texts := make([]string, len(list))
	for i, k := range list {
		texts[i] = k.Text()
	}
	raw, err := json.Marshal(texts)
	if err != nil {
		panic(err) // of strings there is none
	}
	c.lists[at] = encodedList{len(list), raw}
	return raw
}

// decoder decodes the entries of one file. Equal lists of keys become one list in
// memory, as they were when they were written.
type decoder struct {
	keys  map[string]object.Key
	lists map[string][]object.Key
}

func newDecoder() *decoder {
	return &decoder{map[string]object.Key{}, map[string][]object.Key{}}
}

// decode is the inverse of encode.
func (c *decoder) decode(raw []byte) (e Entry, err error) {
	if err := checkSum(raw); err != nil {
		return Entry{}, err
	}
	var s storedEntry
	if err := json.Unmarshal(raw, &s); err != nil {
		return Entry{}, err
	}
	e = Entry{Why: s.Why, Since: s.Since, Cause: s.Cause}
	if e.Value, err = object.Parse(s.Line); err != nil {
		return e, err
	}
	for _, list := range []struct {
		into *[]object.Key
		text json.RawMessage
	}{{&e.Relations.After, s.Needs}, {&e.Relations.Shared, s.Shared}, {&e.Relations.Keeps, s.Keeps}} {
		if *list.into, err = c.list(list.text); err != nil {
			return e, err
		}
	}
	if s.Prior != "" {
		e.Prior, err = object.Parse(s.Prior)
	}
	return e, err
}

func (c *decoder) list(raw json.RawMessage) ([]object.Key, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if have, ok := c.lists[string(raw)]; ok {
		return have, nil
	}
	var texts []string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, err
	}
	list := make([]object.Key, len(texts))
	for i, text := range texts {
		k, ok := c.keys[text]
		if !ok {
			var err error
			if k, err = object.ParseKey(text); err != nil {
				return nil, err
			}
			c.keys[text] = k
		}
		list[i] = k
	}
	c.lists[string(raw)] = list
	return list, nil
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

// Lines are the entries of the ledger as they are stored, one a line in the order of their
// keys. Secrets are not in them.
func (db *DB) Lines() ([]byte, error) {
	db.mu.Lock()
	var entries []Entry
	for _, kind := range slices.Sorted(maps.Keys(db.ledger)) {
		for _, k := range sorted(slices.Collect(maps.Keys(db.ledger[kind]))) {
			entries = append(entries, db.ledger[kind][k])
		}
	}
	db.mu.Unlock()
	enc := encoder{lists: map[*object.Key]encodedList{}}
	var b bytes.Buffer
	for _, e := range entries {
		raw, err := enc.encode(e)
		if err != nil {
			return nil, fmt.Errorf("write the ledger: %w", err)
		}
		b.Write(raw)
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
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
