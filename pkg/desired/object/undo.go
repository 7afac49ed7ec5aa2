package object

// undo remembers how to take back changes of a Set.
type undo struct {
	// depth counts the calls of Atomically that are running.
	depth   int
	changes []change
}

// change is what stood under a key before it was written; nil is nothing.
type change struct {
	hash uint64
	key  Key
	old  *entry
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
		switch items := s.edit(c.key.Kind); {
		case c.old != nil:
			items.put(s.owner, c.old)
		case items.get(c.hash, c.key) != nil:
			items.remove(s.owner, c.hash, c.key)
		}
	}
	clear(u.changes[n:])
	u.changes = u.changes[:n]
}

// undoing reports whether what stands may be wanted back.
func (s *Set) undoing() bool { return s.undo != nil && s.undo.depth > 0 }

// record remembers what stands under a key that is about to change, nil for nothing, if
// anybody may want it back.
func (s *Set) record(hash uint64, k Key, standing *entry) {
	if s.undoing() {
		s.undo.changes = append(s.undo.changes, change{hash, k, standing})
	}
}
