// Package withdraw decides which announced addresses are withdrawn because this node
// provably cannot forward packets for them (bgp.withdraw_unreachable).
//
// It is a function of checks: what was proven of which path at which time. It refuses to
// know how that is proven and what the time is. What nobody has proven lately is announced.
//
// Read next: [Memory.After].
package withdraw

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Config says when a path is withdrawn.
type Config struct {
	// On is false where nothing is ever withdrawn for this reason.
	On bool
	// Hold is for how long checks must have found an address unreachable.
	Hold time.Duration
}

const (
	// Confirmations is how many checks must have found an address unreachable, one after the
	// other.
	Confirmations = 2
	// Least is the number of addresses from which on the guard counts, and Share the part of
	// all, one in Share, above which it holds: what concerns so many is the node's own
	// trouble, or a mistake of the check.
	Least, Share = 3, 2
	// Stale is how long a proof is good for. What was withdrawn comes back when it cannot be
	// checked any more.
	Stale = 90 * time.Second
	// Forget is how long it is remembered that an address came and went.
	Forget = 30 * time.Minute
	// pauseFirst and pauseMost bound how long an address that came and went has to stay
	// reachable before it is announced again. The first return has no pause.
	pauseFirst, pauseMost = 20 * time.Second, 10 * time.Minute
	// most bounds how many paths are remembered: so many are checked one by one.
	most = 1024
)

// Proof is what a check has proven of a path.
type Proof uint8

// The proofs.
const (
	// Unknown: nothing, in either direction.
	Unknown Proof = iota
	// Reachable: nothing keeps packets away.
	Reachable
	// Unreachable: no packet can get through.
	Unreachable
)

// Finding is what a check found of one path.
type Finding struct {
	Path  object.Key
	Proof Proof
	// Code, Text and Try are those of the first broken link.
	Code, Text, Try string
}

// Check is one check of some paths.
type Check struct {
	At       time.Time
	Findings []Finding
	// Announced is how many paths the node announces, with those that are withdrawn here.
	Announced int
	// Sampled is how many of all were looked at in no order, and Bad how many of these are
	// unreachable: what befalls all is seen here before each has been looked at.
	Sampled, Bad int
	// Wanted reports whether a path would be announced if it were not withdrawn here.
	Wanted func(object.Key) bool
}

// record is what is remembered of one path.
type record struct {
	Finding
	// since is when the first of times checks in a row found it unreachable.
	since time.Time
	times int
	// seen is the last check that proved something.
	seen time.Time
	// withdrawn is since when it is withdrawn; zero if it is not. good is since when it is
	// reachable again.
	withdrawn, good time.Time
	// count is how often it was withdrawn lately, and moved when that last began or ended.
	count int
	moved time.Time
}

// Memory is what checks have left. The zero value is that of a node that has not been
// checked. A Memory is not changed: see [Memory.After].
type Memory struct {
	records map[object.Key]record
	// guard is how the guard holds; nil if it does not.
	guard *Guard
}

// Guard tells that too much is unreachable at once.
type Guard struct {
	Since time.Time
	// Unreachable of Announced paths would be withdrawn, or Bad of Sampled are unreachable.
	Unreachable, Announced int
	Bad, Sampled           int
}

// State is what has become of one path.
type State struct {
	Finding
	// Since is since when it is withdrawn.
	Since time.Time
	// Until is when it is announced again if it stays reachable; zero while it is not
	// reachable.
	Until time.Time
	// Count is how often it was withdrawn lately.
	Count int
}

// After is the memory after a check.
func (m Memory) After(c Check, conf Config) Memory {
	if !conf.On {
		return Memory{}
	}
	out := Memory{records: maps.Clone(m.records)}
	if out.records == nil {
		out.records = map[object.Key]record{}
	}
	for _, f := range c.Findings {
		r, known := out.records[f.Path]
		if !known && (f.Proof != Unreachable || len(out.records) >= most) {
			continue
		}
		out.records[f.Path] = r.after(f, c.At)
	}
	for k, r := range out.records {
		switch r = r.settle(c.At); {
		case !c.Wanted(k), r.times == 0 && r.withdrawn.IsZero() && c.At.Sub(r.moved) > Forget:
			delete(out.records, k)
		default:
			out.records[k] = r
		}
	}
	out.withdraw(m.guard, c, conf)
	return out
}

// after is the record after a finding.
func (r record) after(f Finding, at time.Time) record {
	if f.Proof == Unknown || !r.seen.IsZero() && !at.After(r.seen) {
		return r
	}
	fresh := at.Sub(r.seen) > Stale
	r.seen = at
	if f.Proof == Reachable {
		r.times, r.since = 0, time.Time{}
		if r.good.IsZero() {
			r.good = at
		}
		return r
	}
	if r.times == 0 || fresh {
		r.since, r.times = at, 0
	}
	r.times++
	r.good, r.Finding = time.Time{}, f
	return r
}

