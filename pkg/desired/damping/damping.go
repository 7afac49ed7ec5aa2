// Package damping remembers which paths come and go, and says which of them are left out until
// they stay (RFC 2439, with the figures of RFC 7196 and RIPE-580).
//
// It is a function of what happened at which time: each withdrawal adds to the penalty of a path,
// which halves with time. It refuses to know a clock, why a path went, and which ones may be left
// out at all.
//
// Read next: [Memory.Withdrawn].
package damping

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Penalty is what a withdrawal adds. The figures of routers are made for it.
const Penalty = 1000

// Most bounds how many paths are remembered. Those with the least penalty are forgotten first, so
// that what goes all at once, and once, pushes nobody out who does so time and again.
const Most = 1 << 14

// Config are the figures.
type Config struct {
	// Suppress is the penalty from which on a path is set aside; 0 turns damping off.
	Suppress int
	// Reuse is the penalty below which it comes back.
	Reuse int
	// HalfLife is how long a penalty takes to become half of it.
	HalfLife time.Duration
	// Longest is how long after its last withdrawal a path is set aside at most.
	Longest time.Duration
}

// On reports whether anything is ever set aside.
func (c Config) On() bool { return c.Suppress > 0 }

// Ceiling is the penalty that no path exceeds: from there Reuse is reached within Longest.
func (c Config) Ceiling() float64 {
	return float64(c.Reuse) * math.Exp2(c.Longest.Seconds()/c.HalfLife.Seconds())
}

// longest is beyond every figure that makes sense, and can be added to a time.
const longest = 10 * 365 * 24 * time.Hour

// below is how long it takes a penalty to become as low as floor, in whole seconds.
func (c Config) below(penalty, floor float64) time.Duration {
	if penalty <= floor {
		return 0
	}
	seconds := math.Ceil(math.Log2(penalty/floor) * c.HalfLife.Seconds())
	return time.Duration(min(seconds, longest.Seconds())) * time.Second
}

// flap is what is known of one path.
type flap struct {
	// penalty is that at the time at, which is when it was withdrawn last.
	penalty float64
	at      time.Time
	// count is how often it was withdrawn since first.
	count int
	first time.Time
	// aside is since when it is set aside, until when it comes back; zero if it is not.
	aside, until time.Time
	// forget is when it has been quiet for so long that nothing of it counts any more.
	forget time.Time
	// wanted says of one that is set aside that something asked for it last.
	wanted bool
	// value is what was announced last.
	value object.Value
}

// Memory are the paths that were withdrawn lately. The zero value has none.
type Memory struct {
	paths map[object.Key]*flap
	// next is the first of their times at which one comes back or is forgotten.
	next time.Time
}

// Clone returns a memory that goes its own way from here on.
func (m *Memory) Clone() Memory {
	out := Memory{next: m.next}
	if m.paths != nil {
		out.paths = make(map[object.Key]*flap, len(m.paths))
	}
	for k, f := range m.paths {
		same := *f
		out.paths[k] = &same
	}
	return out
}

// Withdrawn counts a withdrawal of a path that was announced as value; it reports whether the
// path is set aside because of it.
func (m *Memory) Withdrawn(c Config, value object.Value, now time.Time) bool {
	if !c.On() {
		return false
	}
	k := value.Key()
	f := m.paths[k]
	if f == nil {
		f = &flap{first: now, at: now}
		if m.paths == nil {
			m.paths = map[object.Key]*flap{}
		}
		m.paths[k] = f
	}
	f.value = value
	was := !f.aside.IsZero()
	f.add(c, now)
	m.soonest(f)
	return !was && !f.aside.IsZero()
}

// add adds a withdrawal.
func (f *flap) add(c Config, now time.Time) {
	elapsed := max(now.Sub(f.at), 0)
	f.penalty *= math.Exp2(-elapsed.Seconds() / c.HalfLife.Seconds())
	f.penalty = min(f.penalty+Penalty, c.Ceiling())
	f.at = now
	f.count++
	if f.aside.IsZero() && f.penalty >= float64(c.Suppress) {
		f.aside, f.wanted = now, false
	}
	f.times(c)
}

// times derives when something ends from the penalty.
func (f *flap) times(c Config) {
	f.until = time.Time{}
	if !f.aside.IsZero() {
		f.until = f.at.Add(c.below(f.penalty, float64(c.Reuse)))
	}
	f.forget = f.at.Add(c.below(f.penalty, float64(c.Reuse)/2))
}

// due is when the path comes back or, if it is not set aside, is forgotten.
func (f *flap) due() time.Time {
	if f.aside.IsZero() {
		return f.forget
	}
	return f.until
}

