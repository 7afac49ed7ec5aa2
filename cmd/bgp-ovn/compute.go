package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// computing are the flags of commands that compute without changing anything.
type computing struct {
	snapshot string
	against  string
	driver   string
	wait     time.Duration
}

func (k *computing) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.snapshot, "snapshot", "", "compute from this snapshot file instead of the databases; --chassis names the node")
	cmd.Flags().StringVar(&k.driver, "driver", "", "run this driver only")
	cmd.Flags().DurationVar(&k.wait, "wait", 30*time.Second, "how long to wait for the databases")
}

// compute runs a computing command: on a snapshot file, or else in the running
// controller, or else in this process on the live databases.
func (c *cli) compute(ctx context.Context, k computing, path string, query url.Values, local func(context.Context, *app) (answer, error)) error {
	cfg, bad := c.loadConfig()
	if bad != nil && k.snapshot != "" {
		return bad
	}
	if k.driver != "" {
		cfg.Drivers = []string{k.driver}
		if errs := cfg.Validate(); len(errs) > 0 {
			return errors.Join(errs...)
		}
	}
	if k.snapshot == "" && k.driver == "" {
		ans, err := c.ask(ctx, cfg, http.MethodGet, path, query)
		if err == nil {
			c.warn(bad)
			return c.print(ans)
		}
		if !errors.Is(err, errNoController) {
			return err
		}
	}
	if bad != nil {
		return bad
	}
	ctx, cancel := context.WithTimeout(ctx, k.wait)
	defer cancel()
	a, err := c.open(ctx, cfg, k)
	if err != nil {
		return err
	}
	ans, err := local(ctx, a)
	if err = errors.Join(err, a.Close()); err != nil {
		return err
	}
	return c.print(ans)
}

// open builds what a computing command runs on.
func (c *cli) open(ctx context.Context, cfg *Config, k computing) (*app, error) {
	log := c.logger(cfg)
	if k.snapshot != "" {
		snap, err := readSnapshot(k.snapshot, cfg.Chassis)
		if err != nil {
			return nil, err
		}
		return onFile(ctx, cfg, log, snap, k.against)
	}
	a, err := live(ctx, cfg, log, wiring{state: stateRead, dryRun: true})
	if err != nil {
		return nil, err
	}
	if err := a.waitSnapshot(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// readSnapshot reads a file and picks the node's part of it.
func readSnapshot(path, chassis string) (observe.Snapshot, error) {
	f, err := file.Read(path)
	if err != nil {
		return observe.Snapshot{}, err
	}
	if chassis == "" {
		names := f.Names()
		if len(names) != 1 {
			return observe.Snapshot{}, fmt.Errorf("snapshot %s: set --chassis to one of %v", path, names)
		}
		chassis = names[0]
	}
	return f.Snapshot(chassis)
}

// waitSnapshot waits until every source has been read once.
func (a *app) waitSnapshot(ctx context.Context) error {
	var north <-chan struct{}
	if a.nb != nil {
		north = a.nb.Changed()
	}
	for {
		_, err := a.join.Snapshot(ctx)
		if !errors.Is(err, observe.ErrNotSynced) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-a.sb.Changed():
		case <-north:
		case <-a.ovs.Changed():
		case <-a.host.Changed():
		case <-time.After(time.Second):
		}
	}
}

func (c *cli) planCommand() *cobra.Command {
	var k computing
	cmd := &cobra.Command{
		Use: "plan", Short: "print what would be done, and do nothing", Args: cobra.NoArgs,
		Long: `plan prints the difference between what is wanted and what is, in the order in
which it would be applied. A running controller is asked; without one the
databases and the kernel are read here. Exit status: 0 nothing to do, 2
differences, 1 error.`,
		Example: "  bgp-ovn plan -o json\n  bgp-ovn plan --snapshot incident.json --chassis cmp-07",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.compute(cmd.Context(), k, "/v1/plan", nil, func(ctx context.Context, a *app) (answer, error) {
				return a.answerPlan(ctx, c.output)
			})
		},
	}
	k.flags(cmd)
	cmd.Flags().StringVar(&k.against, "against", "model", "with --snapshot: compare with a fresh node (model) or with this one (actual)")
	return cmd
}

func (c *cli) desiredCommand() *cobra.Command {
	k := computing{against: "model"}
	cmd := &cobra.Command{
		Use: "desired", Short: "print everything that this node should have, and why", Args: cobra.NoArgs,
		Example: "  bgp-ovn desired --snapshot incident.json --chassis cmp-07 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.compute(cmd.Context(), k, "/v1/desired", nil, func(ctx context.Context, a *app) (answer, error) {
				return a.answerDesired(ctx, c.output)
			})
		},
	}
	k.flags(cmd)
	return cmd
}

func (c *cli) snapshotCommand() *cobra.Command {
	var k computing
	cmd := &cobra.Command{
		Use: "snapshot", Short: "write what is known to a file: support bundle, what-if, test", Args: cobra.NoArgs,
		Long:    "snapshot prints the rows that bgp-ovn uses, in the form that --snapshot of other commands reads.",
		Example: "  bgp-ovn snapshot >incident.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.compute(cmd.Context(), k, "/v1/snapshot", nil, func(ctx context.Context, a *app) (answer, error) {
				return a.answerSnapshot(ctx)
			})
		},
	}
	cmd.Flags().DurationVar(&k.wait, "wait", 30*time.Second, "how long to wait for the databases")
	return cmd
}

func (c *cli) explainCommand() *cobra.Command {
	k := computing{against: "model"}
	cmd := &cobra.Command{
		Use: "explain ADDRESS", Short: "say why an address is or is not announced from here", Args: cobra.ExactArgs(1),
		Long: `explain follows one address from its database row to the peers and names the
first thing that is in the way, and which chassis would announce it. Exit
status: 0 advertised, 2 not advertised, 1 error.`,
		Example: "  bgp-ovn explain 203.0.113.7",
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{"target": args}
			return c.compute(cmd.Context(), k, "/v1/explain", query, func(ctx context.Context, a *app) (answer, error) {
				return a.answerExplain(ctx, c.output, args[0])
			})
		},
	}
	k.flags(cmd)
	return cmd
}

func (c *cli) auditCommand() *cobra.Command {
	var k computing
	var repair bool
	cmd := &cobra.Command{
		Use: "audit", Short: "compare everything with reality; with --repair mend it", Args: cobra.NoArgs,
		Long: `audit reads the kernel, Open vSwitch and the speaker in full and reports what
differs from what is wanted. Exit status: 0 no drift, 2 drift, 1 error.
--repair needs a running controller, because only it may write.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if repair {
				cfg, err := c.loadConfig()
				if err != nil {
					return err
				}
				ans, err := c.ask(cmd.Context(), cfg, http.MethodPost, "/v1/audit", nil)
				if errors.Is(err, errNoController) {
					return fmt.Errorf("%w; start one with bgp-ovn run, or run it once with bgp-ovn run --once", err)
				}
				if err != nil {
					return err
				}
				return c.print(ans)
			}
			return c.compute(cmd.Context(), k, "/v1/audit", nil, func(ctx context.Context, a *app) (answer, error) {
				return a.answerAudit(ctx, c.output, false)
			})
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what differs")
	cmd.Flags().DurationVar(&k.wait, "wait", 30*time.Second, "how long to wait for the databases")
	return cmd
}
