package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// listedSteps is how many steps the rounds are made of that rollback lists.
const listedSteps = 1000

func (c *cli) rollbackCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use: "rollback [ROUND]", Short: "say what undoing the steps of a round would be, and whether it would last",
		Long: `rollback prints the opposite of each step of a round, the last step first, and what has
become of the step: rows or the configuration want it (wanted: it would be taken again at
once), nothing wants what was deleted (unwanted: it would be deleted again), it is desired
otherwise since (superseded), its opposite is desired now (undone), or it is kept back.

Nothing is changed on the node: what it holds follows from the rows and the configuration
alone, so that the way back is to change these. What nothing wants any more is undone
without a command. Without ROUND the rounds are listed with their numbers.
Exit status: 0 nothing is left to undo, 2 steps stand, 1 no answer.`,
		Example: "  bgp-ovn rollback\n  bgp-ovn rollback 41",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f := history.Filter{Most: listedSteps}
			var round uint64
			if len(args) > 0 {
				var err error
				if round, err = strconv.ParseUint(args[0], 10, 64); err != nil || round == 0 {
					return fmt.Errorf("rollback %.40q: give the number of a round; bgp-ovn rollback lists them", args[0])
				}
				f = history.Filter{After: round - 1}
			}
			return c.askController(from, func(ctl control.Controller) error {
				h, err := ctl.History(cmd.Context(), f)
				if err != nil {
					return err
				}
				if round == 0 {
					return view.Rounds(c.stdout, c.form, h)
				}
				d, err := ctl.Desired(cmd.Context())
				if err != nil {
					return err
				}
				r, err := control.RollbackOf(h, round, d)
				if err != nil {
					return err
				}
				c.differs(r.Stand > 0)
				return view.Rollback(c.stdout, c.form, r)
			})
		},
	}
	cmd.Flags().StringVar(&from, "bundle", "", bundleHelp)
	return cmd
}
