package object

// Entry is an item as sets store it: those that have it share it. The zero value is none.
type Entry struct{ e *entry }

// NewEntry returns an entry of an item, which is in no set yet.
func NewEntry(it Item) Entry {
	return Entry{newEntry(hashOf(it.Value.Key()), it)}
}

// Key is that of the item.
func (e Entry) Key() Key { return e.e.key() }

// Item is what is stored. What it has of slices must not be changed.
func (e Entry) Item() Item { return e.e.item() }

// Is reports whether it is an entry at all.
func (e Entry) Is() bool { return e.e != nil }

// Value is that of the item.
func (e Entry) Value() Value { return e.e.value }

// Blocked reports whether the item has a block.
func (e Entry) Blocked() bool { return e.e.blocked }

// Holds reports whether the entry has just this item, whatever its rank: that is for those who want
// the same key in the same pass.
func (e Entry) Holds(it Item) bool {
	if e.e == nil {
		return false
	}
	it.Rank = e.e.rank
	return e.e.item().Equal(it)
}

// Entry returns what the set has under a key, to be shared with another one; none if it has nothing.
func (s Set) Entry(k Key) Entry {
	return Entry{s.byKind[places[k.Kind]].get(hashOf(k), k)}
}

// AddEntry is Add of an entry's item; where nothing stands under its key the set shares the entry.
func (s *Set) AddEntry(e Entry) error {
	k := e.e.key()
	standing := s.byKind[places[k.Kind]].get(e.e.hash, k)
	if standing != nil {
		return s.merge(e.e, standing)
	}
	s.putEntry(k, e.e, nil)
	return nil
}

// PutEntry is Put of an entry's item; the set shares the entry.
func (s *Set) PutEntry(e Entry) {
	k := e.e.key()
	var standing *entry
	if s.undoing() {
		standing = s.byKind[places[k.Kind]].get(e.e.hash, k)
	}
	s.putEntry(k, e.e, standing)
}
