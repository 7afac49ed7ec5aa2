package parts

// A fact is what a part has found out beside what it adds, and what later phases may ask for: any
// comparable value, such as that an address is used somewhere.

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
	p.running.facts = append(p.running.facts, fact)
}

// Told reports whether a part of an earlier phase has told a fact.
func (p *Pass) Told(fact any) bool {
	if p.m == nil {
		return p.told[fact]
	}
	if u := p.running; u != nil && asks(p.m.factReaders, fact, u) {
		u.asked = append(u.asked, fact)
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
