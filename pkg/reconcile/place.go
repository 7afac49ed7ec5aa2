package reconcile

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/evidence"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// place says of a step which row decided, by the name that people gave it, and of an
// address that begins or ends here where it comes from or goes to.
func place(op *plan.Op, now, before observe.Snapshot) {
	if op.Row = rowName(op.Why, now); op.Row == "" {
		op.Row = rowName(op.Why, before)
	}
	if !op.Key().Kind.IsExported() || op.Note == plan.NoteReplaced || op.Cause != plan.CauseChange {
		return
	}
	switch op.Verb {
	case plan.Create:
		if from := elsewhereIn(op.Key(), op.Why, before); from != "" {
			op.From, op.To = from, history.Here
		}
	case plan.Delete:
		if to := elsewhereIn(op.Key(), op.Why, now); to != "" {
			op.From, op.To = history.Here, to
		}
	case plan.Update, plan.Restore:
	}
}

// elsewhereIn is the other chassis that the row that decides names in a snapshot, by its
// host name if that is known; empty if it names this one or none.
func elsewhereIn(k object.Key, why []object.Source, snap observe.Snapshot) string {
	chassis, _ := evidence.Holder(k, why, snap)
	switch {
	case chassis == nil || chassis.Name == snap.Chassis:
		return ""
	case chassis.Hostname != "":
		return chassis.Hostname
	default:
		return chassis.Name
	}
}

// rowName is the row that decides, or else the first one, with the name that its
// owner gave it before the one that is in the database; empty if there is no such row.
func rowName(why []object.Source, snap observe.Snapshot) string {
	if len(why) == 0 || snap.SB == nil {
		return ""
	}
	src := why[0]
	for _, s := range why {
		if s.Decides {
			src = s
			break
		}
	}
	p, ok := snap.SB.Port(src.Row)
	if !ok {
		return ""
	}
	if name := p.ExternalIDs["neutron:port_name"]; name != "" && name != src.Row {
		return src.Table + " " + name + " (" + src.Row + ")"
	}
	return src.RowRef()
}
