package reconcile

import (
	"fmt"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// FuseConfig says when a round withdraws too much to be applied at once.
type FuseConfig struct {
	// Share is the share of our paths, 0 to 1, above which the fuse blows; 0
	// turns it off.
	Share float64
	// Least is the number of paths below which it never blows.
	Least int
	// Hold is how long a mass withdrawal must persist before it is applied.
	Hold time.Duration
}

// fuse holds rounds that would withdraw an implausible share of what we
// announce because the rows are gone. An emptied database looks exactly like a
// cloud without addresses; a gateway that moves does not, because its rows are still
// there and name another chassis. So only vanished rows count.
type fuse struct {
	cfg FuseConfig
	// why is the ledger's provenance of a key.
	why   func(object.Key) []object.Source
	since time.Time // when the present streak of implausible rounds began
}

// check returns the reason to hold back, or "". lost are paths that an earlier
// process announced and that this one would not announce again.
func (f *fuse) check(r Round, lost []object.Key, now time.Time) string {
	if f.cfg.Share <= 0 {
		return ""
	}
	if r.Frozen != "" || r.Snapshot.SB == nil {
		f.since = time.Time{} // time in doubt does not count as persisting
		return ""
	}
	vanished := 0
	for _, op := range r.Plan.Ops {
		if op.Verb == plan.Delete && op.Key().Kind.IsPath() && rowsGone(r.Snapshot.SB, op.Why) {
			vanished++
		}
	}
	for _, k := range lost {
		if rowsGone(r.Snapshot.SB, f.why(k)) {
			vanished++
		}
	}
	total := len(lost)
	for _, kind := range object.KindsThat(object.Kind.IsPath) {
		total += r.Have.LenOf(kind)
	}
	if vanished < max(f.cfg.Least, 1) || float64(vanished) <= f.cfg.Share*float64(total) {
		f.since = time.Time{}
		return ""
	}
	if f.since.IsZero() {
		f.since = now
	}
	if now.Sub(f.since) >= f.cfg.Hold {
		return ""
	}
	return fmt.Sprintf("fuse: %d of %d paths would be withdrawn because their rows are gone from the Southbound "+
		"database; applied if it persists for %s, or at once after fuse.share is raised",
		vanished, total, f.cfg.Hold)
}

// due is when a held round may be applied; zero if none is held.
func (f *fuse) due() time.Time {
	if f.since.IsZero() {
		return time.Time{}
	}
	return f.since.Add(f.cfg.Hold)
}

// rowsGone reports whether a Port_Binding that led to the object is not there
// any more. What was recorded without a row counts as present.
func rowsGone(sb *observe.Southbound, why []object.Source) bool {
	for _, src := range why {
		if src.Table != "Port_Binding" {
			continue
		}
		if _, ok := sb.Port(src.Row); !ok {
			return true
		}
	}
	return false
}
