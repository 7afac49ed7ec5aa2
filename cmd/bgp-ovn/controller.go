package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

func (c *cli) statusCommand() *cobra.Command {
	var k asking
	cmd := &cobra.Command{
		Use: "status", Short: "is the controller well, and if not, what is wrong", Args: noArgs,
		Long: `status asks the running controller what is wrong. The first problem does the most
harm; what it explains is listed below it ("therefore"), and equal ones are counted.
Each has the command that mends it or shows more. Problems that went within the last
hour are listed, too.

The state is DOWN if no address of this node can be reached: no session is up, or
nothing that was looked at is forwarded. It is DEGRADED if some cannot, or if changes
are not followed, and WARNING if nothing is lost yet.
Exit status: 0 healthy, 2 something is wrong, 1 no answer.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.watching(cmd.Context(), k, func(ctx context.Context, ctl control.Controller) error {
				status, err := ctl.Status(ctx)
				if err != nil {
					return err
				}
				c.differs(!status.Healthy)
				return view.Status(c.stdout, c.form, status)
			})
		},
	}
	k.flags(cmd)
	return cmd
}

// askController asks the running controller, or the support bundle at a path.
func (c *cli) askController(path string, f func(control.Controller) error) error {
	if path != "" {
		return c.recorded(path, func(r *agent.Recorded) error { return f(r) })
	}
	s, problems := c.load()
	c.warn(problems)
	return f(client(s))
}

func (c *cli) reloadCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "reload", Short: "make the running controller read its configuration again", Args: noArgs,
		Long: `reload checks the new configuration first and applies nothing of a bad one. What
changed is applied as a difference: sessions that did not change stay up. Keys
that only a restart can change are an error that names them. SIGHUP does the
same. The flags and variables that the controller was started with still count.

--dry-run prints what would be done, among it which sessions would be ended, and
does nothing; what neighbours announce in a range that is new in learn.accept is
not known then. Exit status: 0 nothing to do, 2 differences, 1 error.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.valid()
			if err != nil {
				return err
			}
			r, err := client(s).Reload(cmd.Context(), dryRun)
			if err != nil {
				return err
			}
			c.differs(r.Plan != nil && r.Plan.Differs())
			return view.Reload(c.stdout, c.form, r)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be done, and do nothing")
	return cmd
}

// cleanupDeadline bounds a cleanup, whose backends may not answer.
const cleanupDeadline = time.Minute

func (c *cli) cleanupCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "cleanup", Short: "remove everything that is ours from this node, and nothing else", Args: noArgs,
		Long: `cleanup removes what carries our mark or is recorded in the ledger, and gives
settings back the values from before our first change. The controller must not
be running. Without databases it works as well: it looks at this node only.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.valid()
			if err != nil {
				return err
			}
			return c.cleanup(cmd.Context(), s, dryRun)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be removed")
	return cmd
}

func (c *cli) cleanup(ctx context.Context, s config.Settings, dryRun bool) error {
	ctx, cancel := context.WithTimeout(ctx, cleanupDeadline)
	defer cancel()
	if running(ctx, s) && !dryRun {
		return errors.New("a controller is running on this node and would put everything back: stop it first")
	}
	clean, err := agent.OpenCleanup(ctx, s, c.logger(s), dryRun)
	if err != nil {
		return err
	}
	p, err := clean.Run(ctx)
	c.differs(dryRun && p.Differs())
	if p.Version != 0 {
		err = errors.Join(err, view.Plan(c.stdout, c.form, p))
	}
	return errors.Join(err, clean.Close())
}

// running reports whether a controller answers, or may do so: one whose answer
// cannot be read counts.
func running(ctx context.Context, s config.Settings) bool {
	_, err := client(s).Status(ctx)
	return !errors.Is(err, control.ErrNoController)
}

// client asks the running controller, on the socket for reading where this user has
// no right to the other one.
func client(s config.Settings) *control.Client {
	return control.NewClient(s.Socket).OrRead(s.ReadSocket)
}
