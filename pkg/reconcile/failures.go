package reconcile

import (
	"fmt"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// failure is what is known of a key whose last step failed.
type failure struct {
	count int
	next  time.Time
	err   error
	after object.Value // what was to be written; nil for a delete or restore
}

// failures remembers failed keys between rounds: each is tried again with a
// delay that doubles, and what needs it is withdrawn meanwhile.
type failures map[object.Key]*failure

const (
	retryMin = 250 * time.Millisecond
	retryMax = time.Minute
)

func (f failures) add(k object.Key, after object.Value, err error, now time.Time) {
	one, ok := f[k]
	if !ok || one.after != after {
		one = &failure{after: after}
		f[k] = one
	}
	delay := min(retryMin<<min(one.count, 16), retryMax)
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
		all[k] = fmt.Sprintf("attempt %d failed: %v; next one in at most %s", one.count, one.err, retryMax)
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
