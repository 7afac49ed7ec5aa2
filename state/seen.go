package state

import (
	"time"

	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// mostSeen bounds what waits to be written of what was seen and not repaired.
const mostSeen = 200

// seen is what was seen at one time and not written yet.
type seen struct {
	at    time.Time
	steps []history.Step
}

// Saw records drifts that no step mends, with the next transaction that a round or
// [DB.Flush] makes. Of more than a few hundred between two of them the first are kept.
func (db *DB) Saw(at time.Time, steps []history.Step) {
	db.mu.Lock()
	defer db.mu.Unlock()
	room := mostSeen
	for _, s := range db.unwritten {
		room -= len(s.steps)
	}
	if n := min(len(steps), room); n > 0 && db.past.limits.Steps > 0 {
		db.unwritten = append(db.unwritten, seen{at, steps[:n]})
	}
}

// takeSeen is what waits, which whoever takes it writes.
func (db *DB) takeSeen() []seen {
	db.mu.Lock()
	defer db.mu.Unlock()
	list := db.unwritten
	db.unwritten = nil
	return list
}

// Unwritten reports whether drifts wait to be written.
func (db *DB) Unwritten() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return len(db.unwritten) > 0
}

// appendSeen adds what was seen to the history and returns how many steps that then has.
func (h past) appendSeen(tx *bbolt.Tx, list []seen) (int, error) {
	count := h.steps
	for _, s := range list {
		n, err := h.appendHistory(tx.Bucket(bucketHistory), s.steps, 0, s.at, 0)
		if err != nil {
			return count, err
		}
		count, h.steps = n, n
	}
	return count, nil
}
