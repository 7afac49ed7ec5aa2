package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/metrics"
)

func (c *cli) runCommand() *cobra.Command {
	var dryRun, once bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "run", Short: "run the node controller", Args: cobra.NoArgs,
		Long: `run keeps this node as wanted until it is told to end (SIGTERM). It leaves
everything in place then; peers that support graceful restart keep our routes.

--dry-run computes every round and prints its plan, and writes nothing at all:
not to the kernel, not to Open vSwitch, not to peers, not to disk.
--once ends after the first round in which nothing is left to do.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			switch {
			case dryRun:
				return c.runDry(cmd.Context(), cfg, once, wait)
			case once:
				return c.runOnce(cmd.Context(), cfg, wait)
			default:
				return c.runForever(cmd.Context(), cfg)
			}
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "compute and print every round, write nothing")
	cmd.Flags().BoolVar(&once, "once", false, "end once nothing is left to do")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "with --once: how long to wait for the databases")
	return cmd
}

// runForever is the service.
func (c *cli) runForever(ctx context.Context, cfg *Config) error {
	m := metrics.New()
	ready := sync.OnceFunc(func() { notify(c, daemon.SdNotifyReady) })
	a, err := live(ctx, cfg, c.logger(cfg), wiring{
		speaker: true, state: stateWrite,
		onRound: func(a *app, r reconcile.Round) {
			m.Observe(r)
			a.sourceMetrics(m)
			ready()
		},
		peers: func(_ *app, e bgp.PeerEvent) { m.Peer(e.Address, e.State == stateEstablished) },
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer func() { _ = a.Close() }() // the process ends: nothing can be done about it
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a.load, a.current, a.level = c.loadConfig, cfg, &c.level
	wait, err := a.serve(ctx, m.Handler())
	if err != nil {
		return err
	}
	a.metrics = newMetricsServer(ctx, m.Handler(), a.log)
	l, err := a.metrics.open(cfg.Metrics.Listen)
	if err != nil {
		return err
	}
	a.metrics.serve(l)
	go a.reloadOnHangup(ctx, c)
	a.sayUnfinished()
	go watchdog(ctx, c, a)
	a.log.Info("controller runs", "version", versionText(), "state", cfg.State, "socket", cfg.Socket)
	err = a.ctl.Run(ctx)
	notify(c, daemon.SdNotifyStopping)
	stop()
	wait()
	return err
}

func (a *app) sayUnfinished() {
	if open := a.db.Unfinished(); len(open.Steps) > 0 {
		a.log.Warn("the last run ended in the middle of a plan; reality is read and compared as always", "since", open.At, "steps", len(open.Steps))
	}
}

func (a *app) sourceMetrics(m *metrics.Metrics) {
	m.Source("southbound", a.sb.Status().Synced)
	if a.nb != nil {
		m.Source("northbound", a.nb.Status().Synced)
	}
	m.Source("open_vswitch", a.ovs.Status().Connected)
}

// notify tells systemd; without systemd it does nothing.
func notify(c *cli, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		fmt.Fprintln(c.stderr, "bgp-ovn: notify systemd:", err)
	}
}

// watchdog tells systemd that the loop is alive: that its lock can be had.
func watchdog(ctx context.Context, c *cli, a *app) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.ctl.Last()
			notify(c, daemon.SdNotifyWatchdog)
		}
	}
}

// runDry prints the plan of every round that differs from the one before.
func (c *cli) runDry(ctx context.Context, cfg *Config, once bool, wait time.Duration) error {
	cfg.StartupGrace = 0
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	last := ""
	show := func(_ *app, r reconcile.Round) {
		if once {
			return
		}
		if text := r.Plan.String(); text != last {
			last = text
			_ = c.printPlan(r, text)
		}
	}
	a, err := live(ctx, cfg, c.logger(cfg), wiring{state: stateRead, dryRun: true, onRound: show})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	if !once {
		return a.ctl.Run(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := a.waitSnapshot(limited); err != nil {
		return err
	}
	ans, err := a.answerPlan(ctx, c.output)
	if err != nil {
		return err
	}
	return c.print(ans)
}

func (c *cli) printPlan(r reconcile.Round, text string) error {
	ans, err := answer{}.with(c.output, text, r.Plan)
	if err != nil {
		return err
	}
	return c.print(ans)
}

// runOnce converges and ends. Paths live in this process, so without a speaker
// they are left to the controller that runs later.
func (c *cli) runOnce(ctx context.Context, cfg *Config, wait time.Duration) error {
	a, err := live(ctx, cfg, c.logger(cfg), wiring{speaker: true, state: stateWrite})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := a.waitSnapshot(limited); err != nil {
		return err
	}
	// Two rounds converge anything that can be: the second one withdraws what
	// stands on a failure of the first.
	var r reconcile.Round
	for range 3 {
		if r, err = a.ctl.Round(limited, true); err != nil {
			return err
		}
		fmt.Fprint(c.stdout, r.Plan.String())
		if r.Plan.Empty() {
			break
		}
	}
	if err := errors.Join(append(r.Failed(), r.ReadErr, r.JournalErr)...); err != nil {
		return err
	}
	c.exit = differs(r.Plan)
	return nil
}
