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
// A command opens the file with [Open], which refuses one that is not whole. The
// controller, which has to run whatever state its disk is in, opens it with [Start].
//
// Read next: ledger.go, journal.go, then start.go and identity.go.
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
// written by a newer program and is refused, or set aside by Start; one with a lower one is rewritten when
// it is first opened for writing (upgrade.go).
//
//	1  an entry has its value, provenance, age and prior value
//	2  and what it needs and keeps, and the cause of the step that wrote it
//	3  entries are binary (entry.go); those of version 2 are read as they are
const Version = 3

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

// mapped is how much address space is reserved for the file, which stays as long as what is in
// it. Where it grows beyond that in a transaction, bbolt copies all that the transaction has
// read or written so far.
const mapped = 1 << 30

// grows is how much longer than needed the file is made when it is too short.
const grows = 16 << 10

// closeTimeout is how long Close waits for a transaction that a damaged page ended.
const closeTimeout = time.Second

// DB is an open state file. It is safe for use by several goroutines.
type DB struct {
	path string
	now  func() time.Time
	// service is nil unless the file was opened by Start.
	service *service

	// turn is had by whoever works on the file, and guards bolt and info.
	turn turn
	// bolt is the open file; nil while there is none.
	bolt *bbolt.DB
	// info is that of the open file when it was opened.
	info os.FileInfo

	mu sync.Mutex // guards the rest
	contents
	writes uint64
	past   past
	// entered are the keys that Begin has added to the ledger, until End.
	entered map[object.Key]bool
	// noted are the names of notes that the next transaction of a round writes.
	noted map[string]bool
	// unwritten are drifts that it writes.
	unwritten []seen
	// broken is why no more transactions are begun; nil if they are.
	broken error
}

// contents are what a file says.
type contents struct {
	version int
	ledger  ledger
	// unfinished is the plan that a crash interrupted; empty if none was.
	unfinished Intent
	// notes are what is remembered beside the ledger, by name.
	notes map[string]string
}

func noContents() contents {
	return contents{Version, ledger{}, Intent{}, map[string]string{}}
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
	db := &DB{path: path, now: now, turn: newTurn(), contents: noContents(), past: past{DefaultHistory, -1}}
	var err error
	db.bolt, err = openBolt(path)
	if errors.Is(err, errLocked) {
		return nil, locked(path)
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

// openBolt opens a file for writing, or makes it.
func openBolt(path string) (*bbolt.DB, error) {
	var bolt *bbolt.DB
	err := survive(func() (err error) {
		// The freelist is kept in the file: rebuilding it reads every page in a
		// goroutine of bbolt's, where the panic of a damaged file cannot be
		// caught.
		bolt, err = bbolt.Open(path, 0o640, &bbolt.Options{
			Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapped,
		})
		if err == nil {
			bolt.AllocSize = grows
		}
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, errLocked
	}
	return bolt, err
}

var errLocked = errors.New("locked")

func locked(path string) error {
	return fmt.Errorf("state file %s is %w: another bgp-ovn is running on it; stop that one or give this one "+
		"its own state file (--state)", path, errLocked)
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
	db := &DB{path: path, now: now, turn: newTurn(), contents: noContents(), past: past{DefaultHistory, -1}}
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
// for that for ever, and so may a disk that does not answer; the lock then ends with the
// process.
func (db *DB) Close() error {
	limit := time.Duration(0)
	if db.service != nil || db.isBroken() != nil {
		limit = closeTimeout
	}
	_, err := db.turn.run(limit, func() error {
		if db.bolt == nil {
			return nil
		}
		return db.bolt.Close()
	})
	if errors.Is(err, errStalled) {
		return nil
	}
	return err
}

func (db *DB) isBroken() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.broken
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
	if err := initialise(db.bolt); err != nil {
		return err
	}
	c, err := read(db.bolt)
	if err != nil {
		return err
	}
	db.contents = c
	return db.upgrade(c.version)
}

// read returns all that a file says.
func read(bolt *bbolt.DB) (contents, error) {
	c := noContents()
	dec := newDecoder()
	err := bolt.View(func(tx *bbolt.Tx) error {
		meta, ledger, open := tx.Bucket(bucketMeta), tx.Bucket(bucketLedger), tx.Bucket(bucketPlan)
		if meta == nil || ledger == nil || open == nil || tx.Bucket(bucketHistory) == nil {
			return fmt.Errorf("it has not all of its buckets; %s", moveAway)
		}
		if err := c.readMeta(meta); err != nil {
			return err
		}
		if raw := open.Get(keyIntent); raw != nil {
			if err := json.Unmarshal(raw, &c.unfinished); err != nil {
				return fmt.Errorf("open plan: %w; %s", err, moveAway)
			}
		}
		return ledger.ForEach(func(k, v []byte) error {
			e, err := dec.decode(v)
			if err != nil {
				return fmt.Errorf("ledger entry %q: %w; %s", k, err, moveAway)
			}
			if string(k) != e.Value.Key().Text() {
				return fmt.Errorf("ledger entry %q is that of %s; %s", k, e.Value.Key().Text(), moveAway)
			}
			c.ledger.enter(e)
			return nil
		})
	})
	return c, err
}

// readMeta reads the version, which must not be a newer one, and the notes.
func (c *contents) readMeta(meta *bbolt.Bucket) error {
	if err := json.Unmarshal(meta.Get(keyVersion), &c.version); err != nil {
		return fmt.Errorf("schema version: %w; %s", err, moveAway)
	}
	if c.version > Version {
		return &newerError{c.version}
	}
	return meta.ForEach(func(k, v []byte) error {
		if string(k) == string(keyVersion) || v == nil {
			return nil
		}
		var text string
		if err := json.Unmarshal(v, &text); err != nil {
			return fmt.Errorf("note %q: %w; %s", k, err, moveAway)
		}
		c.notes[string(k)] = text
		return nil
	})
}

// newerError is a file that a newer program wrote.
type newerError struct{ version int }

// Error says what to do.
func (e *newerError) Error() string {
	return fmt.Sprintf("it has schema version %d and was written by a newer program, this one knows version %d: "+
		"install the newer program again, or %s", e.version, Version, moveAway)
}

// moveAway is what to do about a file that cannot be read.
const moveAway = "move the file away (keep it for analysis): it is rebuilt, at the price of not knowing unmarked " +
	"objects of ours"

var keyVersion = []byte("version")

// initialise makes the buckets of a new file. An existing file is not written to, so
// that starting up changes nothing on disk.
func initialise(bolt *bbolt.DB) error {
	fresh := false
	err := bolt.View(func(tx *bbolt.Tx) error {
		fresh = tx.Bucket(bucketMeta) == nil
		return nil
	})
	if err != nil || !fresh {
		return err
	}
	return bolt.Update(makeBuckets)
}

// makeBuckets makes those of a new file.
func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketPlan, bucketLedger, bucketHistory} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	return put(tx.Bucket(bucketMeta), keyVersion, Version)
}

func put(b *bbolt.Bucket, key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return b.Put(key, raw)
}
