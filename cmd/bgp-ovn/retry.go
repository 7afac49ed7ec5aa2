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
		Use: "retry OBJECT", Short: "try again at once what waits because it failed or is contested",
		Long: `retry ends the pause of an object that failed (backoff) or that another program
changes back (contested), named as "bgp-ovn plan" prints it; with --all the pauses of all
of them. Without it each is tried again by itself: what failed after 250 ms, doubled with
each failure up to a minute; what is contested after at most 4 s. Nothing else waits for
them but what needs them. "bgp-ovn peer release" ends the quarantine of a peer.`,
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
