package state

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// historyLength bounds the number of rounds that are remembered.
const historyLength = 200

var keyIntent = []byte("open")

// Intent is the plan that is being executed, as lines.
type Intent struct {
	Version int       `json:"v,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Steps   []string  `json:"steps,omitempty"`
}

// Record is one finished round in the history.
type Record struct {
	Version int       `json:"v"`
	At      time.Time `json:"at"`
	Took    string    `json:"took"`
	Steps   []string  `json:"steps"`
	Failed  []string  `json:"failed,omitempty"`
}

// historySteps bounds the lines kept of one round, so that a first round with
// 100,000 steps does not fill the file.
const historySteps = 1000

// Unfinished is the plan that a crash interrupted. Its keys are in the ledger.
func (db *DB) Unfinished() Intent {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.unfinished
}

// Begin records, in one transaction before the first step, what is about to be
// done, and enters every key that is created or changed into the ledger: from
// here on it may be ours, whatever becomes of us.
func (db *DB) Begin(p plan.Plan) error {
	now := db.now()
	enter := map[object.Key]Entry{}
	for _, op := range p.Ops {
		if op.Phase != plan.Build || db.sameEntry(op) {
			continue
		}
		enter[op.Key()] = db.newEntry(op, now)
	}
	intent := Intent{Version: Version, At: now, Steps: lines(p)}
	err := db.update(func(tx *bbolt.Tx) error {
		for k, e := range enter {
			if err := put(tx.Bucket(bucketLedger), []byte(k.Text()), e); err != nil {
				return err
			}
		}
		return put(tx.Bucket(bucketPlan), keyIntent, intent)
	})
	if err != nil {
		return fmt.Errorf("record the plan: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	for k, e := range enter {
		db.enter(k, e)
	}
	db.unfinished = intent
	return nil
}

// sameEntry reports whether the ledger says the same of the step already.
func (db *DB) sameEntry(op plan.Op) bool {
	e, ok := db.entry(op.Key())
	return ok && e.Line == object.Text(op.After) && slices.Equal(e.Why, op.Why)
}

// newEntry keeps the date and the prior value of an older entry: the value to
// restore is the one from before our first change, not from before the last.
func (db *DB) newEntry(op plan.Op, now time.Time) Entry {
	e := Entry{Version: Version, Key: store(op.Key()), Why: op.Why, Since: now, Line: object.Text(op.After)}
	if old, known := db.entry(op.Key()); known {
		e.Since, e.Prior = old.Since, old.Prior
	} else if op.Key().Kind.IsSetting() && op.Before != nil {
		e.Prior = object.Text(op.Before)
	}
	return e
}

// End records, in one transaction after the last step, how each one went, and
// takes what was deleted or is no longer there out of the ledger. outcomes has
// one element a step.
func (db *DB) End(p plan.Plan, outcomes []error, took time.Duration) error {
	rec := Record{Version: Version, At: db.now(), Took: took.String(), Steps: lines(p)}
	gone := p.Forget
	for i, op := range p.Ops {
		if err := outcomes[i]; err != nil {
			rec.Failed = append(rec.Failed, op.Key().Text()+": "+err.Error())
		} else if (op.Verb == plan.Delete && op.Note != plan.NoteReplaced) || op.Verb == plan.Restore {
			gone = append(gone[:len(gone):len(gone)], op.Key())
		}
	}
	err := db.update(func(tx *bbolt.Tx) error {
		for _, k := range gone {
			if err := tx.Bucket(bucketLedger).Delete([]byte(k.Text())); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketPlan).Delete(keyIntent); err != nil {
			return err
		}
		return appendHistory(tx.Bucket(bucketHistory), rec)
	})
	if err != nil {
		return fmt.Errorf("record the outcome: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, k := range gone {
		delete(db.ledger[k.Kind], k)
	}
	db.unfinished = Intent{}
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
		for _, k := range keys {
			if err := tx.Bucket(bucketLedger).Delete([]byte(k.Text())); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketPlan).Delete(keyIntent)
	})
	if err != nil {
		return fmt.Errorf("forget %d keys: %w", len(keys), err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.unfinished = Intent{}
	for _, k := range keys {
		delete(db.ledger[k.Kind], k)
	}
	return nil
}

// History returns the last n rounds, newest first.
func (db *DB) History(n int) ([]Record, error) {
	var out []Record
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketHistory).Cursor()
		for k, v := c.Last(); k != nil && len(out) < n; k, v = c.Prev() {
			var r Record
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("history record %x: %w", k, err)
			}
			out = append(out, r)
		}
		return nil
	})
	return out, err
}

func appendHistory(b *bbolt.Bucket, rec Record) error {
	seq, err := b.NextSequence()
	if err != nil {
		return err
	}
	if err := put(b, binary.BigEndian.AppendUint64(nil, seq), rec); err != nil {
		return err
	}
	if seq > historyLength {
		return b.Delete(binary.BigEndian.AppendUint64(nil, seq-historyLength))
	}
	return nil
}

// update commits one transaction and counts it.
func (db *DB) update(fn func(*bbolt.Tx) error) error {
	if err := db.bolt.Update(fn); err != nil {
		return err
	}
	db.mu.Lock()
	db.writes++
	db.mu.Unlock()
	return nil
}

// lines prints the steps, the first historySteps of them.
func lines(p plan.Plan) []string {
	out := make([]string, 0, min(len(p.Ops), historySteps+1))
	for i, op := range p.Ops {
		if i == historySteps {
			return append(out, fmt.Sprintf("... and %d more", len(p.Ops)-i))
		}
		out = append(out, op.String())
	}
	return out
}
