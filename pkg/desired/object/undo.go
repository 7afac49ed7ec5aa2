package object

// undo remembers how to take back changes of a Set.
type undo struct {
	// depth counts the calls of Atomically that are running.
	depth   int
	changes []change
}

// change is what stood under a key before it was written.
type change struct {
	key  Key
	old  Item
	none bool // nothing stood there
}

// Atomically calls fill, which changes the set through whatever it holds. If fill
// panics, the set is as it was before and the panic goes on; otherwise all of its
// changes stay. Calls may be nested: each takes back its own changes only.
func (s *Set) Atomically(fill func()) {
	if s.undo == nil {
		s.undo = &undo{}
	}
	u := s.undo
	u.depth++
	mark, done := len(u.changes), false
	defer func() {
		if !done {
			s.restore(mark)
		}
		if u.depth--; u.depth == 0 {
			clear(u.changes) // items are kept alive by nothing else
			u.changes = u.changes[:0]
		}
	}()
	fill()
	done = true
}

// restore takes back all changes but the first n, the last one first.
func (s *Set) restore(n int) {
	u := s.undo
	for i := len(u.changes) - 1; i >= n; i-- {
		c := u.changes[i]
		items := s.byKind[places[c.key.Kind]]
		if c.none {
			delete(items, c.key)
			continue
		}
		items[c.key] = c.old
	}
	clear(u.changes[n:])
	u.changes = u.changes[:n]
}

// record remembers what stands under a key that is about to change, if anybody may
// want it back; ok says whether anything does.
func (s *Set) record(k Key, old Item, ok bool) {
	if s.undo != nil && s.undo.depth > 0 {
		s.undo.changes = append(s.undo.changes, change{k, old, !ok})
	}
}
