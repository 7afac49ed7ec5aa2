package state

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

var keyIntent = []byte("open")

// Intent is the plan that is being executed, as lines.
type Intent struct {
	Version int       `json:"v,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Steps   []string  `json:"steps,omitempty"`
}

// intentSteps bounds the lines kept of the plan that is being executed, so that a first
// round with 100,000 steps does not fill the file.
const intentSteps = 1000

// Unfinished is the plan that a crash interrupted. Its keys are in the ledger.
func (db *DB) Unfinished() Intent {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.unfinished
}

// Begin records, in one transaction (in several if the plan is long), what is
// about to be done, and enters the keys of what is not born with a mark into the ledger: from here on they
// may be ours, whatever becomes of us. What is proves itself and is
// entered by End, when nobody waits for it any more. End takes out again what was
// certainly not made (object.IsUntouched): if others make it, it is theirs.
func (db *DB) Begin(p plan.Plan) error {
	now := db.now()
	entries := db.newEntries(p, func(i int) bool { return !p.Ops[i].Key().IsBornMarked() }, now)
	intent := Intent{Version: Version, At: now, Steps: lines(p)}
	entered := db.notYet(entries)
	db.mu.Lock()
	db.entered = entered // before a piece of them is written: the next one may fail
	db.mu.Unlock()
	rest, err := db.putPieces(inOrder(entries))
	if err == nil {
		err = db.update(func(tx *bbolt.Tx) error {
			if err := putRecords(tx, rest); err != nil {
				return err
			}
			return put(tx.Bucket(bucketPlan), keyIntent, intent)
		})
	}
	if err != nil {
		return fmt.Errorf("record the plan: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.enter(rest)
	db.unfinished = intent
	return nil
}

// notYet are the keys of entries that the ledger does not have.
func (db *DB) notYet(entries []Entry) map[object.Key]bool {
	out := map[object.Key]bool{}
	for i := range entries {
		if k := entries[i].Value.Key(); !db.Owned(k) {
			out[k] = true
		}
	}
	return out
}

// newEntries are what the steps that pick chooses add to the ledger or change
// in it.
func (db *DB) newEntries(p plan.Plan, pick func(i int) bool, now time.Time) []Entry {
	n := 0
	for i := range p.Ops {
		if p.Ops[i].Phase == plan.Build && pick(i) {
			n++
		}
	}
	entries := make([]Entry, 0, n)
	for i := range p.Ops {
		if op := &p.Ops[i]; op.Phase == plan.Build && pick(i) && !db.sameEntry(op) {
			entries = append(entries, db.newEntry(op, now))
		}
	}
	return entries
}

// piece is how many entries one transaction writes. bbolt holds all that a transaction writes
// until it ends, and nobody waits for the disk for longer than a transaction may take.
const piece = 4096

// keyed is an entry and the key under which it is stored.
type keyed struct {
	key   string
	entry *Entry
}

// inOrder brings entries into the order of their keys: within a transaction bbolt keeps a page of
// any length, and each insertion that is not at the end moves all that follow.
func inOrder(entries []Entry) []keyed {
	records := make([]keyed, len(entries))
	for i := range entries {
		records[i] = keyed{entries[i].Value.Key().Text(), &entries[i]}
	}
	slices.SortFunc(records, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	return records
}

// putPieces writes all but the last few of many entries, in transactions of their own, and returns
// these few for the transaction that completes them, or what is not written if one fails. If that
// transaction never comes, the ledger has entries of objects that may be ours, as after any crash.
func (db *DB) putPieces(records []keyed) (rest []keyed, err error) {
	for len(records) > piece {
		now := records[:piece]
		if err := db.update(func(tx *bbolt.Tx) error { return putRecords(tx, now) }); err != nil {
			return records, err
		}
		db.mu.Lock()
		db.enter(now)
		db.mu.Unlock()
		records = records[piece:]
	}
	return records, nil
}

// enter remembers entries, for a caller that holds mu.
func (db *DB) enter(records []keyed) {
	for _, r := range records {
		db.ledger.enter(*r.entry)
	}
}

// putEntries writes entries in one transaction.
func putEntries(tx *bbolt.Tx, entries []Entry) error { return putRecords(tx, inOrder(entries)) }

func putRecords(tx *bbolt.Tx, records []keyed) error {
	ledger := tx.Bucket(bucketLedger)
	ledger.FillPercent = 0.9
	enc := newEncoder()
	for _, r := range records {
		if err := ledger.Put([]byte(r.key), enc.encode(*r.entry)); err != nil {
			return err
		}
	}
	return nil
}

// sameEntry reports whether the ledger says the same of the step already.
func (db *DB) sameEntry(op *plan.Op) bool {
	e, ok := db.entry(op.Key())
	return ok && e.Value == op.After && e.Cause == op.Cause && slices.Equal(e.Why, op.Why) &&
		e.Relations.Equal(op.Relations)
}

// newEntry keeps the date and the prior value of an older entry: the value to
// restore is the one from before our first change, not from before the last.
func (db *DB) newEntry(op *plan.Op, now time.Time) Entry {
	e := Entry{
		Value: op.After, Why: op.Why, Relations: op.Relations, Cause: op.Cause, Since: now, shared: op.Wanted,
	}
	if old, known := db.entry(op.Key()); known {
		e.Since, e.Prior = old.Since, old.Prior
	} else if op.Key().Kind.IsSetting() {
		e.Prior = op.Before
	}
	return e
}

// End records, in one transaction after the last step (in several if the plan is long), how each one went, enters
// what succeeded and carries a mark, for its provenance, and takes what was
// deleted or is no longer there out of the ledger. outcomes has one element a
// step.
func (db *DB) End(p plan.Plan, outcomes []error, took time.Duration) error {
	now := db.now()
	entries := db.newEntries(p, func(i int) bool { return outcomes[i] == nil && p.Ops[i].Key().HasMark() }, now)
	gone := slices.Clone(p.Forget)
	for i := range p.Ops {
		op := &p.Ops[i]
		if outcomes[i] == nil && ((op.Verb == plan.Delete && op.Note != plan.NoteReplaced) || op.Verb == plan.Restore) {
			gone = append(gone, op.Key())
		}
	}
	db.mu.Lock()
	for i, err := range outcomes {
		if err != nil && db.entered[p.Ops[i].Key()] && object.IsUntouched(err) {
			gone = append(gone, p.Ops[i].Key())
		}
	}
	past := db.past
	db.past.steps = -1 // until the transaction has told; nobody counts along with one that failed
	db.mu.Unlock()
	steps, omitted := stepsOf(p, outcomes, past.limits.Steps)
	kept, notes, saw := -1, db.takeNoted(), db.takeSeen()
	rest, err := db.putPieces(inOrder(entries))
	if err == nil {
		err = db.update(func(tx *bbolt.Tx) error {
			if err := putNotes(tx, notes); err != nil {
				return err
			}
			if err := deleteKeys(tx, gone); err != nil {
				return err
			}
			if err := putRecords(tx, rest); err != nil {
				return err
			}
			if err := tx.Bucket(bucketPlan).Delete(keyIntent); err != nil {
				return err
			}
			n, err := past.appendSeen(tx, saw)
			if err != nil {
				return err
			}
			with := past
			with.steps = n
			kept, err = with.appendHistory(tx.Bucket(bucketHistory), steps, omitted, now, took)
			return err
		})
	}
	if err != nil {
		err = fmt.Errorf("record the outcome: %w", err)
	}
	return db.remember(err, func() {
		if err == nil {
			db.past.steps = kept
		}
		for _, k := range gone {
			db.ledger.forget(k)
		}
		db.enter(rest)
		db.unfinished, db.entered = Intent{}, nil
	})
}

func deleteKeys(tx *bbolt.Tx, keys []object.Key) error {
	for _, k := range keys {
		if err := tx.Bucket(bucketLedger).Delete([]byte(k.Text())); err != nil {
			return err
		}
	}
	return nil
}

// Forget takes keys out of the ledger of which nothing is left. It is called
// when reality agrees with what is wanted, so that a plan that a crash
// interrupted is settled too.
func (db *DB) Forget(keys []object.Key) error {
	db.mu.Lock()
	settled := db.unfinished.Version == 0
	db.mu.Unlock()
	if len(keys) == 0 && settled {
		return nil
	}
	err := db.update(func(tx *bbolt.Tx) error {
		if err := deleteKeys(tx, keys); err != nil {
			return err
		}
		return tx.Bucket(bucketPlan).Delete(keyIntent)
	})
	if err != nil {
		err = fmt.Errorf("forget %d keys: %w", len(keys), err)
	}
	return db.remember(err, func() {
		db.unfinished = Intent{}
		for _, k := range keys {
			db.ledger.forget(k)
		}
	})
}

// Renew records the relations and the provenance of items whose values are there already. What is not
// in the ledger is entered, as if it had just been written.
func (db *DB) Renew(items []object.Item) error {
	if len(items) == 0 {
		return nil
	}
	now := db.now()
	entries := make([]Entry, len(items))
	for i, it := range items {
		e, known := db.entry(it.Value.Key())
		if !known {
			e = Entry{Why: it.Why, Since: now}
		}
		e.Value, e.Relations, e.Why = it.Value, it.Relations(), it.Why
		entries[i] = e
	}
	rest, err := db.putPieces(inOrder(entries))
	if err == nil {
		err = db.update(func(tx *bbolt.Tx) error { return putRecords(tx, rest) })
	}
	if err != nil {
		err = fmt.Errorf("record what %d objects need: %w", len(items), err)
	}
	return db.remember(err, func() { db.enter(rest) })
}

// lines prints the steps, the first intentSteps of them.
func lines(p plan.Plan) []string {
	out := make([]string, 0, min(len(p.Ops), intentSteps+1))
	for i, op := range p.Ops {
		if i == intentSteps {
			return append(out, fmt.Sprintf("... and %d more", len(p.Ops)-i))
		}
		out = append(out, op.String())
	}
	return out
}
