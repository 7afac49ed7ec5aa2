package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// listedSteps is how many steps the rounds are made of that rollback lists.
const listedSteps = 1000

func (c *cli) rollbackCommand() *cobra.Command {
	var from string
	var dryRun bool
	cmd := &cobra.Command{
		Use: "rollback [ROUND]", Short: "undo of the steps of a round what no row and no key wants",
		Long: `rollback undoes the steps of a round, the last step first, as far as rows and configuration
do not want them, and prints what has become of each: rows or the configuration want it
(wanted: it would be taken again at once), nothing wants what was deleted (unwanted), it is
desired otherwise since (superseded), its opposite is desired now (undone), or it is kept
back.

What was deleted and nothing wants is made again where changes are reviewed (changes:
reviewed), and stays until an operator approves that it is deleted. Where they are
automatic, nothing is done: it would be deleted at once. What the node announces, and
settings, are never made again; the way back to these is to change the rows or the key.
Without ROUND the rounds are listed with their numbers.
Exit status: 0 nothing is left to undo, 2 steps stand, 1 no answer or a failed step.`,
		Example: "  bgp-ovn rollback\n  bgp-ovn rollback 41 --dry-run\n  bgp-ovn rollback 41",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.askController(from, func(ctl control.Controller) error {
				if len(args) == 0 {
					h, err := ctl.History(cmd.Context(), history.Filter{Most: listedSteps})
					if err != nil {
						return err
					}
					return view.Rounds(c.stdout, c.form, h)
				}
				round, err := control.ParseRound(args[0])
				if err != nil {
					return err
				}
				undo := ctl.Rollback
				if dryRun || from != "" {
					undo = func(ctx context.Context, round uint64) (control.Rollback, error) { return undoing(ctx, ctl, round) }
				}
				r, err := undo(cmd.Context(), round)
				if err != nil {
					return err
				}
				c.differs(r.Stand > 0)
				if r.Failed() {
					c.exit = exitError
				}
				return view.Rollback(c.stdout, c.form, r)
			})
		},
	}
	cmd.Flags().StringVar(&from, "bundle", "", bundleHelp)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be undone, and change nothing")
	return cmd
}

// undoing is what undoing a round would be.
func undoing(ctx context.Context, ctl control.Controller, round uint64) (control.Rollback, error) {
	h, err := ctl.History(ctx, history.Filter{After: round - 1})
	if err != nil {
		return control.Rollback{}, err
	}
	d, err := ctl.Desired(ctx)
	if err != nil {
		return control.Rollback{}, err
	}
	return control.RollbackOf(h, round, d)
}
