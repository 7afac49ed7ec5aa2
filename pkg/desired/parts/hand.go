package parts

import (
	"container/heap"
	"maps"
	"reflect"
	"slices"
)

// handing is a value that a part has for the part of a later phase that has some name.
type handing struct {
	phase, name string
	value       any
}

// handed are the values for one name, in the order of the parts that they are from.
type handed []handedBy

type handedBy struct {
	from  *part
	value any
}

// without is the list without what is from a part, and with is that with more from it, behind what
// it has from it already. Both change the list.
func (h handed) without(u *part) handed {
	return slices.DeleteFunc(h, func(by handedBy) bool { return by.from == u })
}

func (h handed) with(u *part, values ...any) handed {
	i, _ := slices.BinarySearchFunc(h, u, func(by handedBy, u *part) int { return by.from.compare(u) })
	for i < len(h) && h[i].from == u {
		i++
	}
	for n, v := range values {
		h = slices.Insert(h, i+n, handedBy{u, v})
	}
	return h
}

// Hand gives a value to the part of a later phase that is called name; see [Handed].
func (p *Pass) Hand(phase, name string, value any) {
	if p.m != nil {
		p.running.say().hands = append(p.running.hands, handing{phase, name, value})
		return
	}
	if p.hands == nil {
		p.hands = map[string]map[string][]any{}
	}
	if p.hands[phase] == nil {
		p.hands[phase] = map[string][]any{}
	}
	p.hands[phase][name] = append(p.hands[phase][name], value)
}

// Handed calls derive for each name to which parts of earlier phases have handed values, with these
// in the order of the parts, as a part of the phase. given is as in [Rows].
func Handed(p *Pass, phase string, given any, derive func(name string, values []any)) {
	if p.m == nil {
		for _, name := range slices.Sorted(maps.Keys(p.hands[phase])) {
			derive(name, p.hands[phase][name])
		}
		return
	}
	st, known := p.stretch(phase, "")
	to := p.m.handedTo(phase)
	if !known || !equal(st.given, given) {
		for name := range st.parts {
			st.push(name)
		}
		for name := range to.byName {
			st.push(name)
		}
	}
	for name := range to.dirty {
		st.push(name)
	}
	clear(to.dirty)
	st.given = given
	for last, first := "", true; len(st.queue) > 0; first = false {
		name, _ := heap.Pop(&st.queue).(string)
		if name == last && !first {
			continue
		}
		last = name
		u := st.parts[name]
		var values []any
		for _, h := range to.byName[name] {
			values = append(values, h.value)
		}
		if len(values) == 0 {
			if u != nil {
				p.drop(u)
			}
			continue
		}
		if u == nil {
			u = newPart(st, name)
		}
		p.run(u, func() { derive(name, values) })
		st.remember(u)
	}
}

// remember keeps a part that has run if there is anything to know of it.
func (st *stretch) remember(u *part) {
	if len(u.adds)+len(u.skips)+len(u.rows)+len(u.uuids)+len(u.keys)+len(u.datapaths)+len(u.asked)+len(u.facts)+
		len(u.hands)+len(u.notes) > 0 {
		st.parts[u.name] = u
		return
	}
	delete(st.parts, u.name)
}

// handedTo is what has been handed to a phase, and dirty are the names to which that has changed.
type handedTo struct {
	byName map[string]handed
	dirty  map[string]bool
}

func (m *Memory) handedTo(phase string) *handedTo {
	to := m.handed[phase]
	if to == nil {
		to = &handedTo{byName: map[string]handed{}, dirty: map[string]bool{}}
		m.handed[phase] = to
	}
	return to
}

// handing enters what a part that has run hands to others, which handed them something before. Those
// to which it hands something else now run again.
func (p *Pass) handing(u *part, before []handing) {
	if len(u.hands) == 0 && len(before) == 0 || reflect.DeepEqual(u.hands, before) {
		if len(before) > 0 {
			u.say().hands = before
		}
		return
	}
	was, is := byReceiver(before), byReceiver(u.hands)
	for r, old := range was {
		if values, has := is[r]; has && reflect.DeepEqual(old, values) {
			delete(is, r) // they stay
			continue
		}
		to := p.m.handedTo(r.phase)
		to.dirty[r.name] = true
		left := to.byName[r.name].without(u)
		if to.byName[r.name] = left; len(left) == 0 {
			delete(to.byName, r.name)
		}
	}
	for r, values := range is {
		to := p.m.handedTo(r.phase)
		to.dirty[r.name] = true
		to.byName[r.name] = to.byName[r.name].with(u, values...)
	}
}

// receiver is the part of a phase to which something is handed.
type receiver struct{ phase, name string }

func byReceiver(hands []handing) map[receiver][]any {
	out := make(map[receiver][]any, len(hands))
	for _, h := range hands {
		r := receiver{h.phase, h.name}
		out[r] = append(out[r], h.value)
	}
	return out
}
