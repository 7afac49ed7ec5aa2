package object

// Entry is an item as sets store it: those that have it share it. The zero value is none.
type Entry struct{ e *entry }

// NewEntry returns an entry of an item, which is in no set yet.
func NewEntry(it Item) Entry {
	k := it.Value.Key()
	return Entry{&entry{hashOf(k), k, it}}
}

// Key is that of the item.
func (e Entry) Key() Key { return e.e.key }

// Item is what is stored. What it has of slices must not be changed.
func (e Entry) Item() Item { return e.e.item }

// AddEntry is Add of an entry's item; where nothing stands under its key the set shares the entry.
func (s *Set) AddEntry(e Entry) error {
	standing := s.byKind[places[e.e.key.Kind]].get(e.e.hash, e.e.key)
	if standing != nil {
		return s.merge(e.e, standing)
	}
	s.putEntry(e.e, nil)
	return nil
}

// PutEntry is Put of an entry's item; the set shares the entry.
func (s *Set) PutEntry(e Entry) {
	var standing *entry
	if s.undoing() {
		standing = s.byKind[places[e.e.key.Kind]].get(e.e.hash, e.e.key)
	}
	s.putEntry(e.e, standing)
}
