package plan

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Memory makes the cost of a difference that of what differs from the last one. It has
// what the last one found out about each key, and looks again at keys whose items are not
// the same any more, in what is wanted or in what is there, and at all that was
// not as wanted. What it plans is what [Diff] plans, which has no memory.
//
// The zero value remembers nothing. It is not for concurrent use.
type Memory struct {
	// want and have are the sets of last time; valid says that there are any.
	want, have object.Set
	valid      bool
	// unmanaged and unread are the kinds of last time.
	unmanaged, unread []object.Kind

	// open are the wanted keys that were not there as wanted, and all on which they had
	// an influence.
	open map[object.Key]bool
	// recheck are the wanted keys of which the ledger decides whether they agree.
	recheck map[object.Key]bool
	// bad are the blocked keys that were not there as wanted.
	bad map[object.Key]bool
	// present counts the wanted keys that are there, by kind.
	present map[object.Kind]int
	// metrics counts the wanted values that steer by their metric.
	metrics map[uint32]int
	// unwanted are the keys that are there and not wanted.
	unwanted map[object.Key]bool
	// watched are the keys of what is there and another owner's, if it steers, or over
	// which another owner's object wins.
	watched map[object.Key]bool
	// few is for tests, in place of looked.
	few int
}

// Known reports whether the memory has anything to compare with.
func (m *Memory) Known() bool { return m.valid }

// Diff is the function of that name.
func (m *Memory) Diff(in Input) Plan {
	d := &differ{
		Input: in, m: m, dirty: map[object.Key]bool{}, blocked: map[object.Key]object.Block{},
		replaced: map[object.Key]bool{}, steps: map[object.Key]bool{},
	}
	m.advance(d)
	d.blockDependents()
	if d.findReplaced(); len(d.replaced) > 0 {
		d.blockDependents() // of what goes with a link and must not come back now
	}
	d.wanted()
	d.findOverridden()
	d.findEvicted()
	d.unwanted()
	d.forget()
	d.order()
	m.open, m.bad = d.dirty, map[object.Key]bool{}
	for k, b := range d.blocked {
		if d.isBad(k, b) {
			m.bad[k] = true
		}
	}
	return d.plan
}

// advance takes over what is wanted and there now. It sets which keys are to be looked at, or looks at
// all of them in one walk.
func (m *Memory) advance(d *differ) {
	d.look, d.all = m.changed(d.Input)
	if d.all {
		*m = Memory{
			few: m.few, recheck: map[object.Key]bool{}, present: map[object.Kind]int{}, metrics: map[uint32]int{},
			unwanted: map[object.Key]bool{}, watched: map[object.Key]bool{},
		}
		for p := range d.Want.Both(d.Have) {
			k := p.Key()
			m.note(k, p, 1)
			d.judge(k, p)
		}
	} else {
		for k := range d.look {
			m.note(k, held(k, m.want, m.have), -1)
			m.note(k, held(k, d.Want, d.Have), 1)
		}
		maps.Copy(d.look, m.open)
		maps.Copy(d.look, m.recheck)
		for k := range d.look {
			d.judge(k, held(k, d.Want, d.Have))
		}
	}
	// Copies, so that nobody changes what is compared with next time.
	m.valid, m.want, m.have = true, d.Want.Clone(), d.Have.Clone()
	m.unmanaged, m.unread = slices.Clone(d.Unmanaged), slices.Clone(d.Unread)
}

// looked is how many keys are looked at one by one, however few there are in all.
const looked = 1000

// changed returns the keys whose items are not the same any more; or that all are to be looked at,
// because nothing is known of last time, or so much has changed that a walk through all is cheaper.
func (m *Memory) changed(in Input) (look map[object.Key]bool, all bool) {
	most := max(cmp.Or(m.few, looked), (in.Want.Len()+in.Have.Len())/8)
	if !m.valid || !slices.Equal(m.unmanaged, in.Unmanaged) || !slices.Equal(m.unread, in.Unread) || len(m.open) > most {
		return nil, true
	}
	look = map[object.Key]bool{}
	for _, keys := range []iter.Seq[object.Key]{m.want.Unlike(in.Want), m.have.Unlike(in.Have)} {
		for k := range keys {
			if look[k] = true; len(look) > most {
				return nil, true
			}
		}
	}
	return look, false
}

func held(k object.Key, want, have object.Set) object.Pair {
	return object.Pair{A: want.Entry(k), B: have.Entry(k)}
}

// note counts a key, which is wanted, there or both, by 1, or takes that back, by -1.
func (m *Memory) note(k object.Key, p object.Pair, by int) {
	wanted, there := p.A.Is(), p.B.Is()
	if wanted && k.Kind.IsSteering() {
		metric := p.A.Value().(object.Steering).Steers().Metric
		if m.metrics[metric] += by; m.metrics[metric] == 0 {
			delete(m.metrics, metric)
		}
	}
	if !there {
		return
	}
	if wanted {
		m.present[k.Kind] += by
	}
	mark := func(in map[object.Key]bool, holds bool) {
		if holds && by > 0 {
			in[k] = true
		} else if holds {
			delete(in, k)
		}
	}
	have := p.B.Item()
	mark(m.unwanted, !wanted)
	mark(m.watched, have.Overridden() != "" || !have.Marked && k.Kind.IsSteering())
	mark(m.recheck, wanted && !k.Kind.HasMark() && have.Deviates() != "")
}
