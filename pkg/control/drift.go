package control

import (
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// Drift is what others did to our objects within a time.
type Drift struct {
	// Seconds is that time, up to now.
	Seconds float64 `json:"seconds"`
	Total   int     `json:"total"`
	// Counts are by kind of objects and way of drift, the most first.
	Counts []history.DriftCount `json:"counts"`
	// Latest are some of the latest ones, the newest first.
	Latest []history.Drifted `json:"latest"`
}

// LatestDrifts is how many drifts one by one an answer has.
const LatestDrifts = 5

// DriftOf is the drift of the last hour as an answer.
func DriftOf(counts []history.DriftCount, latest []history.Drifted) Drift {
	out := Drift{Seconds: history.DriftWindow.Seconds(), Counts: counts, Latest: latest}
	for _, c := range counts {
		out.Total += c.Count
	}
	return out
}

// Window is how far back it tells.
func (d Drift) Window() time.Duration { return time.Duration(d.Seconds * float64(time.Second)) }
