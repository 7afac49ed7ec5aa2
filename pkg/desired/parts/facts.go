package parts

import "reflect"

// A fact is what a part has found out beside what it adds, and what later phases may ask for: any
// comparable value, such as that an address is used somewhere. A note is one that has a value.

// Tell states a fact. It is told for as long as some part tells it.
func (p *Pass) Tell(fact any) {
	if p.running == nil {
		if p.m != nil {
			panic("a fact is told outside of any part")
		}
		if p.told == nil {
			p.told = map[any]bool{}
		}
		p.told[fact] = true
		return
	}
	p.running.say().facts = append(p.running.facts, fact)
}

// Told reports whether a part of an earlier phase has told a fact.
func (p *Pass) Told(fact any) bool {
	if p.m == nil {
		return p.told[fact]
	}
	if u := p.running; u != nil && asks(p.m.factReaders, fact, u) {
		u.say().asked = append(u.asked, fact)
	}
	return p.m.tellers[fact] > 0
}

// telling enters the facts of a part that has run, which told those before. Parts that asked for
// one that has come or gone run again.
func (p *Pass) telling(u *part, before []any) {
	for _, f := range u.facts {
		if p.m.tellers[f] == 0 {
			p.marks(p.m.factReaders[f])
		}
		p.m.tellers[f]++
	}
	for _, f := range before {
		if p.m.tellers[f]--; p.m.tellers[f] == 0 {
			delete(p.m.tellers, f)
			p.marks(p.m.factReaders[f])
		}
	}
}

func (p *Pass) marks(readers []*part) {
	for _, r := range readers {
		r.mark()
	}
}

// noting is a value that a part has noted under a key.
type noting struct{ key, value any }

// Note enters a value under a key, which may be any comparable value, for whichever later parts ask
// for that; see [Pass.Noted].
func (p *Pass) Note(key, value any) {
	if p.m != nil {
		p.running.say().notes = append(p.running.notes, noting{key, value})
		return
	}
	if p.noted == nil {
		p.noted = map[any][]any{}
	}
	p.noted[key] = append(p.noted[key], value)
}

// Noted are the values that parts of earlier phases have noted under a key, in the order of the
// parts. They must not be changed.
func (p *Pass) Noted(key any) []any {
	if p.m == nil {
		return p.noted[key]
	}
	if u := p.running; u != nil && asks(p.m.factReaders, key, u) {
		u.say().asked = append(u.asked, key)
	}
	list := p.m.noted[key]
	if len(list) == 0 {
		return nil
	}
	out := make([]any, len(list))
	for i, n := range list {
		out[i] = n.value
	}
	return out
}

// noting enters the notes of a part that has run, which noted those before. Parts that asked for a
// key under which others stand now run again.
func (p *Pass) noting(u *part, before []noting) {
	if len(u.notes) == 0 && len(before) == 0 || reflect.DeepEqual(u.notes, before) {
		if len(before) > 0 {
			u.say().notes = before
		}
		return
	}
	if len(before) == 0 {
		for _, n := range u.notes {
			p.m.noted[n.key] = p.m.noted[n.key].with(u, n.value)
			p.marks(p.m.factReaders[n.key])
		}
		return
	}
	was, is := byKey(before), byKey(u.notes)
	for key, values := range is {
		old, had := was[key]
		if had && reflect.DeepEqual(old, values) {
			continue
		}
		list := p.m.noted[key]
		if had {
			list = list.without(u)
		}
		p.m.noted[key] = list.with(u, values...)
		p.marks(p.m.factReaders[key])
	}
	for key := range was {
		if _, has := is[key]; has {
			continue
		}
		if left := p.m.noted[key].without(u); len(left) > 0 {
			p.m.noted[key] = left
		} else {
			delete(p.m.noted, key)
		}
		p.marks(p.m.factReaders[key])
	}
}

func byKey(notes []noting) map[any][]any {
	out := make(map[any][]any, len(notes))
	for _, n := range notes {
		out[n.key] = append(out[n.key], n.value)
	}
	return out
}
