package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// RoundDrift is what of reality had moved when a round read it.
type RoundDrift struct {
	// Counts are all drifts, by kind and way.
	Counts map[history.DriftKind]int
	// First are the first of them, at most [history.MostDrifted].
	First []history.Drifted
	// Settled are earlier drifts that are over, or wait.
	Settled []Settled
	// Contested counts those of objects that others keep changing back, of which the log
	// tells once.
	Contested int
	// Seen are drifts that no step mends, as the history has them: each once for as long as
	// it lasts, and of many the first.
	Seen []history.Step
	// begins says that this is the first round of a process that knows what waits.
	begins bool
	// logged are those of which it tells one by one.
	logged []history.Drifted
}

// Settled says what became of the drift of an object.
type Settled struct {
	Key   object.Key
	State history.State
	Why   string
}

// findDrift says of a round that was executed what of reality had moved: what steps
// mended, and what no step mends because it is another owner's.
func (c *Controller) findDrift(r Round) RoundDrift {
	out := RoundDrift{}
	contested := map[object.Key]bool{}
	for _, one := range r.Contested {
		contested[one.Key] = true
	}
	for i := range r.Plan.Ops {
		op, err := &r.Plan.Ops[i], r.Outcomes[i]
		switch {
		case op.Drift == nil && err == nil && op.Cause == plan.CauseRetry:
			out.Settled = append(out.Settled, Settled{op.Key(), history.Repaired, ""})
		case op.Drift == nil:
		case err != nil:
			out.add(r, op.Key(), *op.Drift, history.NotRepaired, err.Error(), contested[op.Key()])
		default:
			out.add(r, op.Key(), *op.Drift, history.Repaired, "", contested[op.Key()])
		}
	}
	if !r.LastKnown && r.ReadErr == nil {
		c.findNoted(r, &out)
	}
	c.seeContested(r, &out)
	return out
}

// seeContested sees of each object that is contested once that it is: each repair is a step
// anyway, for as long as there are any.
func (c *Controller) seeContested(r Round, out *RoundDrift) {
	var now map[object.Key]bool
	for _, one := range r.Contested {
		if now == nil {
			now = map[object.Key]bool{}
		}
		now[one.Key] = true
		it, ok := r.Want.Get(one.Key)
		if !ok || c.contestedBefore[one.Key] {
			continue
		}
		out.see(plan.Note{Key: one.Key, Value: it.Value, Why: it.Why, Block: object.Block{
			Code: object.BlockContested, Text: fmt.Sprintf("contested: changed back %d times; repaired with pauses", one.Count),
		}}, plan.Drift{How: plan.HowChanged, Fields: []plan.Difference{}, By: one.By})
	}
	c.contestedBefore = now
}

// see has the history tell of a drift that no step mends, if it is one of the first.
func (d *RoundDrift) see(n plan.Note, what plan.Drift) {
	if len(d.Seen) < history.MostDrifted && n.Value != nil {
		d.Seen = append(d.Seen, history.SeenOf(n, what))
	}
}

// findNoted looks for what is noted of a wanted object since this round. In the first round
// of a process, and of what has become wanted just now, nobody can tell whether it is
// reality that moved.
func (c *Controller) findNoted(r Round, out *RoundDrift) {
	var noted map[object.Key]string
	for i := range r.Plan.Notes {
		n := &r.Plan.Notes[i]
		if n.Block.Code == object.BlockContested {
			out.Settled = append(out.Settled, Settled{n.Key, history.NotRepaired, n.Block.Text})
			continue
		}
		d, ok := c.driftOfNote(*n)
		if !ok {
			continue
		}
		if noted == nil {
			noted = map[object.Key]string{}
		}
		noted[n.Key] = n.Block.Code
		if c.noted[n.Key] == n.Block.Code || !c.begun || !c.moved(*n) {
			continue
		}
		d.By = c.cfg.Backends.ChangedBy(n.Value)
		out.see(*n, d)
		out.add(r, n.Key, d, history.NotRepaired, n.Block.Text, false)
	}
	for k, code := range c.noted {
		if noted[k] != code {
			out.Settled = append(out.Settled, Settled{k, history.Gone, ""})
		}
	}
	c.noted, out.begins = noted, !c.begun
}

