package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// computing are the flags of commands that compute without changing anything.
type computing struct {
	snapshot string
	bundle   string
	against  string
	driver   string
	set      []string
	wait     time.Duration
}

// flags declares those that every such command has.
func (k *computing) flags(cmd *cobra.Command) {
	k.against = string(agent.AgainstModel)
	cmd.Flags().StringVar(&k.snapshot, "snapshot", "",
		"compute from this snapshot file instead of the databases; --chassis names the node")
	k.bundleFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("snapshot", "bundle")
	cmd.Flags().StringVar(&k.driver, "driver", "", "run this driver only")
	cmd.MarkFlagsMutuallyExclusive("driver", "bundle")
	k.waitFlag(cmd)
}

func (k *computing) bundleFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.bundle, "bundle", "", bundleHelp)
}

func (k *computing) waitFlag(cmd *cobra.Command) {
	waitFlag(cmd.Flags(), &k.wait, 30*time.Second, "how long to wait for the databases")
}

// compute asks a node: one in the state of a snapshot file, or else the running
// controller, or else one made in this process on the live databases.
func (c *cli) compute(ctx context.Context, k computing, f func(control.Service) error) error {
	against, err := k.parseAgainst()
	if err != nil {
		return err
	}
	if k.bundle != "" {
		return c.recorded(k.bundle, func(r *agent.Recorded) error { return f(r) })
	}
	s, problems := c.loadWith(k.set)
	if k.driver != "" {
		more := config.Problems(nil)
		s, more = s.WithDriver(k.driver)
		problems = append(problems, more...)
	}
	if k.snapshot != "" {
		if err := asError(problems); err != nil {
			return err
		}
		return c.replay(ctx, s, k.snapshot, against, f)
	}
	if k.driver == "" {
		err := f(client(s))
		if !errors.Is(err, control.ErrNoController) {
			c.warn(problems)
			return err
		}
	}
	if err := asError(problems); err != nil {
		return err
	}
	return c.preview(ctx, s, k.wait, f)
}

// parseAgainst checks what a snapshot is compared with, before anything is waited for.
func (k *computing) parseAgainst() (agent.Against, error) {
	if k.against == "" {
		return agent.AgainstModel, nil // a command without the flag
	}
	against, err := agent.ParseAgainst(k.against)
	if err == nil && against != agent.AgainstModel && k.snapshot == "" {
		err = fmt.Errorf("--against %s needs --snapshot FILE: the live databases are always compared with this node", against)
	}
	return against, err
}

// replay computes on a snapshot file.
func (c *cli) replay(ctx context.Context, s config.Settings, path string, against agent.Against,
	f func(control.Service) error,
) error {
	snap, err := agent.ReadSnapshot(path, s.Chassis)
	if err != nil {
		return err
	}
	r, err := agent.OpenReplay(ctx, s, snap, against, c.logger(s))
	if err != nil {
		return err
	}
	return errors.Join(f(r), r.Close())
}

// printPlan prints what would be done.
func (c *cli) printPlan(ctx context.Context, svc control.Service) error {
	p, err := svc.Plan(ctx)
	if err != nil {
		return err
	}
	c.differs(p.Differs())
	return view.Plan(c.stdout, c.form, p)
}

// planWith prints what the running controller would do with keys set to other values; without
// one, what a controller with these would do.
func (c *cli) planWith(ctx context.Context, k computing) error {
	s, err := c.valid(k.set...)
	if err != nil {
		return err
	}
	r, err := client(s).PlanWith(ctx, k.set)
	if errors.Is(err, control.ErrNoController) {
		return c.preview(ctx, s, k.wait, func(svc control.Service) error { return c.printPlan(ctx, svc) })
	}
	if err != nil {
		return err
	}
	c.differs(r.Plan != nil && r.Plan.Differs())
	return view.Reload(c.stdout, c.form, r)
}

func (c *cli) planCommand() *cobra.Command {
	var k computing
	var out string
	cmd := &cobra.Command{
		Use: "plan", Short: "print what would be done, and do nothing", Args: noArgs,
		Long: `plan prints the difference between the desired state and the current one, in the
order in which it would be applied. A running controller is asked; without one
the databases and the kernel are read here. Exit status: 0 nothing to do, 2
differences, 1 error.

With --set it prints what would be done if the configuration had other values: what is
announced and withdrawn, and which sessions would be ended. Nothing is written, neither
to the node nor to the configuration.

With --out the plan is written to a file, too, with what it was computed from: bgp-ovn
apply FILE takes exactly these steps, if nothing has moved by then.`,
		Example: "  bgp-ovn plan -o json\n  bgp-ovn plan --snapshot incident.json --chassis cmp-07\n" +
			"  bgp-ovn plan --set expose_tenant_networks=true --set 'bgp.export.deny=10.0.0.0/8 le 32'\n" +
			"  bgp-ovn plan --out change.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out != "" {
				return c.planOut(cmd.Context(), k, out)
			}
			if len(k.set) > 0 && k.snapshot == "" && k.driver == "" {
				return c.planWith(cmd.Context(), k)
			}
			return c.compute(cmd.Context(), k, func(svc control.Service) error { return c.printPlan(cmd.Context(), svc) })
		},
	}
	k.flags(cmd)
	cmd.Flags().StringArrayVar(&k.set, "set", nil, "KEY=VALUE: as if it were configured; may be given several times")
	cmd.MarkFlagsMutuallyExclusive("set", "bundle")
	cmd.Flags().StringVar(&out, "out", "", "write the plan to this file, for bgp-ovn apply")
	for _, other := range []string{"set", "snapshot", "bundle", "driver"} { // of what is not this node as it is
		cmd.MarkFlagsMutuallyExclusive("out", other)
	}
	cmd.Flags().StringVar(&k.against, "against", string(agent.AgainstModel),
		"with --snapshot: compare with a fresh node (model) or with this one (actual)")
	return cmd
}

