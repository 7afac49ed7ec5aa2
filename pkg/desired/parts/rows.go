package parts

import (
	"cmp"
	"container/heap"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// place is a phase, and what of it: a phase may be come by several times, such as once for each
// network. It is part of the order.
type place struct {
	phase int
	of    string
}

func (a place) compare(b place) int {
	return cmp.Or(cmp.Compare(a.phase, b.phase), strings.Compare(a.of, b.of))
}

// stretch is what a memory has of a place.
type stretch struct {
	parts   map[string]*part
	telling map[*part]bool // those that complained of something
	// queue are names of parts that run again in this pass.
	queue names
	// pass is the last one that came by, rows and given are those of it, and value is what it
	// came to, where that is one.
	pass               uint64
	rows, given, value any
}

// push enters a name in the queue.
func (st *stretch) push(name string) { heap.Push(&st.queue, name) }

// names are a heap: the first in the order is at 0.
type names []string

func (n names) Len() int           { return len(n) }
func (n names) Less(i, j int) bool { return n[i] < n[j] }
func (n names) Swap(i, j int)      { n[i], n[j] = n[j], n[i] }
func (n *names) Push(x any)        { *n = append(*n, x.(string)) }
func (n *names) Pop() any {
	last := (*n)[len(*n)-1]
	*n = (*n)[:len(*n)-1]
	return last
}

// stretch comes by a place.
func (p *Pass) stretch(phase, of string) (st *stretch, at place, known bool) {
	i := slices.Index(p.phases, phase)
	if i < 0 {
		panic(fmt.Sprintf("phase %q is not among those of the pass", phase))
	}
	at = place{i, of}
	p.passBy(at)
	st, known = p.m.stretches[at]
	if !known {
		st = &stretch{parts: map[string]*part{}, telling: map[*part]bool{}}
		p.m.stretches[at] = st
		p.m.places = slices.Insert(p.m.places, p.next, at)
	}
	p.next++
	known = known && st.pass == p.m.passes-1
	st.pass = p.m.passes
	return st, at, known
}

// passBy drops the places before one that were not come by in this pass, so that what is derived
// there does not find what they led to.
func (p *Pass) passBy(at place) {
	if p.next > 0 && p.m.places[p.next-1].compare(at) >= 0 {
		panic(fmt.Sprintf("phase %q %s is come by out of order", p.phases[at.phase], at.of))
	}
	n := p.next
	for n < len(p.m.places) && p.m.places[n].compare(at) < 0 {
		n++
	}
	p.abandon(n)
}

// abandon drops the places from the next one to, but not including, the n-th.
func (p *Pass) abandon(n int) {
	for _, gone := range p.m.places[p.next:n] {
		for _, u := range p.m.stretches[gone].parts {
			p.drop(u)
		}
		delete(p.m.stretches, gone)
	}
	p.m.places = slices.Delete(p.m.places, p.next, n)
}

// Rows calls derive for each row, as a part of a phase: in order, where nothing is remembered,
// and otherwise for those that have to do with what has changed. Rows are sorted by their names,
// which differ, and are never changed. given is what all of them are derived with beside
// the pass: if it differs from that of the last pass, all run.
func Rows[R any](p *Pass, phase, of string, given any, rows []*R, name func(*R) string, derive func(*R)) {
	if p.m == nil {
		for _, r := range rows {
			derive(r)
		}
		return
	}
	st, at, known := p.stretch(phase, of)
	former, _ := st.rows.([]*R)
	whole := !known || !reflect.DeepEqual(st.given, given)
	st.rows, st.given = rows, given
	one := func(name string, r *R) {
		u := st.parts[name]
		if u == nil {
			u = &part{at: at, name: name, in: st}
		}
		u.row = r
		p.run(u, func() { derive(r) })
		st.remember(u)
	}
	byName := func(r *R, n string) int { return strings.Compare(name(r), n) }
	if whole {
		for n, u := range st.parts {
			if _, there := slices.BinarySearchFunc(rows, n, byName); !there {
				p.drop(u)
			}
		}
		for _, r := range rows {
			one(name(r), r)
		}
		st.queue = st.queue[:0]
		return
	}
	changed := map[string]*R{}
	note := func(n string, r *R) {
		changed[n] = r
		st.push(n)
	}
	if gone, came, ok := portsThatDiffer(p, former, rows); ok {
		for _, r := range gone {
			note(name(r), nil)
		}
		for _, r := range came {
			note(name(r), r)
		}
	} else {
		differing(former, rows, name, note)
	}
	last, any := "", false
	for len(st.queue) > 0 {
		n, _ := heap.Pop(&st.queue).(string)
		if any && n == last {
			continue
		}
		last, any = n, true
		r, is := changed[n]
		u := st.parts[n]
		switch {
		case is && r != nil:
			one(n, r)
		case is && u != nil:
			p.drop(u)
		case !is && u != nil:
			one(n, u.row.(*R))
		}
	}
}

// portsThatDiffer are what differs between two lists, if these are all ports of the last pass
// and of this one: that has been found out already.
func portsThatDiffer[R any](p *Pass, old, new []*R) (gone, came []*R, ok bool) {
	a, isPorts := any(old).([]*observe.PortBinding)
	b, _ := any(new).([]*observe.PortBinding)
	if !isPorts || !sameList(a, p.former) || !sameList(b, p.ports) {
		return nil, nil, false
	}
	gone, _ = any(p.gone).([]*R)
	came, _ = any(p.came).([]*R)
	return gone, came, true
}

// sameList reports whether a list is the very same as another one.
func sameList(a, b []*observe.PortBinding) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// differing yields the names of rows that came, went (nil) or changed.
func differing[R any](old, new []*R, name func(*R) string, yield func(string, *R)) {
	i, j := 0, 0
	if len(old) > 0 && len(old) == len(new) && &old[0] == &new[0] {
		return // the same list
	}
	for i < len(old) || j < len(new) {
		switch {
		case i < len(old) && j < len(new) && old[i] == new[j]:
			i, j = i+1, j+1
			continue
		case j == len(new) || i < len(old) && name(old[i]) < name(new[j]):
			yield(name(old[i]), nil)
			i++
			continue
		case i == len(old) || name(old[i]) > name(new[j]):
			yield(name(new[j]), new[j])
			j++
		default:
			yield(name(new[j]), new[j])
			i, j = i+1, j+1
		}
	}
}

// Value calls derive as the one part of a phase, unless it has been called with the same given
// and nothing that it asked for has changed: then it returns what it returned before. A value
// that is equal to that is replaced by it, so that pointers in it stay the same.
func Value[T any](p *Pass, phase string, given any, derive func() T) T {
	return ValueOf(p, phase, "", given, derive)
}

// ValueOf is Value for a phase with several such parts, each of something else. They are come by in
// the order of what they are of.
func ValueOf[T any](p *Pass, phase, of string, given any, derive func() T) T {
	if p.m == nil {
		return derive()
	}
	st, at, known := p.stretch(phase, of)
	u := st.parts[""]
	if u == nil {
		u = &part{at: at, in: st}
		st.parts[""] = u
		known = false
	}
	former, _ := st.value.(T)
	if known && len(st.queue) == 0 && reflect.DeepEqual(st.given, given) {
		return former
	}
	st.given = given
	p.run(u, func() { st.value = derive() })
	st.queue = st.queue[:0]
	value, _ := st.value.(T)
	if known && same(value, former) {
		st.value, value = former, former
	}
	return value
}

// same compares two values, by their own idea of it if they have one.
func same[T any](a, b T) bool {
	if a, ok := any(a).(interface{ Equal(o T) bool }); ok {
		return a.Equal(b)
	}
	return reflect.DeepEqual(a, b)
}

// Part is Value for what comes to no value.
func (p *Pass) Part(phase string, given any, derive func()) { p.PartOf(phase, "", given, derive) }

// PartOf is ValueOf for what comes to no value.
func (p *Pass) PartOf(phase, of string, given any, derive func()) {
	ValueOf(p, phase, of, given, func() struct{} {
		derive()
		return struct{}{}
	})
}
