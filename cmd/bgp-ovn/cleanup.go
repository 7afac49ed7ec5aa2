package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

func (c *cli) cleanupCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "cleanup", Short: "remove everything that is ours from this node, and nothing else", Args: cobra.NoArgs,
		Long: `cleanup removes what carries our mark or stands in the ledger, and gives
settings back the values from before our first change. The controller must not
be running. Without databases it works as well: it asks reality only.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			return c.cleanup(cmd.Context(), cfg, dryRun)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be removed")
	return cmd
}

func (c *cli) cleanup(ctx context.Context, cfg *Config, dryRun bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := c.ask(ctx, cfg, "GET", "/v1/status", nil); !errors.Is(err, errNoController) && !dryRun {
		return errors.New("a controller is running on this node and would put everything back: stop it first")
	}
	mode := stateWrite
	if dryRun {
		mode = stateRead
	}
	a := &app{cfg: cfg, log: c.logger(cfg)}
	defer func() { _ = a.Close() }()
	if err := a.openState(mode); err != nil {
		return err
	}
	backends, err := a.backends(ctx, wiring{speaker: cfg.BGP.Speaker != "", attach: true})
	if err != nil {
		return err
	}
	cfg.Drivers, cfg.BGP.Peers, cfg.Fuse.Share = nil, nil, 0
	cfg.Learn.Accept, cfg.Originate, cfg.AdvertiseLoopback = nil, nil, false
	if err := a.control(fixed{nothing()}, backends, wiring{dryRun: dryRun}); err != nil {
		return err
	}
	r, err := a.ctl.Round(ctx, true)
	if err != nil {
		return err
	}
	if r.ReadErr != nil {
		return r.ReadErr
	}
	ans := answer{}
	if dryRun {
		ans.exit = differs(r.Plan)
	}
	if ans, err = ans.with(c.output, r.Plan.String(), r.Plan); err != nil {
		return err
	}
	return errors.Join(append(r.Failed(), c.print(ans))...)
}

// nothing is a snapshot from which no driver derives anything and that nobody
// doubts.
func nothing() observe.Snapshot {
	return observe.Snapshot{
		Chassis: "cleanup",
		SB:      &observe.Southbound{Chassis: []*observe.Chassis{{Name: "cleanup"}}},
		OVS:     &observe.OpenVSwitch{},
		Host:    &observe.Host{},
	}
}