func (c *cli) desiredCommand() *cobra.Command {
	var k computing
	cmd := &cobra.Command{
		Use: "desired", Short: "print everything that this node should have, and why", Args: noArgs,
		Example: "  bgp-ovn desired --snapshot incident.json --chassis cmp-07 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.compute(cmd.Context(), k, func(svc control.Service) error {
				d, err := svc.Desired(cmd.Context())
				if err != nil {
					return err
				}
				return view.Desired(c.stdout, c.form, d)
			})
		},
	}
	k.flags(cmd)
	return cmd
}

func (c *cli) snapshotCommand() *cobra.Command {
	var k computing
	cmd := &cobra.Command{
		Use: "snapshot", Short: "write what is known to a file: support bundle, what-if, test", Args: noArgs,
		Long:    "snapshot prints the rows that bgp-ovn uses, in the form that --snapshot of other commands reads.",
		Example: "  bgp-ovn snapshot >incident.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.compute(cmd.Context(), k, func(svc control.Service) error {
				raw, err := svc.Snapshot(cmd.Context())
				if err != nil {
					return err
				}
				if _, err := c.stdout.Write(raw); err != nil {
					return fmt.Errorf("print the snapshot: %w", err)
				}
				return nil
			})
		},
	}
	k.waitFlag(cmd)
	return cmd
}

func (c *cli) evpnCommand() *cobra.Command {
	var k computing
	var every time.Duration
	cmd := &cobra.Command{
		Use: "evpn [VNI]", Short: "show the VXLAN network identifiers of this node and what is missing of them",
		Args: oneArg("VNI", "1001", true),
		Long: `evpn prints a line for each VNI: its VRF, the route distinguishers of what is
announced, how many paths are announced, routes of others taken in and VTEPs
known, and the first thing that differs from the desired state. With a VNI it
prints all of that, and the rows and routes that could not be used. Exit status:
0 all is as desired, 2 something is missing, 1 error.`,
		Example: "  bgp-ovn evpn\n  bgp-ovn evpn 1001",
		RunE: func(cmd *cobra.Command, args []string) error {
			vni, err := control.ParseVNI(firstOf(args))
			if err != nil {
				return err
			}
			return c.repeat(cmd.Context(), every, func(ctx context.Context) error {
				return c.compute(ctx, k, func(svc control.Service) error {
					e, err := svc.EVPN(ctx, vni)
					if err != nil {
						return err
					}
					for _, v := range e.VNIs {
						c.differs(len(v.Missing) > 0)
					}
					return view.EVPN(c.stdout, c.form, e, vni != 0)
				})
			})
		},
	}
	k.flags(cmd)
	watchFlag(cmd, &every)
	return cmd
}

// firstOf is the first argument; empty without one.
func firstOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func (c *cli) auditCommand() *cobra.Command {
	var k computing
	var repair bool
	cmd := &cobra.Command{
		Use: "audit", Short: "compare everything with reality; with --repair mend it", Args: noArgs,
		Long: `audit reads the kernel, Open vSwitch and the speaker in full and reports what
differs from the desired state. Exit status: 0 no drift, 2 drift or what no step
mends, 1 error, also where a database is away and nothing else differs. --repair needs
a running controller, because only it may write; its exit status is 0 once nothing
differs any more, 2 if something remains that no step mends, 1 if a step failed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if repair {
				return c.repair(cmd.Context())
			}
			return c.compute(cmd.Context(), k, func(svc control.Service) error {
				a, err := svc.Audit(cmd.Context(), false)
				if err != nil {
					return err
				}
				c.audited(a)
				return view.Audit(c.stdout, c.form, a)
			})
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what differs")
	k.bundleFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("repair", "bundle")
	k.waitFlag(cmd)
	return cmd
}

// repair has the running controller mend what differs.
func (c *cli) repair(ctx context.Context) error {
	s, err := c.valid()
	if err != nil {
		return err
	}
	a, err := client(s).Audit(ctx, true)
	if errors.Is(err, control.ErrNoController) {
		return fmt.Errorf("%w; start one with bgp-ovn run, or run it once with bgp-ovn run --once", err)
	}
	if err != nil {
		return err
	}
	c.audited(a)
	return view.Audit(c.stdout, c.form, a)
}

// audited makes the exit status what the text and the JSON form of the answer say. A
// controller of an earlier version gives no result, so it is derived here.
func (c *cli) audited(a control.Audit) {
	switch result, _ := a.Outcome(); result {
	case control.AuditFailed, control.AuditIncomplete:
		c.exit = exitError
	case control.AuditDiffers:
		c.exit = exitDiffers
	case control.AuditAgrees:
	}
}
