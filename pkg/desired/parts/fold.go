package parts

import (
	"iter"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// holders are the parts that want one key: one, as for most keys, or many.
type holders struct {
	one  *part
	many *crowd
}

// crowd are the parts that want one key, in their order. There may be 100,000 of them, such
// as those that want the one rule of a bridge: where they all say the same, one of them speaks
// for all.
type crowd struct {
	ordered
	alike alike
}

// first is the first of them; nil if there is none.
func (h holders) first() *part {
	if h.many != nil {
		return h.many.first()
	}
	return h.one
}

// other is one of them that is not u; nil if there is none.
func (h holders) other(u *part) *part {
	switch {
	case h.many != nil:
		return h.many.other(u)
	case h.one != u:
		return h.one
	default:
		return nil
	}
}

// before yields those before one of the parts, or all if that is nil.
func (h holders) before(end *part) iter.Seq[*part] {
	if h.many != nil {
		return h.many.before(end)
	}
	return func(yield func(*part) bool) {
		if h.one != nil && (end == nil || h.one.compare(end) < 0) {
			yield(h.one)
		}
	}
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
	if a.alone == b.alone {
		return entirely
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

// hold enters a part that wants a key, or wants it otherwise than before. Where another part wants
// the same, both have one entry from then on: 100,000 ports want the rule of their bridge.
func (m *Memory) hold(k object.Key, u *part, c *contribution) {
	h := m.held[k]
	how := mixed
	if other := h.other(u); other != nil {
		o, _ := other.to(k)
		if how = likeness(o, *c); how == entirely {
			c.alone = o.alone
		}
	}
	switch {
	case h.many != nil:
		h.many.enter(u)
		if h.many.alike != unknown {
			h.many.alike = min(h.many.alike, how)
		}
	case h.one == nil:
		m.held[k] = holders{one: u}
	case h.one != u:
		all := &crowd{}
		all.enter(h.one)
		all.enter(u)
		m.held[k] = holders{many: all}
	}
}

// unhold takes a part out of those that want a key.
func (m *Memory) unhold(k object.Key, u *part) {
	h := m.held[k]
	if h.many == nil {
		if h.one == u {
			delete(m.held, k)
		}
		return
	}
	h.many.leave(u)
	if last := h.many.single(); last != nil {
		m.held[k] = holders{one: last}
	}
}

// alikeness is how alike all contributions to a key are; it is found out once and then kept up.
func (h holders) alikeness(k object.Key) alike {
	if h.many == nil {
		return entirely
	}
	if h.many.alike == unknown {
		h.many.alike = entirely
		first, _ := h.first().to(k)
		for u := range h.many.all() {
			c, _ := u.to(k)
			h.many.alike = min(h.many.alike, likeness(first, c))
		}
	}
	return h.many.alike
}

// fold puts together what stands under a key, by what was there before the pass and by all parts
// that want it: those before one of them, or all if that is nil. A later part that wants what
// does not go together with that runs again, and finds out.
func (p *Pass) fold(k object.Key, before *part) (object.Entry, bool) {
	held := p.m.held[k]
	base, based := p.base.Get(k)
	first := held.first()
	if first == nil || before != nil && first.compare(before) >= 0 {
		if !based {
			return object.Entry{}, false
		}
		return object.NewEntry(base), true
	}
	how := mixed
	if !based {
		how = held.alikeness(k)
	}
	if c, _ := first.to(k); how == entirely && c.ops == nil {
		return c.alone, true
	}
	if how == butWhy {
		return manyReasons(k, first, held.before(before)), true
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
