package reconcile

import (
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

func TestFailures(t *testing.T) {
	v := parse(t,
		"route 10.0.0.1/32 table 201 metric 0 dev br-ex", "route 10.0.0.1/32 table 201 metric 0 dev eth0")
	k, start := v[0].Key(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := failures{}
	now := start
	for i, want := range []time.Duration{retryMin, 2 * retryMin, 4 * retryMin} {
		f.add(k, v[0], errBusy, now)
		if got := f.next(now).Sub(now); got != want {
			t.Errorf("delay after attempt %d: got %s, want %s", i+1, got, want)
		}
		now = now.Add(want)
		if all, _ := f.waiting(now.Add(-1)); all[k] == "" {
			t.Errorf("attempt %d may come too early", i+2)
		}
		if all, _ := f.waiting(now); all[k] != "" {
			t.Errorf("attempt %d must wait: %s", i+2, all[k])
		}
	}
	for range 100 {
		f.add(k, v[0], errBusy, now)
	}
	if got := f.next(now).Sub(now); got != retryMax {
		t.Errorf("delay after many attempts: got %s, want %s", got, retryMax)
	}
	f.add(k, v[1], errBusy, now)
	if got := f.next(now).Sub(now); got != retryMin {
		t.Errorf("delay of another value: got %s, want %s", got, retryMin)
	}
	if _, stuck := f.waiting(now); len(stuck) > 0 {
		t.Errorf("a failed create counts as a failed delete: %v", stuck)
	}
}

func TestFailuresArePruned(t *testing.T) {
	v := parse(t,
		"route 10.0.0.1/32 table 201 metric 0 dev br-ex", "route 10.0.0.1/32 table 201 metric 0 dev eth0")
	k := v[0].Key()
	none, some := object.Set{}, mustSet(t, v[0])
	for name, tc := range map[string]struct {
		after      object.Value
		want, have object.Set
		left       int
	}{
		"still wanted":        {v[0], some, none, 1},
		"not wanted any more": {v[0], none, none, 0},
		"wanted otherwise":    {v[1], some, none, 0},
		"delete, still there": {nil, none, some, 1},
		"delete, gone":        {nil, none, none, 0},
	} {
		f := failures{}
		f.add(k, tc.after, errBusy, time.Time{})
		if f.prune(tc.want, tc.have); len(f) != tc.left {
			t.Errorf("%s: %d failures are left, want %d", name, len(f), tc.left)
		}
	}
}