func (m *Memory) soonest(f *flap) {
	if t := f.due(); m.next.IsZero() || t.Before(m.next) {
		m.next = t
	}
}

// Wanted takes in whether something asks for the paths that are set aside: one that nothing asks
// for any more has been withdrawn once more, although nobody could see it. The second answer is
// false where it is not known. It reports whether the times of any have changed.
func (m *Memory) Wanted(c Config, wanted func(object.Key) (is, known bool), now time.Time) bool {
	changed := false
	for k, f := range m.paths {
		if f.aside.IsZero() {
			continue
		}
		is, known := wanted(k)
		if known && f.wanted && !is {
			f.add(c, now)
			changed = true
		}
		if known {
			f.wanted = is
		}
	}
	return changed
}

// Pass lets time pass: it returns what was announced last of the paths that come back, in the
// order of keys, and forgets those that have been quiet for long, and those beyond [Most].
func (m *Memory) Pass(now time.Time) []object.Value {
	back := m.bound()
	if m.next.IsZero() || now.Before(m.next) {
		return back
	}
	m.next = time.Time{}
	for k, f := range m.paths {
		if !f.aside.IsZero() && !now.Before(f.until) {
			f.aside, f.until = time.Time{}, time.Time{}
			back = append(back, f.value)
		}
		if f.aside.IsZero() && !now.Before(f.forget) {
			delete(m.paths, k)
			continue
		}
		m.soonest(f)
	}
	sorting.Sort(back, func(a, b object.Value) int { return a.Key().Compare(b.Key()) })
	return back
}

// bound forgets what is too much, and returns what comes back because of that.
func (m *Memory) bound() (back []object.Value) {
	if len(m.paths) <= Most {
		return nil
	}
	keys := make([]object.Key, 0, len(m.paths))
	for k := range m.paths {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b object.Key) int {
		x, y := m.paths[a], m.paths[b]
		return cmp.Or(cmp.Compare(y.penalty, x.penalty), y.at.Compare(x.at), a.Compare(b))
	})
	for _, k := range keys[Most:] {
		if f := m.paths[k]; !f.aside.IsZero() {
			back = append(back, f.value)
		}
		delete(m.paths, k)
	}
	return back
}

// Next is when the next path comes back after t; zero if none does.
func (m *Memory) Next(t time.Time) time.Time {
	var first time.Time
	for _, f := range m.paths {
		if f.until.After(t) && (first.IsZero() || f.until.Before(first)) {
			first = f.until
		}
	}
	return first
}

// Release forgets the paths that are set aside and whose keys match, and returns what was
// announced last of them, in the order of keys.
func (m *Memory) Release(matches func(object.Key) bool) []object.Value {
	var out []object.Value
	for k, f := range m.paths {
		if !f.aside.IsZero() && matches(k) {
			out = append(out, f.value)
			delete(m.paths, k)
		}
	}
	sorting.Sort(out, func(a, b object.Value) int { return a.Key().Compare(b.Key()) })
	return out
}

// Adopt takes up other figures: what is set aside comes back as these say. It returns what was
// announced last of the paths that come back because there is no damping any more.
func (m *Memory) Adopt(c Config) []object.Value {
	if !c.On() {
		back := m.Release(func(object.Key) bool { return true })
		*m = Memory{}
		return back
	}
	m.next = time.Time{}
	for _, f := range m.paths {
		f.penalty = min(f.penalty, c.Ceiling())
		f.times(c)
		m.soonest(f)
	}
	return nil
}

// Aside is a path that is set aside.
type Aside struct {
	Path object.Key
	// Count is how often it was withdrawn since First, Last when it was the last time.
	Count       int
	First, Last time.Time
	// Since is since when it is set aside, and Until when it comes back if it is not withdrawn
	// again.
	Since, Until time.Time
}

// Text says why it is set aside.
func (a Aside) Text() string {
	return fmt.Sprintf("it was withdrawn %d times in %s", a.Count, a.Last.Sub(a.First).Round(time.Second))
}

// Aside are the paths that are set aside, in the order of their keys.
func (m *Memory) Aside() []Aside {
	var out []Aside
	for k, f := range m.paths {
		if !f.aside.IsZero() {
			out = append(out, Aside{
				Path: k, Count: f.count, First: f.first, Last: f.at, Since: f.aside, Until: f.until,
			})
		}
	}
	sorting.Sort(out, func(a, b Aside) int { return a.Path.Compare(b.Path) })
	return out
}

// Len is how many paths are remembered.
func (m *Memory) Len() int { return len(m.paths) }
