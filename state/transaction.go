package state

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// update commits one transaction and counts it.
func (db *DB) update(fn func(*bbolt.Tx) error) error {
	if err := db.transact((*bbolt.DB).Update, fn); err != nil {
		return err
	}
	db.mu.Lock()
	db.writes++
	db.mu.Unlock()
	if db.service != nil {
		db.settle(nil)
	}
	return nil
}

// view reads in one transaction.
func (db *DB) view(fn func(*bbolt.Tx) error) error { return db.transact((*bbolt.DB).View, fn) }

// transact runs one transaction. Of a file that Start opened, that is made whole before,
// and a transaction that takes longer than anybody should wait is left to itself: the
// file then lacks what is remembered, or has more, until it is written anew.
func (db *DB) transact(run func(*bbolt.DB, func(*bbolt.Tx) error) error, fn func(*bbolt.Tx) error) error {
	if db.service == nil {
		_, err := db.turn.run(0, func() error { return db.attempt(run, fn) })
		return err
	}
	began, err := db.turn.run(db.service.Limit, func() error {
		if err := db.whole(); err != nil {
			return err
		}
		err := db.attempt(run, fn)
		if !errors.Is(err, errDamaged) {
			return err
		}
		if err := db.whole(); err != nil {
			return err
		}
		return db.attempt(run, fn)
	})
	if began && errors.Is(err, errStalled) {
		db.lose()
	}
	if err != nil {
		db.settle(err)
	}
	return err
}

// attempt runs one transaction for whoever has the turn. A damaged page is an error, and
// ends all that would come after it in this file: bbolt may hold its own lock for ever
// then.
func (db *DB) attempt(run func(*bbolt.DB, func(*bbolt.Tx) error) error, fn func(*bbolt.Tx) error) error {
	if err := db.isBroken(); err != nil {
		return err
	}
	err := survive(func() error { return run(db.bolt, fn) })
	if errors.Is(err, errDamaged) {
		err = damaged(db.path, err)
		db.mu.Lock()
		db.broken = err
		db.mu.Unlock()
	}
	return err
}

// remember changes what is remembered after a transaction. If that failed, err is
// returned; the controller goes on with what it knows, and the file follows later.
func (db *DB) remember(err error, change func()) error {
	if err != nil && db.service == nil {
		return err
	}
	db.mu.Lock()
	change()
	db.mu.Unlock()
	if err != nil {
		db.lose()
	}
	return err
}

// putAll writes all that is remembered into a file, in place of what it has.
func (db *DB) putAll(tx *bbolt.Tx) error {
	if tx.Bucket(bucketLedger) != nil {
		if err := tx.DeleteBucket(bucketLedger); err != nil {
			return fmt.Errorf("empty the ledger: %w", err)
		}
	}
	if err := makeBuckets(tx); err != nil {
		return err
	}
	db.mu.Lock()
	var entries []Entry
	for _, kind := range db.ledger {
		for _, e := range kind {
			entries = append(entries, e)
		}
	}
	notes, open := map[string]string{}, db.unfinished
	for k, v := range db.notes {
		notes[k] = v
	}
	db.mu.Unlock()
	if err := putEntries(tx, entries); err != nil {
		return err
	}
	for name, text := range notes {
		if err := put(tx.Bucket(bucketMeta), []byte(name), text); err != nil {
			return err
		}
	}
	if open.Version == 0 {
		return tx.Bucket(bucketPlan).Delete(keyIntent)
	}
	return put(tx.Bucket(bucketPlan), keyIntent, open)
}