// settle lets a path come back: one that has been reachable for long enough, and one of
// which nothing has been proven for too long.
func (r record) settle(at time.Time) record {
	stale := at.Sub(r.seen) > Stale
	if stale {
		r.times, r.since, r.good = 0, time.Time{}, time.Time{}
	}
	if !r.withdrawn.IsZero() && (stale || !r.good.IsZero() && !at.Before(r.until())) {
		r.withdrawn, r.moved = time.Time{}, at
	}
	return r
}

// until is when a path that is reachable again comes back.
func (r record) until() time.Time { return r.good.Add(pause(r.count)) }

// pause is how long a path has to stay reachable that was withdrawn so often.
func pause(count int) time.Duration {
	if count < 2 {
		return 0
	}
	d := pauseFirst
	for range count - 2 {
		if d = 2 * d; d >= pauseMost {
			return pauseMost
		}
	}
	return d
}

// due reports whether enough has been proven to withdraw a path.
func (r record) due(at time.Time, hold time.Duration) bool {
	return r.withdrawn.IsZero() && r.times >= Confirmations && at.Sub(r.since) >= hold
}

// withdraw withdraws what is due, all of it or nothing.
func (m *Memory) withdraw(before *Guard, c Check, conf Config) {
	var due []object.Key
	gone := 0
	for k, r := range m.records {
		switch {
		case !r.withdrawn.IsZero():
			gone++
		case r.due(c.At, conf.Hold):
			due = append(due, k)
		}
	}
	if len(due) == 0 {
		return
	}
	bad := gone + len(due)
	if bad >= Least && bad*Share > c.Announced || c.Bad >= Least && c.Bad*Share > c.Sampled {
		m.guard = &Guard{
			Since: c.At, Unreachable: bad, Announced: c.Announced, Bad: c.Bad, Sampled: c.Sampled,
		}
		if before != nil {
			m.guard.Since = before.Since
		}
		return
	}
	for _, k := range due {
		r := m.records[k]
		if c.At.Sub(r.moved) > Forget {
			r.count = 0
		}
		r.count++
		r.withdrawn, r.moved = c.At, c.At
		m.records[k] = r
	}
}

// Suspects are the paths that the next check has to look at, in the order of keys: those
// that are withdrawn, and those that were unreachable last time.
func (m Memory) Suspects() []object.Key {
	var out []object.Key
	for k, r := range m.records {
		if r.times > 0 || !r.withdrawn.IsZero() {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, object.Key.Compare)
	return out
}

// Guarded is how the guard holds; nil if it does not.
func (m Memory) Guarded() *Guard { return m.guard }

// Withdrawn are the paths that must not be announced, in the order of keys.
func (m Memory) Withdrawn() []State {
	var out []State
	for _, r := range m.records {
		if r.withdrawn.IsZero() {
			continue
		}
		s := State{Finding: r.Finding, Since: r.withdrawn, Count: r.count}
		if !r.good.IsZero() {
			s.Until = r.until()
		}
		out = append(out, s)
	}
	sorting.Sort(out, func(a, b State) int { return a.Path.Compare(b.Path) })
	return out
}

// Text says why a path is withdrawn.
func (s State) Text() string {
	if s.Until.IsZero() {
		return fmt.Sprintf("this node cannot forward packets for it: %s (%s)", s.Finding.Text, s.Code)
	}
	return fmt.Sprintf("this node could not forward packets for it %d times within %d minutes, the last reason: %s (%s); "+
		"it is announced again if it stays reachable", s.Count, int(Forget.Minutes()), s.Finding.Text, s.Code)
}

// Blocks are the paths that must not be announced, and why.
func (m Memory) Blocks() map[object.Key]object.Block {
	out := map[object.Key]object.Block{}
	for _, s := range m.Withdrawn() {
		b := object.Block{Code: object.BlockUnreachable, Text: s.Text()}
		if !s.Until.IsZero() {
			b.Until = s.Until.Format(time.RFC3339)
		}
		out[s.Path] = b
	}
	return out
}

// Text says what the guard keeps from being withdrawn.
func (g Guard) Text() string {
	if g.Unreachable >= Least && g.Unreachable*Share > g.Announced {
		return fmt.Sprintf("%d of %d announced paths are not reachable here: too many to withdraw at once, and none is",
			g.Unreachable, g.Announced)
	}
	return fmt.Sprintf("%d of the %d announced paths that were looked at are not reachable here: too many to withdraw "+
		"at once, and none is", g.Bad, g.Sampled)
}
