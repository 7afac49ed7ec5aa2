package object

import (
	"fmt"
	"iter"
	"slices"
)

// ConflictError reports that a key is wanted with two different values.
type ConflictError struct {
	Key       Key
	Have, Add Item
}

// Error names both values and where they come from.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: %q from %v is used, %q from %v is left out",
		e.Key.Text(), e.Have.Value.Attrs(), e.Have.Why, e.Add.Value.Attrs(), e.Add.Why)
}

// Set holds at most one item a key. The zero value is an empty set. A Set that
// has been handed on must not be changed; a [Set.Clone] costs nothing and may be.
//
// It is a persistent structure (tree.go): sets that came from one another share what they
// have in common, and [Set.Differ] looks at the rest only. There is one tree a kind, so
// that the sets of several backends, whose kinds are disjoint, unite at once.
type Set struct {
	byKind [len(table) + 1]*tree // by place
	// owner may change nodes in place; nil owns none.
	owner *owner
	// undo is set once Atomically has been called.
	undo *undo
}

// SetOf returns a set of bare values; equal keys are a *ConflictError.
func SetOf(values ...Value) (Set, error) {
	var s Set
	for _, v := range values {
		if err := s.Add(Item{Value: v}); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Union returns a set of all items of its arguments, which must have no kind in common.
// Of a kind that several have, the last one counts.
func Union(sets ...Set) Set {
	var u Set
	for _, s := range sets {
		s.freeze()
		for k, items := range s.byKind {
			if items != nil && items.n > 0 {
				u.byKind[k] = items
			}
		}
	}
	return u
}

// Exchange puts the items of a kind of another set in the place of those of s.
// [Set.Atomically] does not take it back.
func (s *Set) Exchange(k Kind, of Set) {
	of.freeze()
	s.byKind[places[k]] = of.byKind[places[k]]
}

// freeze keeps everybody from changing in place what the set has now.
func (s Set) freeze() {
	if s.owner != nil && !s.owner.frozen.Load() {
		s.owner.frozen.Store(true)
	}
}

// edit returns the tree of a kind, to be changed in place.
func (s *Set) edit(k Kind) *tree {
	if s.owner == nil || s.owner.frozen.Load() {
		s.owner = new(owner)
	}
	at := &s.byKind[places[k]]
	*at = (*at).editable(s.owner)
	return *at
}

// Add puts it in the set. Adding an equal value twice merges provenance and
// needs; an unblocked reason lifts a block, because one good reason is enough.
// Of two different values under one key that of the higher Rank stands and all
// else is merged in the same way; without ranks, or with equal ones, it is a
// *ConflictError and leaves the set as it was: the first one wins, so callers
// add in a fixed order.
func (s *Set) Add(it Item) error {
	return s.AddEntry(NewEntry(it))
}

// merge adds the item of an entry to what stands under its key.
func (s *Set) merge(add, standing *entry) error {
	it, old := add.item(), standing.item()
	if old.Value != it.Value {
		if old.Rank == 0 || it.Rank == 0 || old.Rank == it.Rank {
			return &ConflictError{Key: add.key(), Have: old, Add: it}
		}
		if it.Rank < old.Rank {
			it.Value = old.Value
		}
	}
	it.Rank = max(old.Rank, it.Rank)
	switch {
	case it.Block != nil && old.Block == nil:
		it.After, it.Shared, it.Block = old.After, old.Shared, nil
	case it.Block == nil && old.Block == nil:
		it.After = mergeKeys(old.After, it.After)
		if !slices.Equal(old.Shared, it.Shared) {
			it.After, it.Shared = union(it.After, it.Shared), old.Shared
		}
	}
	it.Why = mergeWhy(old.Why, it.Why)
	it.Keeps = mergeKeys(old.Keeps, it.Keeps)
	it.Marked = it.Marked || old.Marked
	s.put(add.hash, add.key(), it, standing)
	return nil
}

// whyMax bounds the provenance of one value: what every port of a network wants,
// such as a proxy entry, needs no list of 100,000 reasons, and searching it for
// each of them would take a time that grows with the square.
const whyMax = 16

func mergeWhy(have, add []Source) []Source {
	if len(have) >= whyMax {
		return have
	}
	return MergeSources(have, add)
}

// MergeSources appends the sources that are new to a copy of have. One row by one rule
// is one source, with all that either says of it.
func MergeSources(have, add []Source) []Source { return mergeSources(slices.Clip(have), add, false) }

// mergeSources is MergeSources; it may change have itself if that is the caller's own.
func mergeSources(out, add []Source, own bool) []Source {
	for _, x := range add {
		i := slices.IndexFunc(out, func(y Source) bool { return x.named() == y.named() })
		switch {
		case i < 0:
			out, own = append(out, x), true // a copy: what is not our own is clipped
		case out[i] != x:
			if !own {
				out, own = slices.Clone(out), true
			}
			out[i].Decides = out[i].Decides || x.Decides
			if out[i].Lists == "" {
				out[i].Lists = x.Lists
			}
		}
	}
	return out
}

// Reasons collects the provenance of an item that many want, as adding theirs to a set one after
// the other would, without a copy for each.
type Reasons struct {
	why   []Source
	begun bool
}

// Add merges the reasons of one more, and reports whether there is room for others.
func (r *Reasons) Add(why []Source) bool {
	switch {
	case !r.begun:
		r.why, r.begun = append(make([]Source, 0, whyMax), why...), true
	case len(r.why) < whyMax:
		r.why = mergeSources(r.why, why, true)
	}
	return len(r.why) < whyMax
}

// List is what has been collected.
func (r *Reasons) List() []Source { return r.why }

// named is the source without what it says of the row.
func (s Source) named() Source {
	s.Decides, s.Lists = false, ""
	return s
}

// mergeKeys is union for lists that usually are the same.
func mergeKeys(have, add []Key) []Key {
	if len(have) == 0 || slices.Equal(have, add) {
		return add
	}
	return union(have, add)
}

// union appends what is new to a clipped copy of have, so that slices shared
// between items are never written through.
func union[T comparable](have, add []T) []T {
	out := slices.Clip(have)
	for _, x := range add {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// Keep adds to what the item under k keeps; without such an item it does nothing.
func (s *Set) Keep(k Key, keys ...Key) {
	hash := hashOf(k)
	if standing := s.byKind[places[k.Kind]].get(hash, k); standing != nil {
		it := standing.item()
		it.Keeps = union(it.Keeps, keys)
		s.put(hash, k, it, standing)
	}
}

// Put stores it, replacing what is there under its key.
func (s *Set) Put(it Item) {
	k := it.Value.Key()
	hash := hashOf(k)
	var standing *entry
	if s.undoing() {
		standing = s.byKind[places[k.Kind]].get(hash, k)
	}
	s.put(hash, k, it, standing)
}

// put stores an item; standing is what is there under its key, if anybody may want it back.
func (s *Set) put(hash uint64, k Key, it Item, standing *entry) {
	s.putEntry(k, newEntry(hash, it), standing)
}

// putEntry is put of an entry, which may be another set's.
func (s *Set) putEntry(k Key, e, standing *entry) {
	s.record(e.hash, k, standing)
	s.edit(k.Kind).put(s.owner, e)
}

// Remove takes the key out.
func (s *Set) Remove(k Key) {
	hash := hashOf(k)
	if standing := s.byKind[places[k.Kind]].get(hash, k); standing != nil {
		s.record(hash, k, standing)
		s.edit(k.Kind).remove(s.owner, hash, k)
	}
}

// Get returns the item under k.
func (s Set) Get(k Key) (Item, bool) {
	if e := s.byKind[places[k.Kind]].get(hashOf(k), k); e != nil {
		return e.item(), true
	}
	return Item{}, false
}

// Has reports whether k is in the set.
func (s Set) Has(k Key) bool { return s.byKind[places[k.Kind]].get(hashOf(k), k) != nil }

// Len is the number of items.
func (s Set) Len() int {
	n := 0
	for _, items := range s.byKind {
		n += items.len()
	}
	return n
}

// LenOf is the number of items of one kind.
func (s Set) LenOf(k Kind) int { return s.byKind[places[k]].len() }

// All yields the items kind by kind, and within a kind in an order without a meaning, the same
// for a set each time, for passes whose result does not depend on it. What is changed meanwhile is yielded as it was.
func (s Set) All() iter.Seq2[Key, Item] {
	return func(yield func(Key, Item) bool) {
		s.freeze()
		for _, items := range s.byKind {
			if !items.all(func(e *entry) bool { return yield(e.key(), e.item()) }) {
				return
			}
		}
	}
}

// AllOf yields the items of one kind as All does.
func (s Set) AllOf(k Kind) iter.Seq2[Key, Item] {
	return func(yield func(Key, Item) bool) {
		s.freeze()
		s.byKind[places[k]].all(func(e *entry) bool { return yield(e.key(), e.item()) })
	}
}

// Reuse returns a set of the items of s that shares with former all that is equal in both:
// what [Set.Differ] then yields has changed. before has items equal to those of former, and
// what s shares with it costs nothing.
func (s Set) Reuse(before, former Set) Set {
	out := former.Clone()
	for k := range s.Differ(before) {
		hash := hashOf(k)
		new, old := s.byKind[places[k.Kind]].get(hash, k), former.byKind[places[k.Kind]].get(hash, k)
		switch {
		case new == nil && old == nil:
		case new == nil:
			out.edit(k.Kind).remove(out.owner, hash, k)
		case old == nil || !old.item().Equal(new.item()):
			out.edit(k.Kind).put(out.owner, new)
		}
	}
	return out
}

// Shuffled yields the items of one kind in another order each time, so that the first few
// are a sample. It is All of one kind otherwise.
func (s Set) Shuffled(k Kind) iter.Seq2[Key, Item] {
	return func(yield func(Key, Item) bool) {
		s.freeze()
		if items := s.byKind[places[k]]; items != nil {
			items.root.shuffled(func(e *entry) bool { return yield(e.key(), e.item()) })
		}
	}
}

// Pair is what two sets have under a key: entries, of which one may be none.
type Pair struct{ A, B Entry }

// Key is the key of both.
func (p Pair) Key() Key {
	if p.A.Is() {
		return p.A.Key()
	}
	return p.B.Key()
}

// Both yields what two sets have under each key that one of them has, in no order. It costs one walk through both,
// and no look-ups.
func (s Set) Both(o Set) iter.Seq[Pair] {
	return func(yield func(Pair) bool) {
		s.freeze()
		o.freeze()
		for place := range s.byKind {
			if !s.byKind[place].both(o.byKind[place], func(a, b *entry) bool { return yield(Pair{Entry{a}, Entry{b}}) }) {
				return
			}
		}
	}
}

// Differ yields the keys under which s and o do not have the very same item, kind by kind
// and within a kind in no order. An item that was put into both separately is yielded
// although it may be equal; one that came to both from a common set is not, and costs nothing.
func (s Set) Differ(o Set) iter.Seq[Key] {
	return s.differ(o, func(_, _ *entry) bool { return true })
}

// Unlike yields the keys under which s and o do not have equal items. What both share costs
// nothing, as with Differ; what was put into both separately is compared.
func (s Set) Unlike(o Set) iter.Seq[Key] {
	return s.differ(o, func(a, b *entry) bool { return a == nil || b == nil || !a.equal(b) })
}

// differ yields the keys under which s and o do not have the very same item, of those that counts
// says yes to.
func (s Set) differ(o Set, counts func(a, b *entry) bool) iter.Seq[Key] {
	return func(yield func(Key) bool) {
		s.freeze()
		o.freeze()
		for place := range s.byKind {
			ok := s.byKind[place].differ(o.byKind[place], func(a, b *entry) bool {
				if !counts(a, b) {
					return true
				}
				if a == nil {
					a = b
				}
				return yield(a.key())
			})
			if !ok {
				return
			}
		}
	}
}

// Sorted returns the items in key order, which is dependency order.
func (s Set) Sorted() []Item {
	out := make([]Item, 0, s.Len())
	for _, t := range table {
		out = append(out, s.SortedOf(t.kind)...)
	}
	return out
}

// SortedOf returns the items of one kind in key order.
func (s Set) SortedOf(k Kind) []Item {
	items := s.byKind[places[k]]
	entries := make([]keyed, 0, items.len())
	items.all(func(e *entry) bool {
		entries = append(entries, keyed{e.key(), e})
		return true
	})
	slices.SortFunc(entries, func(a, b keyed) int { return a.key.Compare(b.key) })
	out := make([]Item, len(entries))
	for i, e := range entries {
		out[i] = e.item()
	}
	return out
}

// keyed is an entry as it is sorted.
type keyed struct {
	key Key
	*entry
}

// Same reports whether two sets are the very same data: not merely equal, but
// one handed on as it was. It costs nothing, and is how the rest of a round is
// saved when nothing has changed.
func (s Set) Same(o Set) bool { return s.byKind == o.byKind }

// Clone returns a set that can be changed without changing s, and the other way round. It
// copies nothing.
func (s Set) Clone() Set {
	s.freeze()
	return Set{byKind: s.byKind}
}

// Only returns the part of s with these kinds, sharing what it has.
func (s Set) Only(kinds ...Kind) Set {
	s.freeze()
	var o Set
	for _, k := range kinds {
		o.byKind[places[k]] = s.byKind[places[k]]
	}
	return o
}

// Of returns the values of one type in key order.
func Of[T Value](s Set) []T {
	var out []T
	for _, it := range s.Sorted() {
		if v, ok := it.Value.(T); ok {
			out = append(out, v)
		}
	}
	return out
}
