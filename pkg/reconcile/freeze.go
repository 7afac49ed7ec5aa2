package reconcile

import (
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// freeze is what the log knows of a time in which deletions are suspended.
type freeze struct {
	since time.Time // zero if they are not
	fuse  bool
	// held is how many objects it has held at most.
	held int
}

// mostHeldNames is how many of the held objects a line of the log names.
const mostHeldNames = 5

// fusePrefix is how a reason begins that is the fuse's.
const fusePrefix = "fuse: "

// tellFrozen logs when deletions are suspended and when they are not any more, with what
// is held: once, and again where the fuse takes the place of another reason or the other
// way round.
func (c *Controller) tellFrozen(r Round) {
	if r.Frozen == "" {
		if was := c.frozen; !was.since.IsZero() {
			c.cfg.Log.Info("deletions are no longer suspended", "lasted", c.since(was.since).Round(time.Second),
				"held at most", was.held, "applied", r.Plan.Summary())
		}
		c.frozen = freeze{}
		return
	}
	count, names := heldBy(r)
	isFuse := strings.HasPrefix(r.Frozen, fusePrefix)
	if began := c.frozen.since.IsZero(); began || c.frozen.fuse != isFuse {
		c.cfg.Log.Warn("deletions are suspended", "why", r.Frozen, "held", count, "first", strings.Join(names, ", "),
			"remedy", "bgp-ovn status; bgp-ovn plan lists what is held")
		if began {
			c.frozen.since = r.Started
		}
	} else if count > 0 && c.frozen.held == 0 {
		c.cfg.Log.Warn("suspended deletions hold objects", "why", r.Frozen, "held", count,
			"first", strings.Join(names, ", "))
	}
	c.frozen.fuse, c.frozen.held = isFuse, max(c.frozen.held, count)
}

// heldBy counts what would be gone if deletions were not suspended, and names the first.
func heldBy(r Round) (count int, names []string) {
	for _, n := range r.Plan.Notes {
		if n.Block.Code != object.BlockFrozen {
			continue
		}
		if count++; len(names) < mostHeldNames {
			names = append(names, n.Key.Text())
		}
	}
	return count, names
}
