package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

const (
	// contestedAfter repairs of drift within contentionWindow a key is contested.
	contestedAfter   = 5
	contentionWindow = time.Minute
	// repairEvery is how often a key is repaired at most in the long run; repairBurst
	// repairs in a row wait for nothing.
	repairEvery = 250 * time.Millisecond
	repairBurst = 5
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
}

// contention remembers which keys were repaired because another program had
// changed them. A pause belongs to such a key: everything else is applied at once.
type contention map[object.Key]*contest

// count counts the repairs of drift that a round has made.
func (c contention) count(r Round, now time.Time) {
	for i := range r.Plan.Ops {
		if op := &r.Plan.Ops[i]; op.Cause == plan.CauseDrift && r.Outcomes[i] == nil {
			it, _ := r.Want.Get(op.Key())
			c.repaired(op.Key(), it.Value, now)
		}
	}
}

// repaired counts a repair of a key under which that is wanted; nil is nothing.
func (c contention) repaired(k object.Key, wanted object.Value, now time.Time) {
	one := c[k]
	if one == nil || one.wanted != wanted || now.Sub(one.Last).Abs() > contentionWindow {
		one = &contest{Contested: Contested{Key: k, Since: now}, wanted: wanted, paid: now}
		c[k] = one
	}
	one.Count++
	one.Last = now
	if one.recent = append(one.recent, now); len(one.recent) > contestedAfter {
		one.recent = slices.Delete(one.recent, 0, len(one.recent)-contestedAfter)
	}
	if ahead := one.paid.Sub(now); ahead < 0 || ahead > (repairBurst+1)*repairEvery { // or the clock was set back
		one.paid = now
	}
	one.paid = one.paid.Add(repairEvery)
}

// due is when the key may be repaired again; zero if it may be now. A pause that is
// longer than any can be comes of a clock that was set back.
func (c *contest) due(now time.Time) time.Time {
	due := c.paid.Add(-repairBurst * repairEvery)
	if wait := due.Sub(now); wait <= 0 || wait > repairEvery {
		return time.Time{}
	}
	return due
}

// contested reports whether the key was changed back often enough, and lately.
func (c *contest) contested(now time.Time) bool {
	return len(c.recent) == contestedAfter && now.Sub(c.recent[0]).Abs() <= contentionWindow
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
		out[k] = fmt.Sprintf("another program has changed it back %d times since %s; repaired at most every %s",
			one.Count, one.Since.Format(time.DateTime), repairEvery)
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
			out = append(out, one.Contested)
		}
	}
	slices.SortFunc(out, func(a, b Contested) int { return a.Key.Compare(b.Key) })
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

// Contested are the keys that other programs keep changing back, sorted.
func (c *Controller) Contested() []Contested {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Clock.Now()
	return slices.DeleteFunc(slices.Clone(c.contested), func(one Contested) bool {
		return now.Sub(one.Last).Abs() > contentionWindow
	})
}
