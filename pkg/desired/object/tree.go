package object

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// tree is a persistent map from keys to items: a hash array mapped trie (Bagwell, Ideal
// Hash Trees, 2001). A copy costs nothing, a change of a copy costs the few nodes on the
// way to it, and two that came from one another are compared by walking what they do not
// share. A nil tree is an empty one.
type tree struct {
	owner *owner
	root  *node
	n     int // entries
}

// owner marks the nodes that a Set has made by itself since it was last copied, and may
// change in place. frozen says that it was copied: from then on nobody may.
type owner struct{ frozen atomic.Bool }

// node has the slots of up to 32 values of the next five bits of the hash, those that
// are in use, in their order. Below the last bits the slots are entries with one hash and
// have no order.
type node struct {
	owner *owner
	used  uint32
	slots []slot
}

// slot is an entry or a node.
type slot struct {
	entry *entry
	node  *node
}

// entry is an item with the hash of its key. It is never changed: it is the same wherever an item
// was handed on. There may be 400,000 of them, so that it has neither the key, which its value
// tells, nor room for what an item is without.
type entry struct {
	hash  uint64
	value Value
	more  *itemMore // nil if the item has nothing of it
	// rank and marked are those of [Item], and blocked says that it has a block: a walk through all
	// need not go to more for that.
	rank            uint8
	marked, blocked bool
}

// itemMore is what items of backends mostly are without: see [Item].
type itemMore struct {
	why                  []Source
	after, shared, keeps []Key
	block                *Block
	found                *Found
}

func newEntry(hash uint64, it Item) *entry {
	e := &entry{hash: hash, value: it.Value, rank: it.Rank, marked: it.Marked, blocked: it.Block != nil}
	if it.Why != nil || it.After != nil || it.Shared != nil || it.Keeps != nil || it.Block != nil || it.Found != nil {
		e.more = &itemMore{it.Why, it.After, it.Shared, it.Keeps, it.Block, it.Found}
	}
	return e
}

func (e *entry) key() Key { return e.value.Key() }

// sameKey reports whether two entries have one key. Values that are equal have, and to see that costs less
// than to work two keys out.
func (e *entry) sameKey(o *entry) bool {
	return e.hash == o.hash && (e.value == o.value || e.key() == o.key())
}

func (e *entry) item() Item {
	it := Item{Value: e.value, Rank: e.rank, Marked: e.marked}
	if m := e.more; m != nil {
		it.Why, it.After, it.Shared, it.Keeps, it.Block, it.Found = m.why, m.after, m.shared, m.keeps, m.block, m.found
	}
	return it
}

// equal reports whether two entries have equal items.
func (e *entry) equal(o *entry) bool {
	if e.more == nil && o.more == nil {
		return e.value == o.value && e.rank == o.rank && e.marked == o.marked
	}
	return e.item().Equal(o.item())
}

const (
	levelBits = 5
	hashBits  = 64
)

// seed differs between processes, so that nobody can choose keys that fall together and
// no listing can depend on an order by accident.
var seed = maphash.MakeSeed()

func hashOf(k Key) uint64 { return maphash.Comparable(seed, k) }

// bitOf is the bit of a hash in the nodes of a level.
func bitOf(hash uint64, shift uint) uint32 { return 1 << (hash >> shift & (1<<levelBits - 1)) }

// place is where the slot of a bit is, or would be.
func (n *node) place(bit uint32) int { return bits.OnesCount32(n.used & (bit - 1)) }

// get returns the entry under a key, or nil.
func (t *tree) get(hash uint64, k Key) *entry {
	if t == nil {
		return nil
	}
	return t.root.get(hash, k, 0)
}

func (n *node) get(hash uint64, k Key, shift uint) *entry {
	for ; n != nil && shift < hashBits; shift += levelBits {
		bit := bitOf(hash, shift)
		if n.used&bit == 0 {
			return nil
		}
		s := n.slots[n.place(bit)]
		if e := s.entry; e != nil {
			if e.hash == hash && e.key() == k {
				return e
			}
			return nil
		}
		n = s.node
	}
	if n == nil {
		return nil
	}
	if i := n.find(k); i >= 0 {
		return n.slots[i].entry
	}
	return nil
}

// find is the place of a key among entries of one hash, or -1.
func (n *node) find(k Key) int {
	return slices.IndexFunc(n.slots, func(s slot) bool { return s.entry.key() == k })
}

// editable returns the tree itself, if it belongs to o, or a copy that does.
func (t *tree) editable(o *owner) *tree {
	switch {
	case t == nil:
		return &tree{owner: o}
	case t.owner == o:
		return t
	}
	return &tree{o, t.root, t.n}
}

// put stores an entry in a tree that belongs to o.
func (t *tree) put(o *owner, e *entry) {
	root, added := t.root.put(o, e, 0)
	t.root = root
	if added {
		t.n++
	}
}

// remove takes a key out of a tree that belongs to o and has it.
func (t *tree) remove(o *owner, hash uint64, k Key) {
	t.root = t.root.remove(o, hash, k, 0)
	t.n--
}

// editable returns the node itself, if it belongs to o, or a copy that does.
func (n *node) editable(o *owner) *node {
	if n.owner == o {
		return n
	}
	return &node{o, n.used, slices.Clone(n.slots)}
}

