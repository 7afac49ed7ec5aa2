package parts

import (
	"iter"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// holders are the parts that want one key, in their order. There may be 100,000 of them, such
// as those that want the one rule of a bridge: where they all say the same, one of them speaks
// for all.
type holders struct {
	ordered
	alike alike
}

// alike is how much the contributions to one key have in common.
type alike uint8

const (
	unknown  alike = iota // not compared yet
	mixed                 // anything may differ
	butWhy                // all but the reasons is the same
	entirely              // all is the same
)

// likeness compares two contributions.
func likeness(a, b contribution) alike {
	if a.ops != nil || b.ops != nil {
		return mixed
	}
	x, y := a.alone.Item(), b.alone.Item()
	if x.Equal(y) {
		return entirely
	}
	x.Why, y.Why = nil, nil
	if x.Equal(y) {
		return butWhy
	}
	return mixed
}

// hold enters a part that wants a key, or wants it otherwise than before.
func (m *Memory) hold(k object.Key, u *part, c contribution) {
	h := m.held[k]
	h.enter(u)
	if other := h.other(u); h.alike != unknown && other != nil {
		o, _ := other.to(k)
		h.alike = min(h.alike, likeness(o, c))
	}
	m.held[k] = h
}

// unhold takes a part out of those that want a key.
func (m *Memory) unhold(k object.Key, u *part) {
	h := m.held[k]
	h.leave(u)
	if h.empty() {
		delete(m.held, k)
		return
	}
	if h.single() {
		h.alike = unknown
	}
	m.held[k] = h
}

// alikeness is how alike all contributions to a key are; it is found out once and then kept up.
func (m *Memory) alikeness(k object.Key) alike {
	h := m.held[k]
	if h.alike == unknown {
		h.alike = entirely
		first, _ := h.first().to(k)
		for u := range h.all() {
			c, _ := u.to(k)
			h.alike = min(h.alike, likeness(first, c))
		}
		m.held[k] = h
	}
	return h.alike
}

// fold puts together what stands under a key, by what was there before the pass and by all parts
// that want it: those before one of them, or all if that is nil. A later part that wants what
// does not go together with that runs again, and finds out.
func (p *Pass) fold(k object.Key, before *part) (object.Entry, bool) {
	held := p.m.held[k]
	base, based := p.base.Get(k)
	if held.empty() || before != nil && held.first().compare(before) >= 0 {
		if !based {
			return object.Entry{}, false
		}
		return object.NewEntry(base), true
	}
	how := mixed
	if !based {
		how = p.m.alikeness(k)
	}
	if c, _ := held.first().to(k); how == entirely && c.ops == nil {
		return c.alone, true
	}
	if how == butWhy {
		return manyReasons(k, held.first(), held.before(before)), true
	}
	var s object.Set
	if based {
		s.Put(base)
	}
	for u := range held.before(before) {
		c, _ := u.to(k)
		if c.do(&s) != nil && before == nil {
			u.mark()
		}
	}
	it, ok := s.Get(k)
	if !ok {
		return object.Entry{}, false
	}
	return object.NewEntry(it), true
}

// manyReasons is the item that all these parts want, each for its own reasons.
func manyReasons(k object.Key, first *part, all iter.Seq[*part]) object.Entry {
	alone, _ := first.to(k)
	it := alone.alone.Item()
	var why object.Reasons
	for u := range all {
		c, _ := u.to(k)
		if !why.Add(c.alone.Item().Why) {
			break
		}
	}
	it.Why = why.List()
	return object.NewEntry(it)
}
