// Package state keeps what must survive a crash, in one bbolt file: which keys
// may be ours (the ledger), which plan was being executed (the journal), and
// what was done lately (the history). It is the only package that knows bbolt.
//
// The journal answers "what may I have touched?", never "what shall I do?".
// After a crash nothing is replayed: the keys of the unfinished plan are in the
// ledger already, reality is read and the difference computed as always.
//
// A round that changes something costs two small transactions, one before its
// first step and one after its last; a round that changes nothing costs none.
//
// Read next: ledger.go, journal.go.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Version is the schema version in bucket meta. A file with a higher one was
// written by a newer program and is refused; one with a lower one is rewritten when
// it is first opened for writing (upgrade.go).
//
//	1  an entry has its value, provenance, age and prior value
//	2  and what it needs and keeps, and the cause of the step that wrote it
const Version = 2

// The buckets.
var (
	bucketMeta    = []byte("meta")
	bucketPlan    = []byte("plan")
	bucketLedger  = []byte("ledger")
	bucketHistory = []byte("history")
)

// lockTimeout is how long Open waits for another process to let go.
const lockTimeout = 2 * time.Second

// readLockTimeout is how long OpenReadOnly waits for that.
const readLockTimeout = 100 * time.Millisecond

// closeTimeout is how long Close waits for a transaction that a damaged page ended.
const closeTimeout = time.Second

// DB is an open state file. It is safe for use by several goroutines.
type DB struct {
	bolt   *bbolt.DB
	path   string
	now    func() time.Time
	mu     sync.Mutex
	ledger map[object.Kind]map[object.Key]Entry
	writes uint64
	// unfinished is the plan that a crash interrupted; empty if none was.
	unfinished Intent
	// broken is why no more transactions are begun; nil if they are.
	broken error
}

// Open opens or creates the file, takes its lock and reads the ledger. A lock
// held by another process is an error that names the file.
func Open(path string, now func() time.Time) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("create directory of state file: %w", err)
	}
	if err := verify(path, lockTimeout); err != nil {
		return nil, damaged(path, err)
	}
	db := &DB{path: path, now: now, ledger: map[object.Kind]map[object.Key]Entry{}}
	err := survive(func() error {
		var err error
		// The freelist is kept in the file: rebuilding it reads every page in a
		// goroutine of bbolt's, where the panic of a damaged file cannot be
		// caught.
		db.bolt, err = bbolt.Open(path, 0o640, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("state file %s is locked: another bgp-ovn is running on it; stop that one or give this one "+
			"its own state file (--state)", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open state file %s: %w; if it is damaged, %s", path, err, moveAway)
	}
	if err := survive(db.load); err != nil {
		db.broken = err
		return nil, errors.Join(readError(path, err), db.Close())
	}
	return db, nil
}

// damaged says what to do about a file that is not whole.
func damaged(path string, err error) error {
	return fmt.Errorf("state file %s is damaged: %w; %s", path, err, moveAway)
}

// readError is why a file cannot be read. What panicked does not know the remedy.
func readError(path string, err error) error {
	if errors.Is(err, errDamaged) {
		return damaged(path, err)
	}
	if strings.Contains(err.Error(), moveAway) {
		return fmt.Errorf("read state file %s: %w", path, err)
	}
	return fmt.Errorf("read state file %s: %w; if it is damaged, %s", path, err, moveAway)
}

// errDamaged is what was a panic.
var errDamaged = errors.New("a page of it is damaged")

// survive turns the panic with which bbolt meets a damaged page, or the fault of
// one that is missing from the file, into an error.
func survive(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w (%v)", errDamaged, r)
		}
	}()
	return f()
}

// OpenReadOnly reads an existing file without changing it, for commands that
// only compute. A missing file is os.ErrNotExist.
func OpenReadOnly(path string, now func() time.Time) (*DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	if err := verify(path, readLockTimeout); err != nil {
		return nil, damaged(path, err)
	}
	db := &DB{path: path, now: now, ledger: map[object.Kind]map[object.Key]Entry{}}
	err := survive(func() (err error) {
		db.bolt, err = bbolt.Open(path, 0o640, &bbolt.Options{Timeout: readLockTimeout, ReadOnly: true})
		if err != nil {
			return err
		}
		return db.load()
	})
	if err != nil {
		if db.bolt != nil {
			db.broken = err
			return nil, errors.Join(readError(path, err), db.Close())
		}
		return nil, readError(path, err)
	}
	return db, nil
}

// Close releases the lock. Where a damaged page has ended a transaction, bbolt may wait
// for that for ever; the lock then ends with the process.
func (db *DB) Close() error {
	done := make(chan error, 1)
	go func() { done <- survive(db.bolt.Close) }()
	db.mu.Lock()
	broken := db.broken
	db.mu.Unlock()
	if broken == nil {
		return <-done
	}
	select {
	case err := <-done:
		return err
	case <-time.After(closeTimeout):
		return nil
	}
}

// Writes is the number of transactions committed since Open.
func (db *DB) Writes() uint64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.writes
}

// load checks the version and reads ledger and open plan. What an older version
// lacks is worked out, and written unless the file is opened for reading only.
func (db *DB) load() error {
	version, err := db.init()
	if err != nil {
		return err
	}
	dec := newDecoder()
	err = db.bolt.View(func(tx *bbolt.Tx) error {
		if raw := tx.Bucket(bucketPlan).Get(keyIntent); raw != nil {
			if err := json.Unmarshal(raw, &db.unfinished); err != nil {
				return fmt.Errorf("open plan: %w; %s", err, moveAway)
			}
		}
		return tx.Bucket(bucketLedger).ForEach(func(k, v []byte) error {
			e, err := dec.decode(v)
			if err != nil {
				return fmt.Errorf("ledger entry %q: %w; %s", k, err, moveAway)
			}
			db.enter(e.Value.Key(), e)
			return nil
		})
	})
	if err != nil {
		return err
	}
	return db.upgrade(version)
}

// moveAway is what to do about a file that cannot be read.
const moveAway = "move the file away (keep it for analysis): it is rebuilt, at the price of not knowing unmarked " +
	"objects of ours"

var keyVersion = []byte("version")

// init makes the buckets of a new file, refuses a newer one and returns the version
// of the file. An existing file is not written to, so that starting up changes
// nothing on disk.
func (db *DB) init() (version int, err error) {
	fresh := false
	err = db.bolt.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			fresh = true
			return nil
		}
		if err := json.Unmarshal(meta.Get(keyVersion), &version); err != nil {
			return fmt.Errorf("schema version: %w; %s", err, moveAway)
		}
		if version > Version {
			return fmt.Errorf("it has schema version %d and was written by a newer program, this one knows version %d: "+
				"install the newer program again, or %s", version, Version, moveAway)
		}
		return nil
	})
	if err != nil || !fresh {
		return version, err
	}
	return Version, db.bolt.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketPlan, bucketLedger, bucketHistory} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return fmt.Errorf("create bucket %s: %w", name, err)
			}
		}
		return put(tx.Bucket(bucketMeta), keyVersion, Version)
	})
}

func put(b *bbolt.Bucket, key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return b.Put(key, raw)
}
