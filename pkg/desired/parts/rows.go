package parts

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
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
	at      place
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
func (p *Pass) stretch(phase, of string) (st *stretch, known bool) {
	i := slices.Index(p.phases, phase)
	if i < 0 {
		panic(fmt.Sprintf("phase %q is not among those of the pass", phase))
	}
	at := place{i, of}
	p.passBy(at)
	st, known = p.m.stretches[at]
	if !known {
		st = &stretch{at: at, parts: map[string]*part{}, telling: map[*part]bool{}}
		p.m.stretches[at] = st
		p.m.places = slices.Insert(p.m.places, p.next, at)
	}
	p.next++
	known = known && st.pass == p.m.passes-1
	st.pass = p.m.passes
	return st, known
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
	st, known := p.given(phase, of, given)
	if was, _ := st.rows.([]*R); known && len(st.queue) == 0 && len(was) == len(rows) &&
		(len(rows) == 0 || &was[0] == &rows[0]) {
		return // nothing has changed
	}
	eachOf(p, st, known, list[*R]{
		all: slices.Values(rows), name: name, kept: rows, differ: differing[*R],
		has: func(n string) bool {
			_, there := slices.BinarySearchFunc(rows, n, func(r *R, n string) int { return strings.Compare(name(r), n) })
			return there
		},
	}, derive)
}

// Ports is [Rows] of all ports of the snapshot.
func Ports(p *Pass, phase, of string, given any, derive func(*observe.PortBinding)) {
	if p.m == nil {
		for r := range p.ports.All() {
			derive(r)
		}
		return
	}
	st, known := p.given(phase, of, given)
	eachOf(p, st, known, list[*observe.PortBinding]{
		all: p.ports.All(), name: ByName,
		has: func(n string) bool {
			_, there := p.sb.Port(n)
			return there
		},
		differ: func(_, _ any, name func(*observe.PortBinding) string, note func(string, any)) {
			for _, row := range p.gone {
				note(name(row), nil)
			}
			for _, row := range p.came {
				note(name(row), row)
			}
		},
	}, derive)
}

// list is what [Rows] and [Ports] have in common. R is the pointer to a row: the program has one copy of the code
// of all pointers, and not one for each type.
type list[R any] struct {
	all  iter.Seq[R]
	name func(R) string
	has  func(name string) bool
	// differ calls note with the names of rows that came, went (nil) or changed since the last pass, of which
	// former was kept.
	differ func(former, kept any, name func(R) string, note func(string, any))
	kept   any
}

// given comes by a place, which is known if it has been come by in the last pass with the same given.
func (p *Pass) given(phase, of string, given any) (st *stretch, known bool) {
	st, known = p.stretch(phase, of)
	known = known && equal(st.given, given)
	st.given = given
	return st, known
}

func eachOf[R any](p *Pass, st *stretch, known bool, rows list[R], derive func(R)) {
	former := st.rows
	st.rows = rows.kept
	one := func(name string, r any) {
		u := st.parts[name]
		if u == nil {
			u = newPart(st, name)
		}
		u.row = r
		p.run(u, func() { derive(r.(R)) })
		st.remember(u)
	}
	if !known {
		for n, u := range st.parts {
			if !rows.has(n) {
				p.drop(u)
			}
		}
		for r := range rows.all {
			one(rows.name(r), r)
		}
		st.queue = st.queue[:0]
		return
	}
	changed := map[string]any{}
	rows.differ(former, rows.kept, rows.name, func(n string, r any) {
		changed[n] = r
		st.push(n)
	})
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

// differing yields the names of rows that came, went (nil) or changed between two lists of them.
func differing[R any](former, kept any, name func(R) string, yield func(string, any)) {
	old, _ := former.([]R)
	now, _ := kept.([]R)
	if len(old) > 0 && len(old) == len(now) && &old[0] == &now[0] {
		return // the same list
	}
	for i, j := 0, 0; i < len(old) || j < len(now); {
		switch {
		case i < len(old) && j < len(now) && any(old[i]) == any(now[j]):
			i, j = i+1, j+1
		case j == len(now) || i < len(old) && name(old[i]) < name(now[j]):
			yield(name(old[i]), nil)
			i++
		case i == len(old) || name(old[i]) > name(now[j]):
			yield(name(now[j]), now[j])
			j++
		default:
			yield(name(now[j]), now[j])
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
	value, _ := p.valueOf(phase, of, given, func(any) any { return derive() }).(T)
	return value
}

// ValueFrom is ValueOf for a value that may share what has not changed with the one before: derive is called
// with that, or with the zero value if there is none. What the value is equal to must not depend on it.
func ValueFrom[T any](p *Pass, phase, of string, given any, derive func(former T) T) T {
	if p.m == nil {
		var none T
		return derive(none)
	}
	value, _ := p.valueOf(phase, of, given, func(former any) any {
		had, _ := former.(T)
		return derive(had)
	}).(T)
	return value
}

// valueOf is ValueFrom where something is remembered.
func (p *Pass) valueOf(phase, of string, given any, derive func(former any) any) any {
	st, known := p.stretch(phase, of)
	u := st.parts[""]
	if u == nil {
		u = newPart(st, "")
		st.parts[""] = u
		known = false
	}
	if known && len(st.queue) == 0 && equal(st.given, given) {
		return st.value
	}
	former := st.value
	st.given = given
	p.run(u, func() { st.value = derive(former) })
	st.queue = st.queue[:0]
	if known && same(st.value, former) {
		st.value = former
	}
	return st.value
}

// equal is same for what parts are given, which is mostly the very same pointers and lists as before.
func equal(a, b any) bool {
	if x, is := a.([]any); is {
		y, is := b.([]any)
		for i := 0; is && i < len(x) && i < len(y); i++ {
			is = equal(x[i], y[i])
		}
		return is && len(x) == len(y)
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Kind() == y.Kind() && (x.Kind() == reflect.Pointer || x.Kind() == reflect.Slice && x.Len() == y.Len()) &&
		x.Type() == y.Type() && (x.UnsafePointer() == y.UnsafePointer() || sameElements(x, y)) {
		return true
	}
	return same(a, b)
}

// sameElements reports whether two values are lists of the same pointers, if they are lists of one length.
func sameElements(x, y reflect.Value) bool {
	if x.Kind() != reflect.Slice || x.Type().Elem().Kind() != reflect.Pointer {
		return false
	}
	for i := range x.Len() {
		if x.Index(i).UnsafePointer() != y.Index(i).UnsafePointer() {
			return false
		}
	}
	return true
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
