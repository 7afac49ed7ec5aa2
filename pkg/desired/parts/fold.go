package parts

import (
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// holders are the parts that want one key, in their order. There may be 100,000 of them, such
// as those that want the one rule of a bridge: where they all say the same, one of them speaks
// for all.
type holders struct {
	parts []*part
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
	i, found := slices.BinarySearchFunc(h.parts, u, (*part).compare)
	if !found {
		h.parts = slices.Insert(h.parts, i, u)
	}
	if h.alike != unknown {
		other := h.parts[0]
		if other == u && len(h.parts) > 1 {
			other = h.parts[1]
		}
		o, _ := other.to(k)
		h.alike = min(h.alike, likeness(o, c))
	}
	m.held[k] = h
}

// unhold takes a part out of those that want a key.
func (m *Memory) unhold(k object.Key, u *part) {
	h := m.held[k]
	if i, found := slices.BinarySearchFunc(h.parts, u, (*part).compare); found {
		h.parts = slices.Delete(h.parts, i, i+1)
	}
	switch len(h.parts) {
	case 0:
		delete(m.held, k)
		return
	case 1:
		h.alike = unknown
	}
	m.held[k] = h
}

// alikeness is how alike all contributions to a key are; it is found out once and then kept up.
func (m *Memory) alikeness(k object.Key) alike {
	h := m.held[k]
	if h.alike == unknown {
		h.alike = entirely
		first, _ := h.parts[0].to(k)
		for _, u := range h.parts {
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
	all := p.m.held[k].parts
	if before != nil {
		i, _ := slices.BinarySearchFunc(all, before, (*part).compare)
		all = all[:i]
	}
	base, based := p.base.Get(k)
	if len(all) == 0 {
		if !based {
			return object.Entry{}, false
		}
		return object.NewEntry(base), true
	}
	how := mixed
	if !based {
		how = p.m.alikeness(k)
	}
	if c, _ := all[0].to(k); how == entirely && c.ops == nil {
		return c.alone, true
	}
	if how == butWhy {
		return manyReasons(k, all), true
	}
	var s object.Set
	if based {
		s.Put(base)
	}
	for _, u := range all {
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
func manyReasons(k object.Key, all []*part) object.Entry {
	first, _ := all[0].to(k)
	it := first.alone.Item()
	var why object.Reasons
	for _, u := range all {
		c, _ := u.to(k)
		if !why.Add(c.alone.Item().Why) {
			break
		}
	}
	it.Why = why.List()
	return object.NewEntry(it)
}
