// Package plan computes the difference between what is wanted and what is, as
// an ordered list of steps that can be printed, journalled and executed. It is
// pure: no I/O, no clock, no context; the same input gives the same bytes.
//
// The order, which is the most important part of the product:
//
//  1. withdraw   paths and peers that go: traffic leaves first
//  2. clear      what must make room for something that is built
//  3. build      upwards in kind order; a path only after what it needs
//  4. dismantle  downwards, the reverse of kind order
//
// Read next: diff.go, then blocked.go, order.go and print.go.
package plan

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Verb is what a step does.
type Verb uint8

// The verbs. A replacement is a delete and a create.
const (
	Create Verb = iota + 1
	Update
	Delete
	Restore // a setting gets back the value from before our first change
)

// String returns the verb's word.
func (v Verb) String() string {
	switch v {
	case Create:
		return "create"
	case Update:
		return "update"
	case Delete:
		return "delete"
	case Restore:
		return "restore"
	default:
		return "none"
	}
}

// MarshalText is String for JSON.
func (v Verb) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// symbol is the first column of a printed plan.
func (v Verb) symbol() string {
	switch v {
	case Create:
		return "+"
	case Delete:
		return "-"
	default:
		return "~"
	}
}

// Phase is the part of the order that a step belongs to.
type Phase uint8

// The phases, in order.
const (
	Withdraw Phase = iota + 1
	Clear
	Build
	Dismantle
)

// NoteReplaced marks both halves of a replacement, the delete and the create, and
// NoteDeviceReplaced a setting of a device that is replaced.
const (
	NoteReplaced       = "replaced"
	NoteDeviceReplaced = "its device is replaced"
)

// NoteFound begins the note of an update that mends what is not in the values: another
// owner's mark, an MTU on a route.
const NoteFound = "found with "

// Op is one step. Before is nil for Create, After is nil for Delete.
type Op struct {
	Verb          Verb
	Phase         Phase
	Before, After object.Value
	// Needs are steps of the same plan that must have succeeded first.
	Needs []object.Key
	// Relations are those of the wanted value, for the ledger.
	Relations object.Relations
	// Wanted is the item of the wanted value, for who stores it, too; none of what was not wanted.
	Wanted object.Entry
	// Why is the provenance of the wanted value, or of the value that goes.
	Why []object.Source
	// Cause says why the step is taken. Diff leaves it empty: it takes more than
	// what is wanted and what is to tell.
	Cause Cause
	// Drift says what of reality moved and by whom; nil unless this step mends that.
	Drift *Drift
	// Row is the row that decided, by the name that people gave it; empty if it has none.
	Row string
	// From and To are the chassis that an address comes from or goes to, as people call
	// it: where the row that decides names another one. Empty if that is not known.
	From, To string
	// Note says what the verb alone does not, such as "replaced".
	Note string
	// Reclaim is that of the change: see [object.Change].
	Reclaim bool
}

// Key is the key of the value concerned.
func (o Op) Key() object.Key { return o.Change().Key() }

// Evicts reports whether the step removes what does harm by being there. It does not
// wait for withdrawals that fail: the speaker may be out of reach because of it.
func (o Op) Evicts() bool { return o.Verb == Delete && object.Block{Code: o.Note}.Evicts() }

// Change is the step as backends see it.
func (o Op) Change() object.Change {
	return object.Change{Before: o.Before, After: o.After, Reclaim: o.Reclaim}
}

// Note is something that differs from the desired state and that no step will mend
// now.
type Note struct {
	Key   object.Key
	Value object.Value // the wanted value, or the one that is held
	Block object.Block
	Why   []object.Source
}

// Intentional reports whether the operator wants it that way: the kind is left to
// another tool, the export filter keeps the path back, or the node is drained.
func (n Note) Intentional() bool {
	switch n.Block.Code {
	case object.BlockUnmanaged, object.BlockFiltered, object.BlockDrained:
		return true
	}
	return false
}

// Plan is the ordered difference.
type Plan struct {
	Ops   []Op
	Notes []Note
	// Forget are keys in the ledger that nothing is left of.
	Forget []object.Key
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Ops) == 0 }

// Count returns the number of steps with one of the verbs.
func (p Plan) Count(verbs ...Verb) int {
	n := 0
	for _, op := range p.Ops {
		for _, v := range verbs {
			if op.Verb == v {
				n++
			}
		}
	}
	return n
}
