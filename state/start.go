package state

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// writeLimit is how long a round waits for the disk. A disk that answers takes
// milliseconds; of one that does not, withdrawals must not wait.
const writeLimit = 2 * time.Second

// startLimit is how long a start waits for it: without its ledger a controller knows
// less than it should.
const startLimit = 10 * time.Second

// Options are how a controller opens its file.
type Options struct {
	// Identity is that of this node as far as it is known; Confirm says the rest.
	Identity Identity
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// History bounds what is remembered of the past; DefaultHistory if zero.
	History HistoryLimits
	// Log hears what becomes of the file; nil discards that.
	Log *slog.Logger
	// Limit bounds how long a round waits for the disk; 2 s if zero.
	Limit time.Duration
	// Before is called before each piece of work on the file, by whoever works on it: a
	// test makes a disk of it that does not answer. It may be nil.
	Before func()
}

// service is what a file has beyond others that Start opened; DB.mu guards what follows
// the options.
type service struct {
	Options
	// confirmed is set once Confirm has said which chassis this is, and foreign is why
	// the file is another node's until it has been set aside.
	confirmed bool
	foreign   string
	// changes counts what was remembered and could not be written, and written how much
	// of it has been since.
	changes, written uint64
	trouble          Trouble
	// failures counts what could not be read or written.
	failures uint64
	asides   []Aside
}

// Trouble is why the file does not say what is remembered.
type Trouble struct {
	Since time.Time
	Err   error
}

// Start opens the file for a controller, which has to run whatever state the file is in.
// One that is damaged, was written by a newer program or is another node's is set aside
// beside it, and a new one made; where that is not possible the controller runs on what it
// remembers itself, and the file is made as soon as it can be. Trouble and Asides tell.
// Only a file that another process holds is an error.
func Start(path string, opts Options) (*DB, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.History == (HistoryLimits{}) {
		opts.History = DefaultHistory
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	limit := max(opts.Limit, startLimit)
	if opts.Limit == 0 {
		opts.Limit = writeLimit
	} else {
		limit = opts.Limit
	}
	db := &DB{
		path: path, now: opts.Now, turn: newTurn(), contents: noContents(), past: past{opts.History, -1},
		service: &service{Options: opts},
	}
	_, err := db.turn.run(limit, db.whole)
	if errors.Is(err, errLocked) {
		return nil, locked(path)
	}
	db.settle(err)
	return db, nil
}

// Check looks whether the file is still in its place and can be written, and brings it up
// to date. It is called from time to time: nothing else would notice in a node on which
// nothing changes. It writes nothing as long as all is well.
func (db *DB) Check() {
	_, ill := db.Trouble()
	_, err := db.turn.run(db.service.Limit, func() error {
		err := db.whole()
		if err == nil && ill {
			err = db.rewrite()
		}
		db.list()
		return err
	})
	db.settle(err)
}

// Trouble is why the file does not say all that is remembered, until it does.
func (db *DB) Trouble() (Trouble, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.service.trouble, db.service.trouble.Err != nil
}

// Failures counts transactions that failed.
func (db *DB) Failures() uint64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.service.failures
}

// Asides are the files that were set aside and are still there, the oldest first.
func (db *DB) Asides() []Aside {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.service.asides
}

// settle notes how work on the file went.
func (db *DB) settle(err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	s := db.service
	was := s.trouble
	if err != nil {
		s.failures++
	}
	switch {
	case err != nil && was.Err == nil:
		s.trouble = Trouble{db.now(), err}
		s.Log.Error("the state file cannot be used; what carries our mark is applied all the same", "file", db.path,
			"err", err)
	case err != nil:
		s.trouble.Err = err
	case was.Err != nil && s.changes == s.written:
		s.trouble = Trouble{}
		s.Log.Info("the state file is up to date again", "file", db.path, "since", was.Since)
	}
}

// lose notes that the file lacks, or has beyond, what is remembered.
func (db *DB) lose() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.service.changes++
}

