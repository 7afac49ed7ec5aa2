package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

const (
	// contestedAfter repairs of drift within contentionWindow a key is contested.
	contestedAfter   = 5
	contentionWindow = time.Minute
	// quietAfter is how long a repair has to last for a key to be contested no more. Whoever
	// changes it back often enough does so more often than that.
	quietAfter = 20 * time.Second
	// repairEvery is how often a key is repaired at most at first; repairBurst repairs in a
	// row wait for nothing.
	repairEvery = 250 * time.Millisecond
	repairBurst = 5
	// longestPause is what the pause between two repairs of a key grows to. It grows only while
	// repairs are in vain, which they are if they last for less than inVain: where they last
	// longer they are a good part of the service, and waiting would take it away.
	longestPause = 4 * time.Second
	inVain       = 100 * time.Millisecond
	// contestedShare is the pause, as a multiple of what the round took, after a round
	// that found nothing but contested keys: what other programs do to these keys
	// wakes the loop as often as they please.
	contestedShare = 9
)

// Contested is a key that another program changes back again and again.
type Contested struct {
	Key object.Key
	// Count is how often we have repaired it since Since. Last is the last time.
	Count       int
	Since, Last time.Time
	// PerMinute is how often a minute it was changed back of late.
	PerMinute int
	// By is who changed it back the last time that this was known, such as "ip[1234]"; empty
	// if it never was.
	By string
	// Pause is how long we wait between two repairs, and Next when it may be repaired again;
	// zero if now.
	Pause time.Duration
	Next  time.Time
}

// contest is what is known of the repairs of one key.
type contest struct {
	Contested
	// wanted is what is wanted under the key; nil is nothing. Another value begins anew.
	wanted object.Value
	// recent are the last repairs, at most contestedAfter.
	recent []time.Time
	// paid is the time up to which the repairs are paid for, one for each repairEvery.
	paid time.Time
	// undone is when the last repair was found undone; zero if it lasts.
	undone time.Time
}

// contention remembers which keys were repaired because another program had
// changed them. A pause belongs to such a key: everything else is applied at once.
type contention map[object.Key]*contest

// count counts the repairs of drift that a round has made, and notes what it found undone
// and has not repaired yet.
func (c contention) count(r Round, now time.Time) {
	for i := range r.Plan.Ops {
		if op := &r.Plan.Ops[i]; op.Cause == plan.CauseDrift && r.Outcomes[i] == nil {
			it, _ := r.Want.Get(op.Key())
			c.foundUndone(op.Key(), r.Started)
			c.repaired(op.Key(), it.Value, now)
			if one := c[op.Key()]; op.Drift != nil && (program(op.Drift.By) != "" || one.By == "") {
				one.By = op.Drift.By
			}
		}
	}
	if len(c) == 0 {
		return
	}
	for i := range r.Plan.Notes {
		if n := &r.Plan.Notes[i]; n.Block.Code == object.BlockContested {
			c.foundUndone(n.Key, r.Started)
		}
	}
}

// foundUndone notes when the last repair of a key was first seen undone.
func (c contention) foundUndone(k object.Key, at time.Time) {
	if one := c[k]; one != nil && one.undone.IsZero() {
		one.undone = at
	}
}

// repaired counts a repair of a key under which that is wanted; nil is nothing.
func (c contention) repaired(k object.Key, wanted object.Value, now time.Time) {
	one := c[k]
	if one == nil || one.wanted != wanted || now.Sub(one.Last).Abs() > contentionWindow {
		one = &contest{Contested: Contested{Key: k, Since: now}, wanted: wanted, paid: now}
		c[k] = one
	}
	if one.Count >= repairBurst {
		one.adapt()
	}
	one.Count++
	one.Last, one.undone = now, time.Time{}
	if one.recent = append(one.recent, now); len(one.recent) > contestedAfter {
		one.recent = slices.Delete(one.recent, 0, len(one.recent)-contestedAfter)
	}
	if ahead := one.paid.Sub(now); ahead < 0 || ahead > (repairBurst+1)*repairEvery { // or the clock was set back
		one.paid = now
	}
	one.paid = one.paid.Add(repairEvery)
}

// adapt makes the pause fit how long the last repair has lasted.
func (c *contest) adapt() {
	pause := max(c.Pause, repairEvery)
	switch lasted := c.undone.Sub(c.Last); {
	case c.undone.IsZero() || lasted < 0: // the clock was set
	case lasted < inVain:
		pause = min(2*pause, longestPause)
	default:
		pause /= 2
	}
	c.Pause = max(pause, repairEvery)
}

// due is when the key may be repaired again; zero if it may be now. A pause that is
// longer than any can be comes of a clock that was set back.
func (c *contest) due(now time.Time) time.Time {
	due := c.paid.Add(-repairBurst * repairEvery)
	if c.Pause > repairEvery {
		due = c.Last.Add(c.Pause)
	}
	if wait := due.Sub(now); wait <= 0 || wait > max(repairEvery, c.Pause) {
		return time.Time{}
	}
	return due
}

