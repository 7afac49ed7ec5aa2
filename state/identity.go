package state

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// The notes that say whose file it is.
const (
	noteChassis = "chassis"
	noteMachine = "machine-id"
	noteProduct = "product-uuid"
)

// Identity tells nodes apart. What is not known is empty.
type Identity struct {
	// Chassis is the system-id of the node.
	Chassis string
	// Machine and Product stand for the machine, by its installation (machine-id(5)) and
	// by its hardware; they are told apart and never shown.
	Machine, Product string
}

// recorded is the identity that a file has; one of an earlier version has none.
func (c *contents) recorded() Identity {
	return Identity{c.notes[noteChassis], c.notes[noteMachine], c.notes[noteProduct]}
}

// stamp records an identity as far as it is known, and reports whether that changed
// anything.
func (c *contents) stamp(id Identity) (changed bool) {
	for _, n := range []struct{ name, text string }{
		{noteChassis, id.Chassis}, {noteMachine, id.Machine}, {noteProduct, id.Product},
	} {
		if n.text != "" && c.notes[n.name] != n.text {
			c.notes[n.name], changed = n.text, true
		}
	}
	return changed
}

// belonging is whose a file is.
type belonging int

const (
	ours belonging = iota
	others
	// undecided is a file of another machine, whose chassis may still be this one's: a
	// machine can get another disk or another board.
	undecided
)

// judge says whose the file is that has recorded another identity. The chassis decides
// as soon as both are known, and the machine as long as they are not: a disk that was
// cloned has the file of the node that it was cloned from.
func (id Identity) judge(recorded Identity) belonging {
	differs := func(a, b string) bool { return a != "" && b != "" && a != b }
	switch {
	case id.Chassis != "" && recorded.Chassis != "":
		if id.Chassis != recorded.Chassis {
			return others
		}
		return ours
	case !differs(id.Machine, recorded.Machine) && !differs(id.Product, recorded.Product):
		return ours
	case recorded.Chassis == "":
		return others
	default:
		return undecided
	}
}

// otherNode is why a file is not used.
func otherNode(recorded, id Identity) string {
	if id.Chassis == "" || recorded.Chassis == "" {
		return "it was written on another machine"
	}
	return fmt.Sprintf("it was written by chassis %q, and this is chassis %q", recorded.Chassis, id.Chassis)
}

// Confirm says which chassis this is, as soon as that is known and whenever it may have
// changed. The file of another node is set aside the first time, and all that it said is
// forgotten; a file that does not say whose it is becomes this node's.
func (db *DB) Confirm(chassis string) {
	if db.service == nil || chassis == "" {
		return
	}
	db.mu.Lock()
	s := db.service
	if s.confirmed && s.Identity.Chassis == chassis {
		db.mu.Unlock()
		return
	}
	first, recorded := !s.confirmed, db.recorded()
	s.Identity.Chassis, s.confirmed = chassis, true
	if first && s.Identity.judge(recorded) == others {
		s.foreign = otherNode(recorded, s.Identity)
		db.contents = noContents()
	}
	stamped, notes := db.stamp(s.Identity), map[string]string{}
	for k, v := range db.notes {
		notes[k] = v
	}
	db.mu.Unlock()
	if stamped {
		db.write(notes)
	}
}

// Remember records a text under a name, in place of the one before; an empty one is
// forgotten. The same text costs nothing.
func (db *DB) Remember(name, text string) {
	db.mu.Lock()
	same := db.notes[name] == text
	if db.notes[name] = text; text == "" {
		delete(db.notes, name)
	}
	db.mu.Unlock()
	if !same {
		db.write(map[string]string{name: text})
	}
}

// Note records a text under a name as Remember does, with the next transaction that a round
// or [DB.Flush] makes. Text that is lost with a process before that is missed by nobody.
func (db *DB) Note(name, text string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.notes[name] == text {
		return
	}
	if db.notes[name] = text; text == "" {
		delete(db.notes, name)
	}
	if db.noted == nil {
		db.noted = map[string]bool{}
	}
	db.noted[name] = true
}

// Flush writes what was noted and seen since the last transaction of a round; nothing if
// that is nothing.
func (db *DB) Flush() {
	notes, saw := db.takeNoted(), db.takeSeen()
	if len(notes)+len(saw) == 0 {
		return
	}
	db.mu.Lock()
	past := db.past
	db.past.steps = -1 // until the transaction has told
	db.mu.Unlock()
	kept := -1
	err := db.update(func(tx *bbolt.Tx) (err error) {
		if err := putNotes(tx, notes); err != nil {
			return err
		}
		kept, err = past.appendSeen(tx, saw)
		return err
	})
	if err != nil && db.service != nil {
		db.lose()
		return
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if err == nil && db.past.steps < 0 {
		db.past.steps = kept
	}
}

// takeNoted is what was noted and not written, which whoever takes it writes.
func (db *DB) takeNoted() map[string]string {
	db.mu.Lock()
	defer db.mu.Unlock()
	notes := map[string]string{}
	for name := range db.noted {
		notes[name] = db.notes[name]
	}
	db.noted = nil
	return notes
}

// Remembered is what is recorded under a name; empty if nothing is.
func (db *DB) Remembered(name string) string {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.notes[name]
}

// write puts notes into the file. If that fails they follow later, and Trouble tells.
func (db *DB) write(notes map[string]string) {
	err := db.update(func(tx *bbolt.Tx) error { return putNotes(tx, notes) })
	if err != nil && db.service != nil {
		db.lose()
	}
}

func putNotes(tx *bbolt.Tx, notes map[string]string) error {
	for name, text := range notes {
		if text == "" {
			if err := tx.Bucket(bucketMeta).Delete([]byte(name)); err != nil {
				return err
			}
			continue
		}
		if err := put(tx.Bucket(bucketMeta), []byte(name), text); err != nil {
			return err
		}
	}
	return nil
}
