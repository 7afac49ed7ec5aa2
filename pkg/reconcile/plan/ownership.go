package plan

import (
	"iter"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Ownership tells what the ledger remembers of a key. The zero value remembers
// nothing.
type Ownership interface {
	// Owned reports whether the key may be ours although it carries no mark.
	Owned(object.Key) bool
	// Prior is a setting's value from before our first change.
	Prior(object.Key) (object.Value, bool)
	// Why is the provenance that was recorded when the key was created.
	Why(object.Key) []object.Source
	// Recorded is what was last written under the key, with its provenance and its
	// relations.
	Recorded(object.Key) (object.Item, bool)
	// Keys are the keys of one kind in the ledger, in any order.
	Keys(object.Kind) []object.Key
	// Differ yields, in any order, each key under which the ledger does not have the item that is
	// wanted: what it has and is not wanted, what is wanted and it does not have, and what it has
	// otherwise. It may yield others, too.
	Differ(want object.Set) iter.Seq[object.Key]
}

// NoLedger is an Ownership that remembers nothing.
type NoLedger struct{}

// Owned is always false.
func (NoLedger) Owned(object.Key) bool { return false }

// Prior knows nothing.
func (NoLedger) Prior(object.Key) (object.Value, bool) { return nil, false }

// Why knows nothing.
func (NoLedger) Why(object.Key) []object.Source { return nil }

// Recorded knows nothing.
func (NoLedger) Recorded(object.Key) (object.Item, bool) { return object.Item{}, false }

// Keys is empty.
func (NoLedger) Keys(object.Kind) []object.Key { return nil }

// Differ yields all that is wanted.
func (NoLedger) Differ(want object.Set) iter.Seq[object.Key] { return object.Set{}.Differ(want) }