// whole makes sure that there is a file and that it says what is remembered. The caller
// has the turn.
func (db *DB) whole() error {
	if before := db.service.Before; before != nil {
		before()
	}
	db.mu.Lock()
	s := db.service
	foreign, broken, behind := s.foreign, db.broken, s.changes != s.written
	db.mu.Unlock()
	switch {
	case foreign != "":
		return db.replace(AsideOtherNode, errors.New(foreign))
	case db.bolt == nil:
		return db.acquire()
	case broken != nil:
		return db.replace(AsideDamaged, broken)
	case !db.inPlace():
		return db.restore()
	case behind:
		return db.rewrite()
	}
	return nil
}

// acquire opens the file that is there, and otherwise makes one.
func (db *DB) acquire() error {
	db.mu.Lock()
	id := db.service.Identity
	db.mu.Unlock()
	bolt, found, err := admit(db.path, id)
	var refused *refusal
	switch {
	case errors.Is(err, os.ErrNotExist):
		return db.create()
	case errors.As(err, &refused):
		return db.replace(refused.reason, refused.err)
	case err != nil:
		return err
	}
	if err := db.take(bolt); err != nil {
		return err
	}
	old := found.version < Version
	found.complete()
	db.list()
	if db.merge(found) || old {
		db.lose()
		return db.rewrite()
	}
	return nil
}

// take makes an open file ours.
func (db *DB) take(bolt *bbolt.DB) error {
	info, err := os.Stat(db.path)
	if err != nil {
		return errors.Join(err, bolt.Close())
	}
	db.bolt, db.info = bolt, info
	return nil
}

// merge adds what a file says to what is remembered, which is newer, and reports whether
// there was any.
func (db *DB) merge(found contents) (more bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	have := db.contents
	db.contents = found
	for _, e := range have.ledger.all() {
		db.ledger.enter(e)
		more = true
	}
	for name, text := range have.notes {
		more = more || db.notes[name] != text
		db.notes[name] = text
	}
	return more
}

var errUndecided = errors.New("it was written on another machine, and is not used before it is known which chassis " +
	"this is")

// admit opens a file and reads it. A *refusal is a file that must be set aside, any other
// error one that cannot be read or must not be for now.
func admit(path string, id Identity) (*bbolt.DB, contents, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, contents{}, err
	}
	if !info.Mode().IsRegular() {
		return nil, contents{}, fmt.Errorf("state file %s is not a regular file; move it away, or name another file "+
			"(--state)", path)
	}
	if info.Size() == 0 {
		return nil, contents{}, &refusal{AsideDamaged, errors.New("it is empty")}
	}
	if err := verify(path, lockTimeout); err != nil {
		return nil, contents{}, refuse(err)
	}
	bolt, err := openBolt(path)
	if err != nil {
		return nil, contents{}, refuse(err)
	}
	var found contents
	err = survive(func() (err error) {
		found, err = read(bolt)
		return err
	})
	if err == nil {
		recorded := found.recorded()
		switch id.judge(recorded) {
		case others:
			err = &refusal{AsideOtherNode, errors.New(otherNode(recorded, id))}
		case undecided:
			err = errUndecided
		case ours:
			return bolt, found, nil
		}
	}
	discard(bolt)
	return nil, contents{}, refuse(err)
}

// refuse says what an error means for the file: the system's errors, other than that its
// disk cannot be read, say nothing about what is in it.
func refuse(err error) error {
	var refused *refusal
	var errno syscall.Errno
	var newer *newerError
	switch {
	case errors.As(err, &refused), errors.Is(err, errLocked), errors.Is(err, errUndecided), errors.Is(err, os.ErrNotExist):
		return err
	case errors.As(err, &newer):
		return &refusal{AsideNewer, err}
	case errors.As(err, &errno) && errno != syscall.EIO:
		return err
	}
	return &refusal{AsideDamaged, err}
}

// discard closes a file that is of no use, without waiting for a transaction that a
// damaged page ended.
func discard(bolt *bbolt.DB) {
	go func() { _ = survive(bolt.Close) }()
}
