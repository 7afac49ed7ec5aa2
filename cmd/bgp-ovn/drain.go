package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// drainEvery is how often a drain is asked how far it is, and drainWait how long --wait
// without a value waits.
const (
	drainEvery = 500 * time.Millisecond
	drainWait  = "10m"
)

func (c *cli) drainCommand() *cobra.Command {
	var force bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "drain", Short: "take this node out of service without losing packets", Args: noArgs,
		Long: `drain first announces everything as a last resort: with the community
GRACEFUL_SHUTDOWN (RFC 8326), and with LOCAL_PREF 0 where all peers are of the same AS, or
bgp.as prepended drain.prepend times where none is. After drain.wait it withdraws what somebody else
announces, and what the Southbound database has on another chassis goes at once as
always. What nobody else is known to announce stays a last resort until somebody does, or
until "drain --force". Once nothing is left, the node is safe to stop.

It lasts, over restarts too, until "bgp-ovn undrain". Forwarding stays as it is. With
--wait it returns once the node is safe to stop. Exit status: 0 done, 2 not safe to stop
in time, 1 error.`,
		Example: "  bgp-ovn drain --wait && systemctl poweroff\n  bgp-ovn drain --wait=5m --force",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, problems := c.load()
			c.warn(problems)
			ask := client(s)
			d, err := ask.Drain(cmd.Context(), force)
			if err == nil && wait > 0 && !d.SafeToStop {
				d, err = c.awaitDrain(cmd.Context(), ask, d, wait)
			}
			if err != nil {
				return err
			}
			c.differs(wait > 0 && !d.SafeToStop)
			return view.Drain(c.stdout, c.form, d)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "withdraw what nobody else announces, too")
	cmd.Flags().Var((*positive)(&wait), "wait", "wait until the node is safe to stop, for 10m or as long as given")
	cmd.Flags().Lookup("wait").NoOptDefVal = drainWait
	cmd.Flags().Lookup("wait").DefValue = ""
	return cmd
}

// awaitDrain asks until the node is safe to stop, at most for a time, and tells on the
// error output what is waited for.
func (c *cli) awaitDrain(ctx context.Context, ask *control.Client, d control.Drain, wait time.Duration,
) (control.Drain, error) {
	end := time.NewTimer(wait)
	defer end.Stop()
	tick, stop := c.ticker(drainEvery)
	defer stop()
	told := ""
	for {
		if text := view.DrainText(d); text != told {
			told = text
			fmt.Fprint(c.stderr, text)
		}
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-end.C:
			return d, nil
		case <-tick:
		}
		s, err := ask.Status(ctx)
		switch {
		case errors.Is(err, control.ErrNoController): // it may be restarting
			continue
		case err != nil:
			return d, err
		case s.Drain != nil && s.Drain.By == "":
			if d = *s.Drain; d.SafeToStop {
				return d, nil
			}
		case s.LastRound != nil: // one that has just started does not know yet
			return d, errors.New("the drain was ended by somebody else")
		}
	}
}

func (c *cli) undrainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "undrain", Short: "take this node back into service", Args: noArgs,
		Long: `undrain ends a drain: everything is announced again as the databases have it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, problems := c.load()
			c.warn(problems)
			d, err := client(s).Undrain(cmd.Context())
			if err != nil {
				return err
			}
			return view.Drain(c.stdout, c.form, d)
		},
	}
}
