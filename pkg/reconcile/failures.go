package reconcile

import (
	"fmt"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// failure is what is known of a key whose last step failed.
type failure struct {
	count int
	// since is when the first of the attempts in a row failed, aside when the object was set
	// aside because they had failed for long; zero if it was not.
	since, aside time.Time
	next         time.Time
	err          error
	after        object.Value // what was to be written; nil for a delete or restore
	// pause is the one after the last attempt.
	pause time.Duration
}

// failures remembers failed keys between rounds: each is tried again with a
// delay that doubles, and what needs it is withdrawn meanwhile.
type failures map[object.Key]*failure

const (
	retryMin = 250 * time.Millisecond
	retryMax = time.Minute
	// quarantineAfter is how long attempts have to fail in a row for an object to be set aside.
	// The pause doubles from then on, up to quarantineMax.
	quarantineAfter = 5 * time.Minute
	quarantineMax   = 30 * time.Minute
)

func (f failures) add(k object.Key, after object.Value, err error, now time.Time) {
	one, ok := f[k]
	if !ok || one.after != after {
		one = &failure{after: after, since: now}
		f[k] = one
	}
	delay := min(retryMin<<min(one.count, 16), retryMax)
	switch {
	case !one.aside.IsZero():
		delay = min(2*one.pause, quarantineMax)
	case now.Sub(one.since) >= quarantineAfter:
		one.aside, delay = now, 2*retryMax
	}
	one.pause = delay
	one.count++
	one.err, one.next = err, now.Add(delay)
}

func (f failures) clear(k object.Key) { delete(f, k) }

// prune forgets failures of what is not wanted any more or wanted otherwise:
// another value deserves a try of its own. A failed delete is forgotten once
// the thing is gone.
func (f failures) prune(want, have object.Set) {
	for k, one := range f {
		it, ok := want.Get(k)
		if one.after == nil && !have.Has(k) || one.after != nil && (!ok || it.Value != one.after) {
			delete(f, k)
		}
	}
}

// waiting returns the keys that must not be tried again yet, and of these the
// ones that could not be removed.
func (f failures) waiting(now time.Time) (all, stuck map[object.Key]string) {
	all, stuck = map[object.Key]string{}, map[object.Key]string{}
	for k, one := range f {
		if !one.next.After(now) {
			continue
		}
		all[k] = fmt.Sprintf("attempt %d failed: %v; next one in at most %s", one.count, one.err, max(retryMax, one.pause))
		if !one.aside.IsZero() {
			all[k] = "quarantined: " + all[k]
		}
		if one.after == nil {
			stuck[k] = all[k]
		}
	}
	return all, stuck
}

// next is the time of the earliest retry after t; zero if there is none. What
// was due by t has been tried, or waits for something else.
func (f failures) next(t time.Time) time.Time {
	var first time.Time
	for _, one := range f {
		if one.next.After(t) && (first.IsZero() || one.next.Before(first)) {
			first = one.next
		}
	}
	return first
}

// Quarantined is an object that was set aside because attempts at it failed for long, or a path
// that was because it came and went too often.
type Quarantined struct {
	Key object.Key
	// Why is how the last attempt failed.
	Why string
	// Failing is when the first attempt in a row failed, or the path was first withdrawn; Since
	// is when the object was set aside.
	Failing, Since time.Time
	// Tries counts the attempts, or the withdrawals, and Next is when the next attempt is due, or
	// the path comes back.
	Tries int
	Next  time.Time
	// Flapping is true of a path that came and went.
	Flapping bool
}

// came and left are what the history says of an object that is set aside, and of one that is not
// any more.
func (q Quarantined) came() string {
	if q.Flapping {
		return "quarantined because it comes and goes: " + q.Why
	}
	return fmt.Sprintf("quarantined after %d attempts: %s", q.Tries, q.Why)
}

func (q Quarantined) left() string {
	if q.Flapping {
		return fmt.Sprintf("left quarantine after %d withdrawals", q.Tries)
	}
	return fmt.Sprintf("left quarantine after %d attempts", q.Tries)
}

// quarantined are the objects that are set aside, in the order of their keys.
func (f failures) quarantined() []Quarantined {
	var out []Quarantined
	for k, one := range f {
		if !one.aside.IsZero() {
			out = append(out, Quarantined{
				Key: k, Why: one.err.Error(), Failing: one.since, Since: one.aside, Tries: one.count, Next: one.next,
			})
		}
	}
	sorting.Sort(out, func(a, b Quarantined) int { return a.Key.Compare(b.Key) })
	return out
}

// quarantineSteps are the steps by which the history tells who came to quarantine and who left
// it, at most [history.MostDrifted] of them.
func quarantineSteps(before, now []Quarantined, want object.Set) []history.Step {
	was, is := map[object.Key]bool{}, map[object.Key]bool{}
	for _, q := range before {
		was[q.Key] = true
	}
	for _, q := range now {
		is[q.Key] = true
	}
	var out []history.Step
	tell := func(q Quarantined, text string) {
		s := history.Step{
			Cause: plan.CauseRetry, Kind: q.Key.Kind.String(), Key: q.Key.String(), Rows: []history.RowRef{},
			Outcome: history.Seen, Error: text,
		}
		if it, ok := want.Get(q.Key); ok {
			n := plan.Note{Key: q.Key, Value: it.Value, Why: it.Why, Block: object.Block{Text: text}}
			s = history.SeenOf(n, plan.Drift{})
			s.Cause, s.Drift = plan.CauseRetry, nil
		}
		if len(out) < history.MostDrifted {
			out = append(out, s)
		}
	}
	for _, q := range now {
		if !was[q.Key] {
			tell(q, q.came())
		}
	}
	for _, q := range before {
		if !is[q.Key] {
			tell(q, q.left())
		}
	}
	return out
}