// contested reports whether the key was changed back often enough, and still is.
func (c *contest) contested(now time.Time) bool {
	return len(c.recent) == contestedAfter && now.Sub(c.recent[0]).Abs() <= contentionWindow &&
		(!c.undone.IsZero() || now.Sub(c.Last).Abs() <= quietAfter)
}

// told is what is told of the key.
func (c *contest) told(now time.Time) Contested {
	out := c.Contested
	out.Pause, out.Next = max(c.Pause, repairEvery), c.due(now)
	if n := len(c.recent); n > 1 {
		took := max(c.recent[n-1].Sub(c.recent[0]), time.Millisecond)
		out.PerMinute = int(time.Duration(n-1) * time.Minute / took)
	}
	out.PerMinute = min(out.PerMinute, out.Count) // no more than there were
	return out
}

// prune forgets keys that are left in peace, or wanted otherwise: what the rows ask
// for does not wait for what others do.
func (c contention) prune(want object.Set, now time.Time) {
	for k, one := range c {
		it, _ := want.Get(k)
		if it.Value != one.wanted || now.Sub(one.Last).Abs() > contentionWindow {
			delete(c, k)
		}
	}
}

// waiting returns the keys that must not be repaired yet, with the reason.
func (c contention) waiting(now time.Time) map[object.Key]string {
	var out map[object.Key]string
	for k, one := range c {
		if one.due(now).IsZero() {
			continue
		}
		if out == nil {
			out = map[object.Key]string{}
		}
		who := "another program"
		if one.By != "" {
			who = one.By
		}
		out[k] = fmt.Sprintf("changed back %d times since %s, at last by %s; repaired again after a pause of %s",
			one.Count, one.Since.Format(time.DateTime), who, max(one.Pause, repairEvery))
	}
	return out
}

// next is when the first key that had to wait at t may be repaired; zero if none had to.
func (c contention) next(t time.Time) time.Time {
	var first time.Time
	for _, one := range c {
		if due := one.due(t); !due.IsZero() && (first.IsZero() || due.Before(first)) {
			first = due
		}
	}
	return first
}

// clone is a copy for a plan that nobody carries out.
func (c contention) clone() contention {
	out := contention{}
	for k, one := range c {
		same := *one
		same.recent = slices.Clone(one.recent)
		out[k] = &same
	}
	return out
}

// list are the contested keys, sorted.
func (c contention) list(now time.Time) []Contested {
	var out []Contested
	for _, one := range c {
		if one.contested(now) {
			out = append(out, one.told(now))
		}
	}
	sorting.Sort(out, func(a, b Contested) int { return a.Key.Compare(b.Key) })
	return out
}

// only reports whether a round found nothing to do but for keys that others
// change back.
func (c contention) only(p plan.Plan) bool {
	for i := range p.Ops {
		if _, ok := c[p.Ops[i].Key()]; !ok || p.Ops[i].Cause != plan.CauseDrift {
			return false
		}
	}
	return true
}

// program is the name in who changed something, such as "ip" of "ip[1234]" and of "the
// kernel, when address 10.0.0.1/24 went, by ip[1234]"; empty if there is none.
func program(by string) string {
	name, _, ok := strings.Cut(by, "[")
	if !ok {
		return ""
	}
	return name[strings.LastIndexByte(name, ' ')+1:]
}

// end is when keys that are contested are contested no more if nobody changes them back
// until then; zero if none is.
func (c contention) end(told []Contested) time.Time {
	var last time.Time
	for _, one := range told {
		if end := one.Last.Add(quietAfter + time.Millisecond); end.After(last) {
			last = end
		}
	}
	return last
}

// logContested tells once of each program that keeps changing objects of ours back, and
// once when that is over.
func (c *Controller) logContested(now []Contested) {
	if len(now) == 0 {
		if len(c.toldOf) > 0 {
			c.cfg.Log.Info("no object is contested any more")
		}
		c.toldOf = nil
		return
	}
	for _, one := range now {
		// A loop that runs a command has another process each time: the name counts.
		name := program(one.By)
		if c.toldOf[name] || name == "" && len(c.toldOf) > 0 {
			continue
		}
		if c.toldOf == nil {
			c.toldOf = map[string]bool{}
		}
		c.toldOf[name] = true
		c.cfg.Log.Warn("contested: another program keeps changing our objects back", "by", one.By, "object", one.Key.Text(),
			"times", one.Count, "per_minute", one.PerMinute, "objects", len(now), "all", "bgp-ovn status")
	}
}

// Contested are the keys that other programs keep changing back, sorted.
func (c *Controller) Contested() []Contested {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Clock.Now()
	return slices.DeleteFunc(slices.Clone(c.contested), func(one Contested) bool {
		return now.Sub(one.Last).Abs() > quietAfter
	})
}