// put returns the node with an entry, and whether its key is new.
func (n *node) put(o *owner, e *entry, shift uint) (*node, bool) {
	if n == nil {
		n = &node{owner: o}
	}
	n = n.editable(o)
	if shift >= hashBits {
		i := n.find(e.key())
		if i < 0 {
			n.slots = append(n.slots, slot{entry: e})
			return n, true
		}
		n.slots[i].entry = e
		return n, false
	}
	bit := bitOf(e.hash, shift)
	i := n.place(bit)
	if n.used&bit == 0 {
		n.used |= bit
		n.slots = slices.Insert(n.slots, i, slot{entry: e})
		return n, true
	}
	s := &n.slots[i]
	switch old := s.entry; {
	case old == nil:
		var added bool
		s.node, added = s.node.put(o, e, shift+levelBits)
		return n, added
	case old.sameKey(e):
		s.entry = e
		return n, false
	default:
		below, _ := (*node)(nil).put(o, old, shift+levelBits)
		below, _ = below.put(o, e, shift+levelBits)
		*s = slot{node: below}
		return n, true
	}
}

// remove returns the node without a key that it has; nil if nothing is left.
func (n *node) remove(o *owner, hash uint64, k Key, shift uint) *node {
	n = n.editable(o)
	i, bit := 0, uint32(0)
	if shift >= hashBits {
		i = n.find(k)
	} else {
		bit = bitOf(hash, shift)
		i = n.place(bit)
	}
	if s := &n.slots[i]; s.node != nil {
		below := s.node.remove(o, hash, k, shift+levelBits)
		if below != nil && len(below.slots) == 1 && below.slots[0].entry != nil {
			*s = below.slots[0] // a node for one entry is a step too many
			return n
		}
		if s.node = below; below != nil {
			return n
		}
	}
	n.used &^= bit
	if n.slots = slices.Delete(n.slots, i, i+1); len(n.slots) == 0 {
		return nil
	}
	return n
}

// all yields every entry until it is told to stop, and reports whether it was not.
func (n *node) all(yield func(*entry) bool) bool {
	if n == nil {
		return true
	}
	for _, s := range n.slots {
		if s.entry != nil && !yield(s.entry) || s.entry == nil && !s.node.all(yield) {
			return false
		}
	}
	return true
}

// shuffled is all with each node begun at a random place.
func (n *node) shuffled(yield func(*entry) bool) bool {
	if n == nil {
		return true
	}
	first := rand.IntN(len(n.slots))
	for i := range n.slots {
		s := n.slots[(first+i)%len(n.slots)]
		if s.entry != nil && !yield(s.entry) || s.entry == nil && !s.node.shuffled(yield) {
			return false
		}
	}
	return true
}

func (s slot) all(yield func(*entry) bool) bool {
	if s.entry != nil {
		return yield(s.entry)
	}
	return s.node.all(yield)
}

func (t *tree) len() int {
	if t == nil {
		return 0
	}
	return t.n
}

func (t *tree) all(yield func(*entry) bool) bool { return t == nil || t.root.all(yield) }

// differ yields what two trees have under each key at which they do not have the very
// same entry, nil for nothing. What both share is not looked at.
func (t *tree) differ(o *tree, yield func(a, b *entry) bool) bool { return t.beside(o, false, yield) }

// both yields what two trees have under each key, nil for nothing. No key is looked for: trees have
// the same keys at the same places.
func (t *tree) both(o *tree, yield func(a, b *entry) bool) bool { return t.beside(o, true, yield) }

// beside is both, or differ without what both share.
func (t *tree) beside(o *tree, shared bool, yield func(a, b *entry) bool) bool {
	var a, b slot
	if t != nil {
		a.node = t.root
	}
	if o != nil {
		b.node = o.root
	}
	return beside(a, b, 0, shared, yield)
}

// beside goes through what is in two slots: shift is the level of the nodes in them.
func beside(a, b slot, shift uint, shared bool, yield func(a, b *entry) bool) bool {
	n, o := a.node, b.node
	switch {
	case a == b:
		return !shared || a.all(func(e *entry) bool { return yield(e, e) })
	case n == nil || o == nil || shift >= hashBits:
		return entriesBeside(a, b, shift, shared, yield)
	}
	for rest := n.used | o.used; rest != 0; rest &= rest - 1 {
		bit := rest & -rest
		var x, y slot
		if n.used&bit != 0 {
			x = n.slots[n.place(bit)]
		}
		if o.used&bit != 0 {
			y = o.slots[o.place(bit)]
		}
		if !beside(x, y, shift+levelBits, shared, yield) {
			return false
		}
	}
	return true
}

// entriesBeside is beside where a side is one entry, or none, or both have entries of one hash.
func entriesBeside(a, b slot, shift uint, shared bool, yield func(a, b *entry) bool) bool {
	if x, y := a.entry, b.entry; x != nil && y != nil { // which is what most slots are
		if x.sameKey(y) {
			return yield(x, y)
		}
		return yield(x, nil) && yield(nil, y)
	}
	return a.all(func(x *entry) bool {
		y := b.get(x, shift)
		return x == y && !shared || yield(x, y)
	}) && b.all(func(y *entry) bool {
		return a.get(y, shift) != nil || yield(nil, y)
	})
}

// get returns the entry with the key of another one.
func (s slot) get(like *entry, shift uint) *entry {
	if e := s.entry; e != nil {
		if e.sameKey(like) {
			return e
		}
		return nil
	}
	return s.node.get(like.hash, like.key(), shift)
}
