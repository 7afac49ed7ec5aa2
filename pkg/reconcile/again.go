package reconcile

import (
	"context"
	"errors"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// ErrAutomatic is why nothing that nobody wants can be made again where changes are not reviewed.
var ErrAutomatic = errors.New("changes are applied at once (changes: automatic): it would be deleted again")

// MakeAgain makes values that were deleted and that nothing wants, in a round of its own: the
// executor applies and the ledger records them as whatever else is ours. They stay because changes
// are reviewed: that nothing wants them is a step that waits for the operator. There is one
// outcome a value; nil is success. The other error is that there was no round at all.
func (c *Controller) MakeAgain(ctx context.Context, values []object.Value, why object.Source) ([]error, error) {
	out := make([]error, len(values))
	r, err := c.byCommand(ctx, func(r *Round) error {
		switch {
		case !c.cfg.Reviewed:
			return ErrAutomatic
		case r.ReadErr != nil:
			return r.ReadErr
		}
		guard := desired.NewGuard(r.Snapshot, r.Want)
		made := map[object.Key]bool{}
		for i, v := range values {
			if out[i] = c.mayMake(*r, guard, v); out[i] == nil && made[v.Key()] {
				out[i] = errors.New("it was asked for twice")
			}
			if out[i] == nil {
				made[v.Key()], r.again = true, append(r.again, v)
			}
		}
		r.againWhy = []object.Source{why}
		return nil
	})
	if err != nil {
		return nil, err
	}
	became := map[object.Key]error{}
	for i, err := range r.Outcomes {
		became[r.Plan.Ops[i].Key()] = err
	}
	for i, v := range values {
		if out[i] != nil {
			continue
		}
		var taken bool
		if out[i], taken = became[v.Key()]; !taken {
			out[i] = errors.New("no step was taken for it")
		}
	}
	return out, r.JournalErr
}

// mayMake is why a value cannot be made that nothing wants; nil if it can.
func (c *Controller) mayMake(r Round, guard *desired.Guard, v object.Value) error {
	k := v.Key()
	if why := NotAgain(k.Kind); why != "" {
		return errors.New(why)
	}
	switch {
	case slices.Contains(c.cfg.Unmanaged, k.Kind):
		return errors.New("objects of its kind are left to another tool")
	case r.LastKnown:
		return errors.New("the rows of the databases are not known yet")
	case r.Want.Has(k):
		return errors.New("it is desired")
	case r.Have.Has(k):
		return errors.New("it is there")
	}
	if k.Kind.IsSteering() {
		if b := guard.Block(v); b != nil {
			return errors.New(b.Text)
		}
	}
	return nil
}

// NotAgain is why no object of a kind is made that nothing wants; empty if one can be.
func NotAgain(k object.Kind) string {
	switch {
	case k.IsPath() || k.IsSession():
		return "what the node announces, and to whom, follows from the rows and the configuration alone"
	case k.IsSetting() || k.IsLasting():
		return "settings go back by themselves to the value from before our first change"
	case k.MadeBy() != "":
		return "it is made by " + k.MadeBy()
	}
	return ""
}
