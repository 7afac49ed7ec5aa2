package reconcile

import (
	"fmt"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/damping"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/evidence"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// damper sets paths aside that come and go; Controller.round guards it.
type damper struct {
	memory damping.Memory
	// is are the blocks of those that are set aside; whoever changes it makes another map.
	is map[object.Key]object.Block
	// back is what was announced last of those that came back since the last round.
	back map[object.Key]object.Value
}

// askDamping finds out which paths are set aside now; whoever calls it holds round.
func (c *Controller) askDamping() {
	if back := c.damper.memory.Pass(c.cfg.Clock.Now()); len(back) > 0 {
		c.dampingEnds(back)
	}
}

// dampingEnds takes up that paths are not set aside any more.
func (c *Controller) dampingEnds(back []object.Value) {
	if c.damper.back == nil {
		c.damper.back = map[object.Key]object.Value{}
	}
	for _, v := range back {
		c.damper.back[v.Key()] = v
	}
	c.setDamped()
}

// setDamped has the next round block what is set aside now.
func (c *Controller) setDamped() {
	c.damper.is = nil
	for _, a := range c.damper.memory.Aside() {
		if c.damper.is == nil {
			c.damper.is = map[object.Key]object.Block{}
		}
		c.damper.is[a.Path] = object.Block{
			Code: object.BlockFlapping, Until: stamp(a.Until),
			Text: fmt.Sprintf("%s; announced again if it stays, or after: bgp-ovn retry %s", a.Text(), a.Path.Text()),
		}
	}
	c.derived.valid, c.settled = false, nil
}

// countFlaps counts the withdrawals of a round that has been executed, and what would have been
// withdrawn of that which is set aside. Only that counts which peers have seen or would have:
// what a hold bridges does not, and neither does what an operator asked for.
func (c *Controller) countFlaps(r Round) {
	if !c.cfg.Damping.On() || r.LastKnown {
		return
	}
	now, changed := c.cfg.Clock.Now(), false
	comes := map[object.Key]bool{}
	for _, op := range r.Plan.Ops {
		if op.After != nil && op.Key().Kind.IsPath() {
			comes[op.Key()] = true
		}
	}
	for i, err := range r.Outcomes {
		if op := r.Plan.Ops[i]; err == nil && !comes[op.Key()] && c.isFlap(op) {
			changed = c.damper.memory.Withdrawn(c.cfg.Damping, op.Before, now) || changed
		}
	}
	sure := r.Frozen == "" && !c.reconfigured
	for _, s := range r.Skipped {
		sure = sure && !s.Hold
	}
	wanted := func(k object.Key) (is, known bool) {
		it, ok := r.Want.Get(k)
		is = ok && (it.Block == nil || it.Block.Code == object.BlockFlapping)
		return is, sure && (is || !ok || !asked(it.Block.Code))
	}
	if c.damper.memory.Wanted(c.cfg.Damping, wanted, now) || changed {
		c.setDamped()
	}
}

// isFlap reports whether a step withdraws a path to one host because of what happened elsewhere.
// What stands for more than one host is not damped, and neither are addresses of the node
// itself: others stand on these.
func (c *Controller) isFlap(op plan.Op) bool {
	if op.Verb != plan.Delete || !op.Key().LeadsToOneHost() || asked(op.Note) {
		return false
	}
	switch op.Cause {
	case plan.CauseChange, plan.CauseRetry, plan.CauseUnreachable:
		before, _ := c.wanted.Get(op.Key())
		return evidence.FromRows(op.Why) || evidence.FromRows(before.Why)
	default:
		return false
	}
}

// asked reports whether a path is kept back because an operator said so.
func asked(code string) bool { return code == object.BlockDrained || code == object.BlockFiltered }

// releaseDamped brings paths back at once that are set aside, as [Controller.Retry] says.
func (c *Controller) releaseDamped(text string) []object.Key {
	back := c.damper.memory.Release(func(k object.Key) bool { return text == "" || k.Text() == text })
	if len(back) == 0 {
		return nil
	}
	c.dampingEnds(back)
	var out []object.Key
	for _, v := range back {
		out = append(out, v.Key())
	}
	return out
}

// setAside are the objects that are set aside after a round, in the order of their keys: what
// fails for long, and what flaps.
func (c *Controller) setAside() []Quarantined {
	out := c.fails.quarantined()
	for _, a := range c.damper.memory.Aside() {
		out = append(out, Quarantined{
			Key: a.Path, Why: a.Text(), Failing: a.First, Since: a.Since, Tries: a.Count, Next: a.Until, Flapping: true,
		})
	}
	sorting.Stable(out, func(a, b Quarantined) int { return a.Key.Compare(b.Key) })
	return out
}

// dampingDue is when the next path comes back; zero if none does.
func (c *Controller) dampingDue(after time.Time) time.Time { return c.damper.memory.Next(after) }
