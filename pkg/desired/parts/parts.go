// Package parts lets a driver derive again only what a change of the snapshot has to do with,
// and come to the very set that it would derive from nothing.
//
// A driver's pass is a list of phases in a fixed order, and a phase a list of parts, mostly one
// for each row. For each part a [Memory] has what it added, which rows and keys it asked for, and
// what it complained of. In the next pass a part runs again if its row has changed, or a row
// that it asked for, or what parts before it made of a key that it asked for, or told, or what its
// phase is given. What several parts want under one key is put together again in the order of the
// parts, as if all had run. Without a memory everything simply runs: it is the same code, and
// what audits compare with.
//
// It refuses to know what is derived. It is pure, like the drivers.
//
// Read next: Rows in rows.go, then run in commit.go and fold in fold.go; facts.go and hand.go for what
// parts tell and hand to others beside what they add.
package parts

import (
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Memory is what is known of a driver's last pass. The zero value knows nothing. It belongs to
// one driver with one configuration, and to one pass at a time.
type Memory struct {
	known bool
	// passes counts them, so that what was not asked for in the last one is known to be old.
	passes uint64
	// base is what was in the set before the pass, and out what was in it afterwards.
	base, out object.Set
	ports     rowlist.List[*observe.PortBinding]
	// places are those of all stretches, in order.
	places    []place
	stretches map[place]*stretch
	held      map[object.Key]holders
	// rowReaders and keyReaders are the parts that asked for a port and for a key, and
	// groupReaders are those that asked for all ports of a datapath.
	rowReaders   map[string][]*part
	keyReaders   map[object.Key][]*part
	groupReaders map[observe.UUID][]*part
	// uuidReaders are the parts that asked for the port of a UUID.
	uuidReaders map[observe.UUID][]*part
	// factReaders are the parts that asked for a fact or a note, tellers count those that tell it,
	// and noted is what has been noted.
	factReaders map[any][]*part
	tellers     map[any]int
	noted       map[any]handed
	// handed is what parts have handed to a phase.
	handed map[string]*handedTo
	// turns and bases count up: see [Pass.Turn] and [Pass.Based].
	turns, bases int
	selections   map[string]*selection
	groups       *groups
	// byUUID are the ports by UUID, once somebody has asked for one so.
	byUUID  map[observe.UUID]*observe.PortBinding
	tallies map[string]any
}

// Pass is one pass of a driver over a snapshot.
type Pass struct {
	// m is nil where nothing is remembered; fresh says that it was empty, so that all parts
	// run, in their order, and the set is right at each moment.
	m     *Memory
	fresh bool
	// spoiled says that a part panicked: what is remembered does not count.
	spoiled bool
	out     *object.Set
	base    object.Set
	ports   rowlist.List[*observe.PortBinding]
	sb      *observe.Southbound
	// gone and came are the ports of the last pass and of this one that differ, by name.
	gone, came []*observe.PortBinding
	phases     []string
	// next is where in Memory.places the next place is looked for.
	next int
	// alone is the turn where nothing is remembered.
	alone int
	// running is the part that runs, ops what it has done so far, and local the keys that it
	// has to do with, as they stand in its place of the order; local is not used in a pass
	// that is fresh.
	running *part
	ops     []op
	local   object.Set
	skips   []observe.Skip
	// told, noted, hands, byUUID and grouped are for where nothing is remembered.
	told    map[any]bool
	noted   map[any][]any
	hands   map[string]map[string][]any
	byUUID  map[observe.UUID]*observe.PortBinding
	grouped map[observe.UUID][]*observe.PortBinding
}

// Begin starts a pass that fills out. phases are all that the driver has, in their order. m may
// be nil; if it is not, [Pass.End] must be called.
func Begin(m *Memory, snap observe.Snapshot, out *object.Set, phases ...string) *Pass {
	p := &Pass{m: m, out: out, base: out.Clone(), sb: snap.SB, phases: phases}
	if snap.SB != nil {
		p.ports = snap.SB.Ports
	}
	if m == nil {
		p.alone = 1
		return p
	}
	if !m.known {
		*m = Memory{
			stretches: map[place]*stretch{}, held: map[object.Key]holders{}, rowReaders: map[string][]*part{},
			keyReaders: map[object.Key][]*part{}, groupReaders: map[observe.UUID][]*part{}, turns: m.turns + 1,
			selections: map[string]*selection{}, tallies: map[string]any{},
			factReaders: map[any][]*part{}, tellers: map[any]int{}, noted: map[any]handed{}, handed: map[string]*handedTo{},
			uuidReaders: map[observe.UUID][]*part{},
		}
		p.fresh = true
	}
	m.known = false // until the end: what a panic leaves behind is of no use
	m.passes++
	former := m.base
	m.base = p.base
	if p.fresh {
		m.ports = p.ports
		return p
	}
	p.gone, p.came = rowlist.Differ(m.ports, p.ports, observe.ComparePorts)
	m.ports = p.ports
	*out = m.out.Clone()
	for k := range p.base.Differ(former) {
		p.touched(k, nil)
		m.bases = int(m.passes)
	}
	if m.byUUID != nil {
		for _, row := range p.gone {
			delete(m.byUUID, row.UUID)
		}
		for _, row := range p.came {
			m.byUUID[row.UUID] = row
		}
	}
	for _, rows := range [][]*observe.PortBinding{p.gone, p.came} {
		for _, row := range rows {
			for _, u := range slices.Concat(m.rowReaders[row.LogicalPort], m.groupReaders[row.Datapath],
				m.uuidReaders[row.UUID]) {
				u.mark()
			}
		}
	}
	return p
}

// End finishes a pass. Places that were not come by have lost all of their parts.
func (p *Pass) End() {
	m := p.m
	if m == nil {
		return
	}
	p.abandon(len(m.places))
	m.out, m.known = p.out.Clone(), !p.spoiled
}

// Skips are what all parts complained of, and what was outside of any.
func (p *Pass) Skips() []observe.Skip {
	out := slices.Clip(p.skips)
	if p.m == nil {
		return out
	}
	var telling []*part
	for _, st := range p.m.stretches {
		for u := range st.telling {
			telling = append(telling, u)
		}
	}
	sorting.Sort(telling, (*part).compare)
	for _, u := range telling {
		out = append(out, u.skips...)
	}
	if p.running != nil {
		out = append(out, p.running.skips...)
	}
	return out
}

// Skip reports a row that could not be used.
func (p *Pass) Skip(s observe.Skip) {
	if p.running != nil {
		p.running.say().skips = append(p.running.skips, s)
		return
	}
	p.skips = append(p.skips, s)
}

// Turn changes whenever something that was added before may not be there for what is derived
// now: because another part added it, or because it was taken back. It is never 0.
func (p *Pass) Turn() int {
	if p.m == nil {
		return p.alone
	}
	return p.m.turns
}

func (p *Pass) turn() {
	if p.m == nil {
		p.alone++
		return
	}
	p.m.turns++
}

// Based changes whenever what was in the set before the pass has changed.
func (p *Pass) Based() int {
	if p.m == nil {
		return 0
	}
	return p.m.bases
}

// Standing returns what was in the set before the pass, and where nothing is remembered also what
// was added since.
func (p *Pass) Standing() object.Set {
	if p.m == nil {
		return *p.out
	}
	return p.base
}

// Add adds an item as [object.Set.Add] does.
func (p *Pass) Add(it object.Item) error {
	e := object.NewEntry(it)
	err := p.see(e.Key()).AddEntry(e)
	switch {
	case p.running == nil:
	case err == nil:
		p.ops = append(p.ops, op{add: e})
	default:
		p.read(e.Key()) // it may be free the next time
	}
	return err
}

// Keep adds to what an item keeps as [object.Set.Keep] does.
func (p *Pass) Keep(k object.Key, keys ...object.Key) {
	s := p.see(k)
	if p.running != nil {
		if s.Has(k) {
			p.ops = append(p.ops, op{keep: &keeping{k, keys}})
		} else {
			p.read(k)
		}
	}
	s.Keep(k, keys...)
}

// Get returns what stands under a key at this place of the order.
func (p *Pass) Get(k object.Key) (object.Item, bool) {
	p.read(k)
	return p.see(k).Get(k)
}

// Has reports whether something does.
func (p *Pass) Has(k object.Key) bool {
	_, ok := p.Get(k)
	return ok
}

// Port returns the row of that logical_port.
func (p *Pass) Port(name string) (*observe.PortBinding, bool) {
	if u := p.running; u != nil && asks(p.m.rowReaders, name, u) {
		u.say().rows = append(u.rows, name)
	}
	return p.sb.Port(name)
}

// Atomically calls fill, and takes back what it added if it panics; the panic goes on.
func (p *Pass) Atomically(fill func()) {
	s, mark, done := p.out, len(p.ops), false
	if p.running != nil && !p.fresh {
		s = &p.local
	}
	defer func() {
		if !done {
			p.ops, p.spoiled = p.ops[:mark], true
			p.turn()
		}
	}()
	s.Atomically(fill)
	done = true
}

// see returns a set that has what stands under a key at this place of the order.
func (p *Pass) see(k object.Key) *object.Set {
	if p.m == nil || p.fresh || p.running == nil {
		return p.out
	}
	if !p.local.Has(k) {
		if e, ok := p.fold(k, p.running); ok {
			p.local.PutEntry(e)
		}
	}
	return &p.local
}

// read notes that the part that runs depends on what stands under a key.
func (p *Pass) read(k object.Key) {
	if u := p.running; u != nil && asks(p.m.keyReaders, k, u) {
		u.say().keys = append(u.keys, k)
	}
}

// compare is the order of parts.
func (u *part) compare(o *part) int {
	if c := u.in.at.compare(o.in.at); c != 0 {
		return c
	}
	return strings.Compare(u.name, o.name)
}