// moved reports whether it is reality that moved, and not what is wanted: what is noted was
// wanted as it is before, or nobody has wanted it at all.
func (c *Controller) moved(n plan.Note) bool {
	before, wanted := c.wanted.Get(n.Key)
	if n.Block.Code == object.BlockFrozen {
		return !wanted
	}
	return wanted && before.Value == n.Value
}

// driftOfNote is the drift that a note tells of: another owner's object in the place of
// ours or before it, a device that is made by others and went, or an object with our mark
// that we have not made and that may not be removed for now.
func (c *Controller) driftOfNote(n plan.Note) (plan.Drift, bool) {
	d := plan.Drift{Fields: []plan.Difference{}}
	switch {
	case n.Block.Code == object.BlockFrozen && n.Value != nil && !c.cfg.Journal.Owned(n.Key):
		d.How = plan.HowAdded
	case n.Block.Code == object.BlockForeign:
		d.How = plan.HowForeignMark
	case n.Block.Code == object.BlockOverridden:
		d.How = plan.HowOverridden
	case n.Block.Code == object.BlockNotWired && n.Key.Kind.MadeBy() != "":
		d.How = plan.HowDeleted
	default:
		return d, false
	}
	return d, true
}

// add counts a drift, and keeps it if it is one of the first.
func (d *RoundDrift) add(r Round, k object.Key, what plan.Drift, state history.State, why string, contested bool) {
	if d.Counts == nil {
		d.Counts = map[history.DriftKind]int{}
	}
	d.Counts[history.DriftKind{Kind: k.Kind.String(), How: what.How}]++
	if contested {
		d.Contested++
	}
	if len(d.First) == history.MostDrifted {
		return
	}
	one := history.NewDrifted(r.Started, k, what)
	one.State, one.Why = state, why
	if d.First = append(d.First, one); !contested && len(d.logged) < mostDriftLines {
		d.logged = append(d.logged, one)
	}
}

// rememberDrift keeps the drift of a round for an hour. The caller holds mu.
func (c *Controller) rememberDrift(r Round) {
	if r.Drift.begins {
		c.drifts.SettleOthers(func(kind, key string) bool {
			k, err := object.ParseKey(kind + " " + key)
			_, waits := c.noted[k]
			return err == nil && waits
		})
	}
	for _, s := range r.Drift.Settled {
		c.drifts.Settle(s.Key.Kind.String(), s.Key.String(), s.State, s.Why)
	}
	c.drifts.Count(r.Started, r.Drift.Counts)
	for _, d := range slices.Backward(r.Drift.First) { // the first of a plan are what others stand on
		c.drifts.Add(d)
	}
}

// RecallDrift takes up what earlier processes did against drift in the last hour.
func (c *Controller) RecallDrift(steps []history.Step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range steps {
		c.drifts.AddStep(s)
	}
}

// Drift tells of the drift of the last hour: how much there was, the most first, and up to
// most of the latest, the newest first.
func (c *Controller) Drift(most int) ([]history.DriftCount, []history.Drifted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drifts.Last(c.cfg.Clock.Now(), most)
}

// mostDriftLines is how many drifts of a round have a line each in the log.
const mostDriftLines = 10

// logDrift logs what had moved: the first of it one by one. Of objects that are contested
// [Controller.logContested] tells.
func (c *Controller) logDrift(d RoundDrift) {
	more := -d.Contested - len(d.logged)
	for _, n := range d.Counts {
		more += n
	}
	for _, one := range d.logged {
		args := []any{"object", one.Object(), "what", one.Drift.String(), "state", string(one.State)}
		if one.Why != "" {
			args = append(args, "why", strings.ToValidUTF8(one.Why, ""))
		}
		c.cfg.Log.Warn("drift", args...)
	}
	if more > 0 {
		c.cfg.Log.Warn("more drift", "objects", more, "all", "bgp-ovn history --cause drift")
	}
}
