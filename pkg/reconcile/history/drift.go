package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// State is what became of a drift.
type State string

// The states of a drift.
const (
	Repaired    State = "repaired"
	NotRepaired State = "not-repaired" // yet, or because it is another owner's: see why
	Gone        State = "gone"         // it ended without our doing
)

// Drifted is one drift of one object, or several of one kind in a row.
type Drifted struct {
	// At is when it was found, the last time if that was several Times.
	At    time.Time `json:"at"`
	Times int       `json:"times"`
	// Kind and Key are those of the object.
	Kind string `json:"kind"`
	Key  string `json:"key"`
	plan.Drift
	State State `json:"state"`
	// Why says why it is not repaired; empty if it is.
	Why string `json:"why,omitempty"`
}

// NewDrifted is the drift of an object as it is found.
func NewDrifted(at time.Time, k object.Key, d plan.Drift) Drifted {
	out := Drifted{At: at, Times: 1, Kind: k.Kind.String(), Key: shorten(k.String()), Drift: d, State: Repaired}
	out.Fields = slices.Clone(d.Fields)
	for i := range out.Fields {
		f := &out.Fields[i]
		f.Found, f.Wanted = shorten(f.Found), shorten(f.Wanted)
	}
	return out
}

// Object is kind and key.
func (d Drifted) Object() string { return d.Kind + " " + d.Key }

// same reports whether two are about the same object and the same kind of drift.
func (d Drifted) same(o Drifted) bool { return d.Kind == o.Kind && d.Key == o.Key && d.How == o.How }

const (
	// DriftWindow is how far back drift is counted, in steps of driftStep.
	DriftWindow = time.Hour
	driftStep   = time.Minute
	// MostDrifted bounds the latest drifts that are remembered one by one.
	MostDrifted = 32
)

// Drifts remember the drift of the last hour: how much of it there was, and the latest.
// The zero value is empty. What it holds is bounded, whatever others do.
type Drifts struct {
	// steps are counts, the oldest first.
	steps []driftCounts
	// latest are the latest ones, the newest last.
	latest []Drifted
}

type driftCounts struct {
	from   time.Time
	counts map[DriftKind]int
}

// DriftKind is a kind of objects and a way in which they drift.
type DriftKind struct {
	Kind string   `json:"kind"`
	How  plan.How `json:"how"`
}

// DriftCount counts drift of one kind.
type DriftCount struct {
	DriftKind
	Count int `json:"count"`
}

// Count counts drifts without remembering what they were.
func (l *Drifts) Count(at time.Time, counts map[DriftKind]int) {
	if len(counts) == 0 {
		return
	}
	l.drop(at)
	if n := len(l.steps); n == 0 || at.Sub(l.steps[n-1].from).Abs() >= driftStep {
		l.steps = append(l.steps, driftCounts{at, map[DriftKind]int{}})
	}
	for k, n := range counts {
		l.steps[len(l.steps)-1].counts[k] += n
	}
}

// Add remembers a drift that is counted.
func (l *Drifts) Add(d Drifted) {
	if i := slices.IndexFunc(l.latest, d.same); i >= 0 {
		d.Times += l.latest[i].Times
		l.latest = slices.Delete(l.latest, i, i+1)
	} else if len(l.latest) == MostDrifted {
		l.latest = slices.Delete(l.latest, 0, 1)
	}
	l.latest = append(l.latest, d)
}

// AddStep remembers the drift that a step of an earlier process mended, if it did.
func (l *Drifts) AddStep(s Step) {
	if s.Drift == nil {
		return
	}
	d := Drifted{At: s.At, Times: 1, Kind: s.Kind, Key: s.Key, Drift: *s.Drift, State: Repaired}
	if s.Outcome != OK {
		d.State, d.Why = NotRepaired, s.Error
	}
	l.Count(s.At, map[DriftKind]int{{s.Kind, s.Drift.How}: 1})
	l.Add(d)
}

// Settle notes what became of the latest drift of an object, if it is remembered: one that
// is repaired stays so until it is found again.
func (l *Drifts) Settle(kind, key string, state State, why string) {
	for i := len(l.latest) - 1; i >= 0; i-- {
		d := &l.latest[i]
		if d.Kind != kind || d.Key != key {
			continue
		}
		if d.State == NotRepaired || state == NotRepaired {
			d.State, d.Why = state, why
		}
		return
	}
}

// SettleOthers notes that what waits and is not among those that still do has gone.
func (l *Drifts) SettleOthers(waits func(kind, key string) bool) {
	for i := range l.latest {
		if d := &l.latest[i]; d.State == NotRepaired && !waits(d.Kind, d.Key) {
			d.State, d.Why = Gone, ""
		}
	}
}

// Unsettled reports whether any drift is remembered that is not repaired.
func (l *Drifts) Unsettled() bool {
	return slices.ContainsFunc(l.latest, func(d Drifted) bool { return d.State == NotRepaired })
}

// drop forgets what is older than the window.
func (l *Drifts) drop(now time.Time) {
	l.steps = slices.DeleteFunc(l.steps, func(c driftCounts) bool { return now.Sub(c.from).Abs() >= DriftWindow })
	l.latest = slices.DeleteFunc(l.latest, func(d Drifted) bool { return now.Sub(d.At).Abs() >= DriftWindow })
}

// Last returns the counts of the last hour, by kind and way, and up to most of the latest
// drifts, the newest first. Neither is nil.
func (l *Drifts) Last(now time.Time, most int) (counts []DriftCount, latest []Drifted) {
	l.drop(now)
	sums := map[DriftKind]int{}
	for _, s := range l.steps {
		for k, n := range s.counts {
			sums[k] += n
		}
	}
	counts = make([]DriftCount, 0, len(sums))
	for k, n := range sums {
		counts = append(counts, DriftCount{k, n})
	}
	sorting.Sort(counts, func(a, b DriftCount) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.How, b.How))
	})
	latest = make([]Drifted, 0, most)
	for _, d := range slices.Backward(l.latest[max(0, len(l.latest)-most):]) {
		latest = append(latest, d)
	}
	return counts, latest
}
