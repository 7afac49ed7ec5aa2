package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// Rollback makes again what a round deleted and nothing wants any more, where changes are
// reviewed, and tells of each step what has become of it.
func (n *Node) Rollback(ctx context.Context, round uint64) (control.Rollback, error) {
	h, err := n.History(ctx, history.Filter{After: round - 1})
	if err != nil {
		return control.Rollback{}, err
	}
	d, err := n.Desired(ctx)
	if err != nil {
		return control.Rollback{}, err
	}
	out, err := control.RollbackOf(h, round, d)
	if err != nil {
		return out, err
	}
	values, index := out.Again()
	if len(values) == 0 {
		return out, nil
	}
	why := object.Source{Table: "rollback", Row: fmt.Sprintf("of round %d", round)}
	became, err := n.ctl.MakeAgain(ctx, values, why)
	switch {
	case errors.Is(err, reconcile.ErrAutomatic):
		for _, i := range index {
			out.Steps[i].Text = "nothing wants it any more; " + err.Error()
		}
		return out, nil
	case became == nil && err != nil:
		return out, err
	}
	for i, outcome := range became {
		out.Made(index[i], outcome)
	}
	n.opts.Log.Info("a round was undone by command as far as possible", "round", round, "objects", len(values),
		"stand", out.Stand)
	return out, err
}
