package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
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

// TestQuarantine: what fails for five minutes is set aside and tried with pauses that double up
// to half an hour; it leaves once it works, or is wanted otherwise.
func TestQuarantine(t *testing.T) {
	v := parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex", "route 10.0.0.1/32 table 201 metric 0 dev eth0")
	k, start := v[0].Key(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := failures{}
	now := start
	var pauses []time.Duration
	for now.Sub(start) < 3*time.Hour {
		f.add(k, v[0], errBusy, now)
		next := f.next(now)
		if q := f.quarantined(); (len(q) > 0) != (now.Sub(start) >= quarantineAfter) {
			t.Fatalf("%s after the first failure: %+v", now.Sub(start), q)
		} else if len(q) > 0 {
			pauses = append(pauses, next.Sub(now))
			if q[0].Key != k || q[0].Failing != start || q[0].Next != next || q[0].Why != errBusy.Error() || q[0].Tries < 5 {
				t.Errorf("%+v", q[0])
			}
			if all, _ := f.waiting(now); !strings.HasPrefix(all[k], "quarantined: attempt ") {
				t.Errorf("the plan says %q", all[k])
			}
		}
		now = next
	}
	const m = time.Minute
	want := []time.Duration{2 * m, 4 * m, 8 * m, 16 * m, quarantineMax, quarantineMax}
	if len(pauses) < len(want) || !slices.Equal(pauses[:len(want)], want) {
		t.Errorf("pauses %v, want %v", pauses, want)
	}
	aside := f.quarantined()
	if got := quarantineSteps(nil, aside, mustSet(t, v[0])); len(got) != 1 || got[0].Outcome != history.Seen ||
		!strings.HasPrefix(got[0].Error, "quarantined after ") || got[0].Key != k.String() {
		t.Errorf("history of coming: %+v", got)
	}
	if got := quarantineSteps(aside, aside, object.Set{}); len(got) > 0 {
		t.Errorf("history of staying: %+v", got)
	}
	f.add(k, v[1], errBusy, now)
	if q := f.quarantined(); len(q) > 0 || f.next(now).Sub(now) != retryMin {
		t.Errorf("another value is set aside, too: %+v", q)
	}
	f.clear(k)
	if got := quarantineSteps(aside, f.quarantined(), object.Set{}); len(got) != 1 ||
		!strings.HasPrefix(got[0].Error, "left quarantine after ") {
		t.Errorf("history of leaving: %+v", got)
	}
}
