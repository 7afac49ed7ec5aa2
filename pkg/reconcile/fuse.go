package reconcile

import (
	"fmt"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// FuseConfig says when a round withdraws too much to be applied at once.
type FuseConfig struct {
	// Share is the share of our paths, 0 to 1, above which the fuse blows; 0
	// turns it off.
	Share float64
	// Least is the number of paths below which it never blows.
	Least int
	// Hold is how long a mass withdrawal must persist before it is applied, and how long
	// one of which the rows do not say that it has ended.
	Hold time.Duration
}

// fuse holds rounds that would withdraw an implausible share of what we
// announce. An emptied database looks exactly like a cloud without addresses; a gateway
// that moves does not, because its rows are still there and name another chassis. So
// all counts but what is elsewhere, and what the operator has asked for.
type fuse struct {
	cfg   FuseConfig
	since time.Time // when the present streak of implausible rounds began
}

// check returns the reason to hold back, or "". implausible are the paths that would be
// withdrawn and count, remembered those that an earlier process announced and that are
// not there.
func (f *fuse) check(r Round, implausible, remembered int, now time.Time) string {
	if f.cfg.Share <= 0 {
		return ""
	}
	if r.Frozen != "" || r.Snapshot.SB == nil {
		f.since = time.Time{} // time in doubt does not count as persisting
		return ""
	}
	total := remembered
	for _, kind := range object.KindsThat(object.Kind.IsPath) {
		total += r.Have.LenOf(kind)
	}
	if implausible < max(f.cfg.Least, 1) || float64(implausible) <= f.cfg.Share*float64(total) {
		f.since = time.Time{}
		return ""
	}
	if f.since.IsZero() {
		f.since = now
	}
	if now.Sub(f.since) >= f.cfg.Hold {
		return ""
	}
	return fmt.Sprintf(fusePrefix+"%d of %d paths would be withdrawn, and no row of the Southbound database names "+
		"another chassis for them; applied if it persists for %s, or at once after fuse.share is raised",
		implausible, total, f.cfg.Hold)
}

// due is when a held round may be applied; zero if none is held.
func (f *fuse) due() time.Time {
	if f.since.IsZero() {
		return time.Time{}
	}
	return f.since.Add(f.cfg.Hold)
}
