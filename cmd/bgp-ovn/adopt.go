package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/adopt"
	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// adopting are the flags of adopt.
type adopting struct {
	dryRun    bool
	wait      time.Duration
	removeFRR bool
	nic, vrf  string
}

func (c *cli) adoptCommand() *cobra.Command {
	var k adopting
	cmd := &cobra.Command{
		Use: "adopt", Short: "take over a node from ovn-bgp-agent without losing a packet", Args: cobra.NoArgs,
		Long: `adopt takes over what ovn-bgp-agent has left in the kernel: what equals ours
becomes ours without being touched, routes get our protocol in place, one rule a
bridge replaces its rule for every address, and what nobody wants goes last.

Run it once, after the agent has been stopped and before bgp-ovn is started. It
announces nothing. If a step fails, nothing after it is tried; run it again.
Exit status: 0 done or nothing to do, 2 with --dry-run: something to do, 1 error.`,
		Example: "  bgp-ovn adopt --dry-run\n  bgp-ovn adopt",
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.adopt(cmd.Context(), k) },
	}
	cmd.Flags().BoolVar(&k.dryRun, "dry-run", false, "print what would be done, write nothing")
	cmd.Flags().DurationVar(&k.wait, "wait", time.Minute, "how long to wait for the databases")
	cmd.Flags().BoolVar(&k.removeFRR, "remove-frr-interfaces", false,
		"remove the dummy device and the VRF from which FRR announces; stop FRR first")
	cmd.Flags().StringVar(&k.nic, "bgp-nic", "bgp-nic", "the agent's option bgp_nic")
	cmd.Flags().StringVar(&k.vrf, "bgp-vrf", "bgp-vrf", "the agent's option bgp_vrf")
	return cmd
}

func (c *cli) adopt(ctx context.Context, k adopting) error {
	cfg, err := c.loadConfig()
	if err != nil {
		return err
	}
	if _, err := c.ask(ctx, cfg, "GET", "/v1/status", nil); !errors.Is(err, errNoController) {
		return errors.New("a controller is running on this node, and adopt comes before its first start; stop it first")
	}
	mode := stateWrite
	if k.dryRun {
		mode = stateRead
	}
	a, err := live(ctx, cfg, c.logger(cfg), wiring{state: mode, dryRun: k.dryRun})
	if err != nil {
		return err
	}
	err = c.takeOver(ctx, a, k)
	return errors.Join(err, a.Close())
}

// takeOver plans, prints and, unless it is a dry run, does it.
func (c *cli) takeOver(ctx context.Context, a *app, k adopting) error {
	// Only waiting has a deadline: a take-over must not end half-way.
	limited, cancel := context.WithTimeout(ctx, k.wait)
	defer cancel()
	if err := a.waitSnapshot(limited); err != nil {
		return err
	}
	snap, err := a.join.Snapshot(ctx)
	if err != nil {
		return err
	}
	wishes, err := a.cfg.wishes()
	if err != nil {
		return err
	}
	old, err := legacy.Open()
	if err != nil {
		return err
	}
	a.onClose(old.Close)
	node := adopt.Node{
		Backends: a.reader, Predecessor: old, Ledger: plan.NoLedger{},
		RouteProtocol: a.cfg.marks().RouteProtocol, OpenVSwitch: a.cfg.Flows.Manage,
	}
	if a.db != nil {
		node.Ledger = a.db
	}
	p, err := node.Plan(ctx, adopt.Request{
		Snapshot: snap, Drivers: wishes.Drivers, BGPNIC: k.nic, BGPVRF: k.vrf, RemoveFRR: k.removeFRR,
	})
	if err != nil {
		if !p.Empty() {
			fmt.Fprint(c.stderr, p.String())
		}
		return err
	}
	ans := answer{exit: exitSame}
	if k.dryRun && !p.Empty() {
		ans.exit = exitDiffers
	}
	if ans, err = ans.with(c.output, p.String(), p); err != nil {
		return err
	}
	if err := c.print(ans); err != nil || k.dryRun || p.Empty() {
		return err
	}
	res := node.Execute(ctx, p, a.db)
	return errors.Join(append(res.Failed(p), res.JournalErr)...)
}
