package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

func (c *cli) adoptCommand() *cobra.Command {
	var opts agent.AdoptOptions
	cmd := &cobra.Command{
		Use: "adopt", Short: "take over a node from ovn-bgp-agent without losing a packet", Args: noArgs,
		Long: `adopt takes over what ovn-bgp-agent has left in the kernel: what equals ours
becomes ours without being touched, routes get our protocol in place, one rule a
bridge replaces its rule for every address, and what nobody wants goes last.

Run it once, after the agent has been stopped and before bgp-ovn is started. It
announces nothing. If a step fails, nothing after it is tried; run it again.
With --reverse it hands the node back: each route gets the rule that
ovn-bgp-agent has for it, ours goes, and nothing is recorded as ours any more.
Run it after bgp-ovn has been stopped and before FRR and the agent are started.

Exit status: 0 done or nothing to do, 2 with --dry-run: something to do, 1 error.`,
		Example: "  bgp-ovn adopt --dry-run\n  bgp-ovn adopt\n  bgp-ovn adopt --reverse",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.Reverse && opts.RemoveFRR {
				return errors.New("--reverse and --remove-frr-interfaces exclude each other: a node that goes back needs FRR's " +
					"interfaces; leave one of them out")
			}
			s, err := c.valid()
			if err != nil {
				return err
			}
			return c.adopt(cmd.Context(), s, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "print what would be done, write nothing")
	waitFlag(cmd.Flags(), &opts.Wait, time.Minute, "how long to wait for the databases")
	cmd.Flags().BoolVar(&opts.RemoveFRR, "remove-frr-interfaces", false,
		"remove the dummy device and the VRF from which FRR announces; stop FRR first")
	cmd.Flags().BoolVar(&opts.Reverse, "reverse", false, "hand the node back to ovn-bgp-agent")
	cmd.Flags().StringVar(&opts.BGPNIC, "bgp-nic", "bgp-nic", "the agent's option bgp_nic")
	cmd.Flags().StringVar(&opts.BGPVRF, "bgp-vrf", "bgp-vrf", "the agent's option bgp_vrf")
	return cmd
}

func (c *cli) adopt(ctx context.Context, s config.Settings, opts agent.AdoptOptions) error {
	if running(ctx, s) {
		return errors.New("a controller is running on this node, and adopt changes what it needs; stop it first")
	}
	a, err := agent.OpenAdoption(ctx, s, opts, c.logger(s))
	if err != nil {
		return err
	}
	return errors.Join(c.takeOver(ctx, a, opts.DryRun), a.Close())
}

// takeOver prints the plan and, unless it is a dry run, applies it.
func (c *cli) takeOver(ctx context.Context, a *agent.Adoption, dryRun bool) error {
	p, err := a.Plan(ctx)
	if err != nil {
		return err
	}
	c.differs(dryRun && len(p.Ops) > 0)
	if err := view.Plan(c.stdout, c.form, p); err != nil || dryRun || len(p.Ops) == 0 {
		return err
	}
	return a.Execute(ctx)
}
