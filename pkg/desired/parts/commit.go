package parts

import (
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// part is what was derived from one row, or by one phase as a whole.
type part struct {
	name string
	in   *stretch
	row  any
	// adds are what it wants, one for each key.
	adds []contribution
	*said
}

// said is what a part has to be known of beside what it wants. There are 100,000 parts of which
// there is nothing: all of them have silent, which is never written; see [part.say].
type said struct {
	// by are the places in adds by key, where there are many.
	by    map[object.Key]int
	skips []observe.Skip
	// rows, uuids, keys, datapaths and asked are what it asked for, the last of facts, facts are those
	// that it told, and hands what it handed to parts of later phases.
	rows             []string
	uuids, datapaths []observe.UUID
	keys             []object.Key
	asked, facts     []any
	hands            []handing
	notes            []noting
}

var silent = &said{}

// newPart is a part that has not run yet.
func newPart(st *stretch, name string) *part { return &part{name: name, in: st, said: silent} }

// say is what a part says, to be changed.
func (u *part) say() *said {
	if u.said == silent {
		u.said = &said{}
	}
	return u.said
}

// op is one call of a part that changed its view of the set: it added an entry, or had an item
// keep more.
type op struct {
	add  object.Entry
	keep *keeping
}

type keeping struct {
	key  object.Key
	keys []object.Key
}

func (o op) key() object.Key {
	if o.keep != nil {
		return o.keep.key
	}
	return o.add.Key()
}

// do applies it to a set. An error says that something else stands under its key.
func (o op) do(s *object.Set) error {
	if o.keep != nil {
		s.Keep(o.keep.key, o.keep.keys...)
		return nil
	}
	return s.AddEntry(o.add)
}

// contribution is all that a part did to one key. alone is what came of it where nothing else
// stood; ops are given instead if that does not say all, because what comes of them one by one
// depends on what stands: two different items, or one of others that is to keep something.
type contribution struct {
	alone object.Entry
	ops   []op
}

func (c contribution) key() object.Key {
	if c.ops != nil {
		return c.ops[0].key()
	}
	return c.alone.Key()
}

// do applies it to a set.
func (c contribution) do(s *object.Set) error {
	if c.ops == nil {
		return s.AddEntry(c.alone)
	}
	for _, o := range c.ops {
		if err := o.do(s); err != nil {
			return err
		}
	}
	return nil
}

func (c contribution) equal(o contribution) bool {
	return c.ops == nil && o.ops == nil && (c.alone == o.alone || c.alone.Item().Equal(o.alone.Item()))
}

// many is from how many keys on a part finds them by a map.
const many = 16

// gather turns what a part did into one contribution for each key.
func gather(ops []op) ([]contribution, map[object.Key]int) {
	out := make([]contribution, 0, len(ops))
	var by map[object.Key]int
	var kept map[int][]op // what an item that was added is to keep, by its place
	if len(ops) > many {
		by = make(map[object.Key]int, len(ops))
	}
	first := make([]object.Entry, 0, len(ops))
	for _, o := range ops {
		i := find(out, by, o.key())
		if i < 0 {
			if by != nil {
				by[o.key()] = len(out)
			}
			c := contribution{alone: o.add}
			if o.keep != nil {
				c.ops = []op{o}
			}
			out, first = append(out, c), append(first, o.add)
			continue
		}
		switch c := &out[i]; {
		case c.ops != nil:
			c.ops = append(c.ops, o)
		case o.keep != nil:
			var s object.Set
			s.PutEntry(c.alone)
			s.Keep(o.keep.key, o.keep.keys...)
			it, _ := s.Get(o.key())
			c.alone = object.NewEntry(it)
			if kept == nil {
				kept = map[int][]op{}
			}
			kept[i] = append(kept[i], o)
		case first[i].Item().Equal(o.add.Item()): // the same once more
		default:
			*c = contribution{ops: append(append([]op{{add: first[i]}}, kept[i]...), o)}
		}
	}
	return out, by
}

func find(in []contribution, by map[object.Key]int, k object.Key) int {
	if by != nil {
		if i, ok := by[k]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(in, func(c contribution) bool { return c.key() == k })
}

// to returns what the part contributes to a key.
func (u *part) to(k object.Key) (contribution, bool) {
	i := find(u.adds, u.by, k)
	if i < 0 {
		return contribution{}, false
	}
	return u.adds[i], true
}

// mark has the part run again in this pass. It must not have been its turn yet.
func (u *part) mark() { u.in.push(u.name) }

// run has a part derive, and takes over what came of it.
func (p *Pass) run(u *part, derive func()) {
	if p.running != nil {
		panic("a part is begun within another one")
	}
	p.turn()
	old := part{adds: u.adds, said: u.said}
	p.forget(u)
	p.running, p.local = u, object.Set{}
	clear(p.ops)
	p.ops = p.ops[:0]
	derive()
	p.running = nil
	p.telling(u, old.facts)
	p.handing(u, old.hands)
	p.noting(u, old.notes)
	adds, by := gather(p.ops)
	if u.adds = adds; by != nil || u.by != nil {
		u.say().by = by
	}
	if len(u.skips) > 0 {
		u.in.telling[u] = true
	}
	if p.fresh {
		for i := range u.adds {
			p.m.hold(u.adds[i].key(), u, &u.adds[i])
		}
		return
	}
	for i := range u.adds {
		c := &u.adds[i]
		before, had := old.to(c.key())
		if had && c.equal(before) {
			c.alone = before.alone
			continue
		}
		p.m.hold(c.key(), u, c)
		p.touched(c.key(), u)
	}
	for _, c := range old.adds {
		if _, has := u.to(c.key()); !has {
			p.leave(c.key(), u)
		}
	}
}

// drop takes a part away with all that it contributed.
func (p *Pass) drop(u *part) {
	old := u.said
	p.forget(u)
	p.telling(u, old.facts)
	p.handing(u, old.hands)
	p.noting(u, old.notes)
	for _, c := range u.adds {
		p.leave(c.key(), u)
	}
	delete(u.in.parts, u.name)
}

// leave takes a part out of those that want a key.
func (p *Pass) leave(k object.Key, u *part) {
	p.m.unhold(k, u)
	p.touched(k, u)
}

// forget takes back what a part asked for and complained of.
func (p *Pass) forget(u *part) {
	for _, name := range u.rows {
		without(p.m.rowReaders, name, u)
	}
	for _, k := range u.keys {
		without(p.m.keyReaders, k, u)
	}
	for _, d := range u.datapaths {
		without(p.m.groupReaders, d, u)
	}
	for _, id := range u.uuids {
		without(p.m.uuidReaders, id, u)
	}
	for _, f := range u.asked {
		without(p.m.factReaders, f, u)
	}
	by := u.by // of what it wants, which stays until it has run
	if u.said = silent; by != nil {
		u.say().by = by
	}
	delete(u.in.telling, u)
}

// asks notes that a part asked for something; twice is once.
func asks[K comparable](readers map[K][]*part, k K, u *part) (first bool) {
	list := readers[k]
	if n := len(list); n > 0 && list[n-1] == u {
		return false // nobody else has run since
	}
	readers[k] = append(list, u)
	return true
}

func without[K comparable](readers map[K][]*part, k K, u *part) {
	list := readers[k]
	if i := slices.Index(list, u); i >= 0 {
		list[i] = list[len(list)-1]
		list = list[:len(list)-1]
	}
	if len(list) == 0 {
		delete(readers, k)
		return
	}
	readers[k] = list
}

// touched puts a key together again, to which the contribution of a part has changed, or what
// was there before the pass if that is nil. Later parts that asked for it run again.
func (p *Pass) touched(k object.Key, by *part) {
	if e, ok := p.fold(k, nil); !ok {
		p.out.Remove(k)
	} else if had, there := p.out.Get(k); !there || !had.Equal(e.Item()) {
		p.out.PutEntry(e)
	}
	for _, u := range p.m.keyReaders[k] {
		if by == nil || by.compare(u) < 0 {
			u.mark()
		}
	}
}
