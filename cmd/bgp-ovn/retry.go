package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

func (c *cli) retryCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "retry OBJECT", Short: "try again at once what waits: it failed, is contested or flaps",
		Long: `retry ends the pause of an object that failed (backoff) or that another program
changes back (contested), named as "bgp-ovn plan" prints it, and announces a path that was
set aside because it comes and goes (flapping); with --all the pauses of all of them.
Without it each is tried again by itself: what failed after 250 ms, doubled with each
failure up to a minute, and after five minutes of failures with pauses of 2 to 30 minutes
(quarantine); what is contested after at most 4 s; what flaps once it has stayed as long as
bgp.damping asks for. Nothing else waits for them but what needs them. --all also releases
peers that are held down.`,
		Example: "  bgp-ovn retry route 203.0.113.7/32 table 201 metric 0\n  bgp-ovn retry --all",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return errors.New("bgp-ovn retry: give an object as bgp-ovn plan prints it, or --all")
			}
			s, problems := c.load()
			c.warn(problems)
			r, err := client(s).Retry(cmd.Context(), strings.Join(strings.Fields(strings.Join(args, " ")), " "))
			if err != nil {
				return err
			}
			return view.Retried(c.stdout, c.form, r)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything that waits")
	return cmd
}

func (c *cli) quarantineCommand() *cobra.Command {
	return &cobra.Command{
		Use: "quarantine", Short: "list what is set aside because it fails for long, or flaps", Args: noArgs,
		Long: `quarantine lists the objects that are set aside because attempts at them have failed for
five minutes, the paths that come and go too often (bgp.damping), and the peers that are
held down: since when, how many attempts or withdrawals there were, when the next attempt
is or the path is announced again, and why the last one failed. bgp-ovn retry tries them,
and announces the paths, at once.
Exit status: 0 nothing is set aside, 2 something is, 1 no answer.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, problems := c.load()
			c.warn(problems)
			status, err := client(s).Status(cmd.Context())
			if err != nil {
				return err
			}
			c.differs(len(status.Quarantine)+len(status.Quarantined) > 0)
			return view.Quarantine(c.stdout, c.form, status)
		},
	}
}
