package reconcile

import (
	"cmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// facts are what decides about the cause of a step.
type facts struct {
	// first is the first round of a process that has a snapshot.
	first bool
	// reconfigured says that the configuration was changed since the last round,
	// and asked that an operator asked for this one.
	reconfigured, asked bool
	// drained says that the step belongs to a drain of the node, or to the end of one.
	drained bool
	// unreachable says that the step withdraws what this node cannot forward packets for, or
	// announces it again.
	unreachable bool
	// failed says that the last attempt at the key failed.
	failed bool
	// wanted is what is wanted under the key, before what the last round wanted, and
	// recorded what the ledger says was written last; nil is nothing.
	wanted, before, recorded object.Value
}

// causeOf decides why a step is taken. What is known for certain goes before what
// follows from it: in the first round of a process nobody can tell whether reality
// moved or the rows did.
func causeOf(f facts) plan.Cause {
	undone := f.undone()
	switch {
	case f.first:
		return plan.CauseStart
	case f.drained:
		return plan.CauseDrain
	case f.unreachable:
		return plan.CauseUnreachable
	case f.reconfigured && f.wanted != f.before:
		return plan.CauseConfig
	case f.asked && (undone || f.failed):
		return plan.CauseRepair
	case f.failed:
		return plan.CauseRetry
	case undone:
		return plan.CauseDrift
	default:
		return plan.CauseChange
	}
}

// undone reports whether we have written it as it is wanted, or it is nothing of ours
// that anybody recorded: then it is reality that moved.
func (f facts) undone() bool {
	return f.wanted != nil && f.wanted == f.recorded || f.wanted == nil && f.recorded == nil
}

// setCauses gives each step of the plan its cause, and what else only the loop knows of
// it: what moved and by whom. asked says that an operator asked for the round.
func (c *Controller) setCauses(r *Round, asked bool) {
	if r.Plan.Empty() {
		return
	}
	before, _ := c.Last()
	var replaced plan.Cause
	for i := range r.Plan.Ops {
		op := &r.Plan.Ops[i]
		k := op.Key()
		f := facts{first: !c.begun, reconfigured: c.reconfigured, asked: asked, wanted: op.After}
		_, f.failed = c.fails[k]
		_, back := c.damper.back[k]
		f.failed = f.failed || back && op.After != nil
		if was, ok := c.wanted.Get(k); ok {
			f.before = was.Value
		}
		if was, ok := c.cfg.Journal.Recorded(k); ok {
			f.recorded = was.Value
		}
		f.drained = op.Note == object.BlockDrained || c.drain.changed && k.Kind.IsPath() && f.wanted != f.before
		f.unreachable = op.Note == object.BlockUnreachable || c.unreachable.back[k] && f.wanted != nil
		switch {
		case op.Verb == plan.Restore:
			f.wanted = nil // the setting is not wanted any more
		case op.Note == plan.NoteReplaced && op.After == nil:
			it, _ := r.Want.Get(k)
			f.wanted = it.Value
		}
		op.Cause = causeOf(f)
		// What goes with a device that is replaced has the cause of that.
		switch {
		case op.Note != plan.NoteReplaced && op.Note != plan.NoteDeviceReplaced:
		case k.Kind.IsDevice() && replaced == "":
			replaced = op.Cause
		case !k.Kind.IsDevice() && op.Cause == plan.CauseDrift && replaced != "":
			op.Cause = replaced
		}
		if op.Cause == plan.CauseDrift || op.Cause == plan.CauseRepair && f.undone() {
			if op.Drift = plan.DriftOf(*op); op.Drift != nil {
				op.Drift.By = c.cfg.Backends.ChangedBy(cmp.Or(op.Before, op.After))
			}
		}
		place(op, r.Snapshot, before.Snapshot)
	}
}
