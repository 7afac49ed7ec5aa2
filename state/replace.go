package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// replace sets the file aside for a reason and makes a new one.
func (db *DB) replace(reason string, why error) error {
	if db.bolt != nil {
		discard(db.bolt)
		db.bolt = nil
	}
	db.mu.Lock()
	db.broken = nil
	log := db.service.Log
	db.mu.Unlock()
	to, err := setAside(db.path, reason, db.now())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w; %w", why, err)
	}
	if err == nil {
		log.Error("the state file is set aside and a new one is made; unmarked objects of ours that it recorded are not "+
			"known", "file", db.path, "why", why, "kept", to)
	}
	db.mu.Lock()
	db.service.foreign = ""
	db.mu.Unlock()
	return db.create()
}

// inPlace reports whether the open file is the one that has its name, as far as that
// can be told.
func (db *DB) inPlace() bool {
	info, err := os.Stat(db.path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	return os.SameFile(info, db.info)
}

// restore makes the file anew that somebody has removed or replaced while we used it.
func (db *DB) restore() error {
	discard(db.bolt)
	db.bolt = nil
	if _, err := os.Lstat(db.path); err == nil {
		return db.replace(AsideReplaced, errors.New("it took the place of the one that was in use"))
	}
	db.mu.Lock()
	log := db.service.Log
	db.mu.Unlock()
	log.Error("the state file was removed while it was in use; it is made anew with all that it said", "file", db.path)
	return db.create()
}

// rewrite writes all that is remembered into the open file.
func (db *DB) rewrite() error {
	db.mu.Lock()
	upTo := db.service.changes
	db.mu.Unlock()
	err := db.putAll(func(fn func(*bbolt.Tx) error) error { return db.attempt((*bbolt.DB).Update, fn) })
	if err != nil {
		return err
	}
	db.wrote(upTo)
	return nil
}

// wrote notes that the file says all that was remembered up to a change.
func (db *DB) wrote(upTo uint64) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.service.written = max(db.service.written, upTo)
	db.writes++
}

// create makes a file with all that is remembered. It gets its name once it is whole, so
// that no half of one is ever found.
func (db *DB) create() error {
	if err := os.MkdirAll(filepath.Dir(db.path), 0o750); err != nil {
		return fmt.Errorf("create directory of state file: %w", err)
	}
	half := db.path + ".new"
	if err := os.Remove(half); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("make state file: %w", err)
	}
	bolt, err := openBolt(half)
	if err != nil {
		return errors.Join(fmt.Errorf("make state file: %w", err), removed(half))
	}
	db.mu.Lock()
	upTo := db.service.changes
	db.stamp(db.service.Identity)
	db.mu.Unlock()
	err = survive(func() error { return db.putAll(bolt.Update) })
	if err == nil {
		err = renameNew(half, db.path)
	}
	if err != nil {
		discard(bolt)
		return errors.Join(fmt.Errorf("make state file: %w", err), removed(half))
	}
	if err := db.take(bolt); err != nil {
		return err
	}
	db.wrote(upTo)
	db.list()
	return nil
}

// removed removes a file that is of no use.
func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// list looks which files were set aside.
func (db *DB) list() {
	found := asides(db.path)
	db.mu.Lock()
	defer db.mu.Unlock()
	db.service.asides = found
}
