package state

import (
	"iter"
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
	// shared is what is wanted, if that says the same; it need not be stored twice then.
	shared object.Entry
}

// item returns the entry as what it was when it was wanted.
func (e Entry) item() object.Item {
	return object.Item{Value: e.Value, Why: e.Why}.WithRelations(e.Relations)
}

// stored returns the entry as sets have it.
func (e Entry) stored() object.Entry {
	if it := e.item(); !e.shared.Holds(it) {
		return object.NewEntry(it)
	}
	return e.shared
}

// mark is when and why entries were made; those of one round have the same.
type mark struct {
	cause plan.Cause
	since time.Time
}

// ledger has the entries. Most of them were made by one round, of which the mark is kept once.
// The zero value is empty.
type ledger struct {
	items object.Set
	// common is the mark of all that have none in marks.
	common mark
	marks  map[object.Key]mark
	// priors are the values of settings from before our first change.
	priors map[object.Key]object.Value
	// crowded is how many marks there may be before another common one is looked for.
	crowded int
}

// marksKept is how many marks a ledger may have in any case.
const marksKept = 1000

// enter stores an entry in place of the one with its key.
func (l *ledger) enter(e Entry) {
	k := e.Value.Key()
	if l.items.Len() == 0 {
		*l = ledger{
			common: mark{e.Cause, e.Since}, marks: map[object.Key]mark{}, priors: map[object.Key]object.Value{},
			crowded: marksKept,
		}
	}
	l.items.PutEntry(e.stored())
	delete(l.priors, k)
	if e.Prior != nil {
		l.priors[k] = e.Prior
	}
	l.mark(k, mark{e.Cause, e.Since})
}

// mark notes the mark of a key that is there.
func (l *ledger) mark(k object.Key, m mark) {
	if m == l.common {
		delete(l.marks, k)
		return
	}
	l.marks[k] = m
	if len(l.marks) <= l.crowded {
		return
	}
	count := map[mark]int{l.common: l.items.Len() - len(l.marks)}
	common := l.common
	for _, m := range l.marks {
		if count[m]++; count[m] > count[common] {
			common = m
		}
	}
	if common != l.common {
		all := make(map[object.Key]mark, l.items.Len()-count[common])
		for k := range l.items.All() {
			if m := l.markOf(k); m != common {
				all[k] = m
			}
		}
		l.common, l.marks = common, all
	}
	l.crowded = max(marksKept, 2*len(l.marks))
}

func (l *ledger) markOf(k object.Key) mark {
	if m, ok := l.marks[k]; ok {
		return m
	}
	return l.common
}

// get returns the entry under a key.
func (l *ledger) get(k object.Key) (Entry, bool) {
	it, ok := l.items.Get(k)
	if !ok {
		return Entry{}, false
	}
	return l.entryOf(k, it), true
}

// share has what is wanted under a key in place of what the ledger has there, and reports whether
// both are the same.
func (l *ledger) share(k object.Key, wanted object.Entry) bool {
	it, ok := l.items.Get(k)
	if !ok || !wanted.Holds(it) {
		return false
	}
	l.items.PutEntry(wanted)
	return true
}

func (l *ledger) entryOf(k object.Key, it object.Item) Entry {
	m := l.markOf(k)
	return Entry{
		Value: it.Value, Why: it.Why, Relations: it.Relations(), Cause: m.cause, Since: m.since, Prior: l.priors[k],
	}
}

// forget takes the entry under a key away.
func (l *ledger) forget(k object.Key) {
	l.items.Remove(k)
	delete(l.marks, k)
	delete(l.priors, k)
}

// all are the entries, in no order.
func (l *ledger) all() []Entry {
	out := make([]Entry, 0, l.items.Len())
	for k, it := range l.items.All() {
		out = append(out, l.entryOf(k, it))
	}
	return out
}

func (db *DB) entry(k object.Key) (Entry, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.ledger.get(k)
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
func (db *DB) Keys(kind object.Kind) []object.Key {
	db.mu.Lock()
	items := db.ledger.items.Only(kind)
	db.mu.Unlock()
	out := make([]object.Key, 0, items.Len())
	for k := range items.All() {
		out = append(out, k)
	}
	return out
}

// Differ yields each key under which the ledger does not have the item that is wanted. What it has
// as it is wanted it shares with the set from then on, so that it is in memory once, and costs
// nothing the next time.
func (db *DB) Differ(want object.Set) iter.Seq[object.Key] {
	db.mu.Lock()
	defer db.mu.Unlock()
	var out []object.Key
	for k := range db.ledger.items.Clone().Differ(want) {
		if e := want.Entry(k); !e.Is() || !db.ledger.share(k, e) {
			out = append(out, k)
		}
	}
	return slices.Values(out)
}

// Lines are the entries of the ledger in JSON, one a line in the order of their keys. Secrets
// are not in them.
func (db *DB) Lines() ([]byte, error) {
	db.mu.Lock()
	entries := make([]Entry, 0, db.ledger.items.Len())
	for _, it := range db.ledger.items.Sorted() {
		entries = append(entries, db.ledger.entryOf(it.Value.Key(), it))
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
	kinds := object.KindsThat(func(k object.Kind) bool { return !k.IsSession() })
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.ledger.items.Only(kinds...)
}
