package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

func (c *cli) runCommand() *cobra.Command {
	var dryRun, once bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "run", Short: "run the node controller", Args: noArgs,
		Long: `run keeps this node in the desired state until it is told to end (SIGTERM). It
leaves everything in place then; peers that support graceful restart keep our
routes.

--dry-run computes every round and prints its plan, and writes nothing at all:
not to the kernel, not to Open vSwitch, not to peers, not to disk.
--once ends after the first round in which nothing is left to do.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.valid()
			if err != nil {
				return err
			}
			switch {
			case dryRun && once:
				return c.preview(cmd.Context(), s, wait, func(svc control.Service) error { return c.printPlan(cmd.Context(), svc) })
			case dryRun:
				return c.watch(cmd.Context(), s)
			case once:
				return c.converge(cmd.Context(), s, wait)
			default:
				return c.serve(cmd.Context(), s)
			}
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "compute and print every round, write nothing")
	cmd.Flags().BoolVar(&once, "once", false, "end once nothing is left to do")
	waitFlag(cmd.Flags(), &wait, time.Minute, "with --once: how long to wait for the databases")
	return cmd
}

// options are those of a controller in this process, which keeps the newest lines of its
// log.
func (c *cli) options(s config.Settings) agent.Options {
	recent := &agent.Recent{}
	return agent.Options{
		Log:     agent.NewLogger(io.MultiWriter(c.stderr, recent), s.Log, &c.level),
		Program: versionText(), Level: &c.level, Load: c.valid, Recent: recent,
	}
}

// serve is the service.
func (c *cli) serve(ctx context.Context, s config.Settings) error {
	n, err := agent.Open(ctx, s, c.options(s))
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to end while it waited
		}
		return err
	}
	return errors.Join(n.Run(ctx, versionText()), n.Close())
}

// converge applies what is desired and ends.
func (c *cli) converge(ctx context.Context, s config.Settings, wait time.Duration) error {
	opts := c.options(s)
	opts.Wait = wait
	n, err := agent.Open(ctx, s, opts)
	if err != nil {
		return err
	}
	p, err := n.Converge(ctx, wait, func(p control.Plan) error { return view.Plan(c.stdout, view.Text, p) })
	c.differs(p.Differs())
	return errors.Join(err, n.Close())
}

// watch prints the plan of every round that differs from the one before.
func (c *cli) watch(ctx context.Context, s config.Settings) error {
	p, err := agent.OpenPreview(ctx, s, c.logger(s))
	if err != nil {
		return err
	}
	err = p.Watch(ctx, func(plan control.Plan) error {
		c.exit = exitSame
		c.differs(plan.Differs())
		return view.Plan(c.stdout, c.form, plan)
	})
	return errors.Join(err, p.Close())
}

// preview computes on the live databases once all have been read.
func (c *cli) preview(ctx context.Context, s config.Settings, wait time.Duration, f func(control.Service) error) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	p, err := agent.OpenPreview(ctx, s, c.logger(s))
	if err != nil {
		return err
	}
	if err = p.WaitSnapshot(ctx); err == nil {
		err = f(p)
	}
	return errors.Join(err, p.Close())
}

func (c *cli) speakerCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use: "speaker", Short: "hold the BGP sessions, for a controller that may restart", Args: noArgs,
		Long: `speaker is a process that does nothing but BGP. The controller, with bgp.speaker
set to its socket, tells it what to announce to whom; while the controller
restarts or is replaced by another version, the sessions stay up.

Told to end (SIGTERM) it closes its sessions without a message: peers that
support graceful restart keep our routes until it is back. The socket has mode
0660: whoever may open it decides what this node announces.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.valid()
			if err != nil {
				return err
			}
			if listen == "" {
				listen = s.BGP.Speaker
			}
			if listen == "" {
				listen = agent.DefaultSpeaker
			}
			return agent.ServeSpeaker(cmd.Context(), listen, versionText(), c.logger(s))
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "socket to listen on (default: bgp.speaker, or "+agent.DefaultSpeaker+")")
	return cmd
}
