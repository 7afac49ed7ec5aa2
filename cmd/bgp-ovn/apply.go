package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// applier makes and applies plans: a running controller, or a node of this process.
type applier interface {
	Apply(ctx context.Context, digest string) (control.Applied, error)
	Desired(ctx context.Context) (control.Desired, error)
}

func (c *cli) applyCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "apply FILE", Short: "apply a plan that plan --out has written, if nothing has moved",
		Args: oneArg("FILE", "change.json", false),
		Long: `apply takes the steps of a plan file, in their order, if a plan made now has the same
steps: the same objects, as they were and as they would be. Otherwise it applies nothing
and prints what has moved. A running controller is asked, whose key "changes" says
whether it would have applied them by itself (automatic) or waits (reviewed). Without one
the node is changed as run --once does, in one round.

Exit status: 0 applied, 2 refused because the base has moved, 1 error or a failed step.`,
		Example: "  bgp-ovn plan --out change.json\n  bgp-ovn apply change.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := readPlanFile(args[0])
			if err != nil {
				return err
			}
			s, problems := c.load()
			err = c.apply(cmd.Context(), client(s), s, f)
			if !errors.Is(err, control.ErrNoController) {
				c.warn(problems)
				return err
			}
			if err := asError(problems); err != nil {
				return err
			}
			return c.applyAlone(cmd.Context(), s, f, wait)
		},
	}
	waitFlag(cmd.Flags(), &wait, time.Minute, "without a controller: how long to wait for the databases")
	return cmd
}

func readPlanFile(path string) (control.PlanFile, error) {
	in, err := os.Open(path)
	if err != nil {
		return control.PlanFile{}, err
	}
	f, err := control.ReadPlanFile(in)
	if err = errors.Join(err, in.Close()); err != nil {
		err = fmt.Errorf("plan file %s: %w", path, err)
	}
	return f, err
}

// apply has a node apply a plan, and prints what it did or what has moved.
func (c *cli) apply(ctx context.Context, node applier, s config.Settings, f control.PlanFile) error {
	if s.Chassis != "" && f.Chassis != s.Chassis {
		return fmt.Errorf("the plan is of chassis %q, and this node is %q", f.Chassis, s.Chassis)
	}
	a, err := node.Apply(ctx, f.Digest)
	if err != nil {
		return err
	}
	if now := a.Now; !a.Applied && now != nil {
		if now.Chassis != f.Chassis {
			return fmt.Errorf("the plan is of chassis %q, and this node is %q", f.Chassis, now.Chassis)
		}
		d, err := node.Desired(ctx)
		if err != nil {
			return err
		}
		a.Moved, a.Now = control.MovedSince(f, *now, d), nil
		a.RowsMoved = f.Base.Rows != now.Base.Rows
		a.ConfigurationMoved = f.Base.Configuration != now.Base.Configuration
		a.Plan.Names = now.Names
	}
	c.differs(!a.Applied)
	if len(a.Failed) > 0 {
		c.exit = exitError
	}
	return view.Applied(c.stdout, c.form, a)
}

// applyAlone applies a plan where no controller runs.
func (c *cli) applyAlone(ctx context.Context, s config.Settings, f control.PlanFile, wait time.Duration) error {
	opts := c.options(s)
	opts.Wait = wait
	n, err := agent.Open(ctx, s, opts)
	if err != nil {
		return err
	}
	if err = n.WaitSnapshot(ctx, wait); err == nil {
		err = c.apply(ctx, n, s, f)
	}
	return errors.Join(err, n.Close())
}

// planOut writes the plan to a file, too.
func (c *cli) planOut(ctx context.Context, k computing, path string) error {
	s, problems := c.load()
	f, err := client(s).PlanFile(ctx)
	if errors.Is(err, control.ErrNoController) {
		if err = asError(problems); err == nil {
			f, err = c.planAlone(ctx, s, k.wait)
		}
	} else {
		c.warn(problems)
	}
	if err != nil {
		return err
	}
	if err := writePrivate(path, func(w io.Writer) error { return f.Write(w) }); err != nil {
		return fmt.Errorf("write the plan %s: %w", path, err)
	}
	c.differs(len(f.Ops) > 0)
	return view.PlanFile(c.stdout, c.form, f, path)
}

// planAlone makes a plan file where no controller runs.
func (c *cli) planAlone(ctx context.Context, s config.Settings, wait time.Duration) (f control.PlanFile, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	p, err := agent.OpenPlanning(ctx, s, c.logger(s), versionText())
	if err != nil {
		return f, err
	}
	if err = p.WaitSnapshot(ctx); err == nil {
		f, err = p.PlanFile(ctx)
	}
	return f, errors.Join(err, p.Close())
}
