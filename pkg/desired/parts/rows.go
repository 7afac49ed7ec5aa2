package parts

import (
	"cmp"
	"container/heap"
	"fmt"
	"reflect"
	"slices"
	"sort"
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
	p.rows(phase, of, given, list{
		rows: rows, n: len(rows), at: func(i int) any { return rows[i] },
		before: func(former any) list {
			was, _ := former.([]*R)
			return list{rows: was, n: len(was), at: func(i int) any { return was[i] }, equal: func(i, j int) int {
				n := 0
				if i == j && len(was) > i && len(was) == len(rows) && &was[i] == &rows[i] {
					return len(was) - i // the same list
				}
				for i+n < len(was) && j+n < len(rows) && was[i+n] == rows[j+n] {
					n++
				}
				return n
			}}
		},
		name: func(r any) string { return name(r.(*R)) }, derive: func(r any) { derive(r.(*R)) },
	})
}

// list is a list of rows of some type. The program has one copy of what is done with it, and not one
// for each type.
type list struct {
	rows any
	n    int
	at   func(int) any
	// before is the list of the last pass; of that, equal counts the rows from the i-th on that are
	// those of this pass from the j-th on.
	before func(rows any) list
	equal  func(i, j int) int
	name   func(row any) string
	derive func(row any)
}

// has reports whether a row has that name.
func (l list) has(name string) bool {
	_, found := sort.Find(l.n, func(i int) int { return strings.Compare(name, l.name(l.at(i))) })
	return found
}

// rows is Rows where something is remembered.
func (p *Pass) rows(phase, of string, given any, l list) {
	st, at, known := p.stretch(phase, of)
	former := l.before(st.rows)
	former.name = l.name
	whole := !known || !reflect.DeepEqual(st.given, given)
	st.rows, st.given = l.rows, given
	one := func(name string, r any) {
		u := st.parts[name]
		if u == nil {
			u = &part{at: at, name: name, in: st}
		}
		u.row = r
		p.run(u, func() { l.derive(r) })
		st.remember(u)
	}
	if whole {
		for n, u := range st.parts {
			if !l.has(n) {
				p.drop(u)
			}
		}
		for i := range l.n {
			one(l.name(l.at(i)), l.at(i))
		}
		st.queue = st.queue[:0]
		return
	}
	changed := map[string]any{}
	note := func(n string, r any) {
		changed[n] = r
		st.push(n)
	}
	if sameList(former.ports(), p.former) && sameList(l.ports(), p.ports) && len(p.ports) > 0 {
		for _, r := range p.gone {
			note(l.name(r), nil)
		}
		for _, r := range p.came {
			note(l.name(r), r)
		}
	} else {
		differing(former, l, note)
	}
	p.again(st, changed, one)
}

// again runs the parts that are queued, in order, with what has changed of their rows: nil is one
// that went.
func (p *Pass) again(st *stretch, changed map[string]any, run func(name string, row any)) {
	for last, first := "", true; len(st.queue) > 0; first = false {
		n, _ := heap.Pop(&st.queue).(string)
		if n == last && !first {
			continue
		}
		last = n
		r, is := changed[n]
		u := st.parts[n]
		switch {
		case is && r != nil:
			run(n, r)
		case is && u != nil:
			p.drop(u)
		case !is && u != nil:
			run(n, u.row)
		}
	}
}

// ports are the rows if they are ports: of all ports, what differs from those of the last pass has been
// found out already.
func (l list) ports() []*observe.PortBinding {
	ports, _ := l.rows.([]*observe.PortBinding)
	return ports
}

// sameList reports whether a list is the very same as another one.
func sameList(a, b []*observe.PortBinding) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// differing yields the names of rows that came, went (nil) or changed.
func differing(old, now list, yield func(string, any)) {
	for i, j := 0, 0; ; {
		n := old.equal(i, j)
		i, j = i+n, j+n
		if i == old.n && j == now.n {
			return
		}
		var was, is string
		if i < old.n {
			was = now.name(old.at(i))
		}
		if j < now.n {
			is = now.name(now.at(j))
		}
		switch {
		case j == now.n || i < old.n && was < is:
			yield(was, nil)
			i++
		case i == old.n || was > is:
			yield(is, now.at(j))
			j++
		default:
			yield(is, now.at(j))
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
	value, _ := p.valueOf(phase, of, given, func() any { return derive() }).(T)
	return value
}

// valueOf is ValueOf where something is remembered.
func (p *Pass) valueOf(phase, of string, given any, derive func() any) any {
	st, at, known := p.stretch(phase, of)
	u := st.parts[""]
	if u == nil {
		u = &part{at: at, in: st}
		st.parts[""] = u
		known = false
	}
	if known && len(st.queue) == 0 && reflect.DeepEqual(st.given, given) {
		return st.value
	}
	former := st.value
	st.given = given
	p.run(u, func() { st.value = derive() })
	st.queue = st.queue[:0]
	if known && same(st.value, former) {
		st.value = former
	}
	return st.value
}

// same compares two values, by their own idea of it if they have one.
func same(a, b any) bool {
	if a, ok := a.(interface{ EqualTo(o any) bool }); ok {
		return a.EqualTo(b)
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
