package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"

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

// putAll writes all that is remembered into a file, in place of what it has, each piece in a
// transaction that update commits. Between two of them the ledger has all of one and some of the
// other, as after any crash: objects that may be ours.
func (db *DB) putAll(update func(func(*bbolt.Tx) error) error) error {
	db.mu.Lock()
	entries := db.ledger.all()
	notes, open := maps.Clone(db.notes), db.unfinished
	db.mu.Unlock()
	if err := update(makeBuckets); err != nil {
		return err
	}
	records := inOrder(entries)
	for part := range slices.Chunk(records, piece) {
		if err := update(func(tx *bbolt.Tx) error { return putRecords(tx, part) }); err != nil {
			return err
		}
	}
	return update(func(tx *bbolt.Tx) error {
		if err := keepOnly(tx.Bucket(bucketLedger), records); err != nil {
			return fmt.Errorf("delete what has left the ledger: %w", err)
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
	})
}

// keepOnly deletes what a bucket has under other keys than those of the records, which are in their order.
func keepOnly(b *bbolt.Bucket, records []keyed) error {
	var gone [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		for len(records) > 0 && records[0].key < string(k) {
			records = records[1:]
		}
		if len(records) == 0 || records[0].key != string(k) {
			gone = append(gone, k)
		}
	}
	for _, k := range gone {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
