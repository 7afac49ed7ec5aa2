package main

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

func (c *cli) bgpCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "bgp", Short: "the sessions, and what is sent and received on them"})
	cmd.AddCommand(c.bgpPeersCommand(), c.bgpPeerCommand(), c.bgpAdvertisedCommand(), c.bgpReceivedCommand(false),
		c.bgpReceivedCommand(true))
	return cmd
}

func (c *cli) bgpPeersCommand() *cobra.Command {
	var k asking
	cmd := &cobra.Command{
		Use: "peers", Short: "all sessions, and why one is not up", Args: noArgs,
		Long: "peers asks the running controller, or a support bundle. Exit status: 0 all sessions are up, 2 one is not, " +
			"1 no answer.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.watching(cmd.Context(), k, func(ctx context.Context, ask control.Controller) error {
				p, err := ask.BGPPeers(ctx, "")
				if err != nil {
					return err
				}
				c.differs(!allUp(p))
				return view.BGPPeers(c.stdout, c.form, p)
			})
		},
	}
	k.flags(cmd)
	return cmd
}

func (c *cli) bgpPeerCommand() *cobra.Command {
	var k asking
	cmd := &cobra.Command{
		Use: "peer ADDRESS|INTERFACE", Short: "everything about one session", Args: oneArg("address", "192.0.2.1", false),
		Long: `peer shows the state of a session, why it is not up or was lost last, what that
usually means and what to do, what both ends offer, who keeps whose routes and
until when, and the prefixes that are sent, received and accepted. Exit status:
0 it is up, 2 it is not, 1 no answer.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			who := args[0]
			if addr, err := netip.ParseAddr(who); err == nil {
				who = addr.String() // else it is an interface
			}
			return c.watching(cmd.Context(), k, func(ctx context.Context, ask control.Controller) error {
				p, err := ask.BGPPeers(ctx, who)
				if err != nil {
					return err
				}
				c.differs(!allUp(p))
				return view.BGPPeer(c.stdout, c.form, p)
			})
		},
	}
	k.flags(cmd)
	return cmd
}

// allUp reports whether all sessions of an answer are up.
func allUp(p control.BGPPeers) bool {
	for _, peer := range p.Peers {
		if peer.State != control.Established {
			return false
		}
	}
	return len(p.Held) == 0
}

func (c *cli) bgpAdvertisedCommand() *cobra.Command {
	return c.routesCommand(&cobra.Command{
		Use: "advertised [PEER]", Short: "what is sent to the neighbours, and the row behind each path",
		Long: `advertised lists the paths that leave on a session, with the next hop they leave
with and the rows that they were derived from.`,
	}, func(ctx context.Context, ask control.Controller, q control.RouteQuery) (string, func() error, error) {
		a, err := ask.Advertised(ctx, q)
		return a.Next, func() error { return view.Advertised(c.stdout, c.form, a) }, err
	})
}

func (c *cli) bgpReceivedCommand(rejected bool) *cobra.Command {
	cmd, print := &cobra.Command{
		Use: "received [PEER]", Short: "what the neighbours send, and whether it is used",
		Long: `received lists what the neighbours send. Of what is not used the last column has
the reason; "bgp-ovn bgp rejected" has it in words.`,
	}, view.Received
	if rejected {
		cmd, print = &cobra.Command{
			Use: "rejected [PEER]", Short: "what the neighbours send and is not taken, and why",
			Long: `rejected lists what the neighbours send and is not taken: paths with our own AS
(loop), those without a usable next hop (no-next-hop), prefixes of our own (ours),
those that are valid nowhere (martian), that learn.accept does not have
(not-accepted), or on which the node lives (protected).`,
		}, view.Rejected
	}
	return c.routesCommand(cmd, func(
		ctx context.Context, ask control.Controller, q control.RouteQuery,
	) (string, func() error, error) {
		r, err := ask.Received(ctx, q, rejected)
		return r.Next, func() error { return print(c.stdout, c.form, r) }, err
	})
}

// routesCommand adds what the tables of paths have in common.
func (c *cli) routesCommand(cmd *cobra.Command,
	ask func(context.Context, control.Controller, control.RouteQuery) (next string, print func() error, err error),
) *cobra.Command {
	var k asking
	var within string
	q := control.RouteQuery{}
	cmd.Long += `

One answer has at most --limit paths; --after takes "next" of the JSON form and
prints the page after it.`
	cmd.Args = oneArg("peer", "192.0.2.1", true)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if len(args) > 0 {
			addr, err := netip.ParseAddr(args[0])
			if err != nil {
				return fmt.Errorf("peer %.80q: give the address of a peer as in bgp.peers, such as 192.0.2.1", args[0])
			}
			q.Peer = addr.String()
		}
		if within != "" {
			if q.Within, err = control.ParseWithin(within); err != nil {
				return fmt.Errorf("--within: %w", err)
			}
		}
		if q.Limit < 1 || q.Limit > control.MaxRoutes {
			return fmt.Errorf("--limit %d: use 1 to %d", q.Limit, control.MaxRoutes)
		}
		return c.watching(cmd.Context(), k, func(ctx context.Context, ctl control.Controller) error {
			next, print, err := ask(ctx, ctl, q)
			if err != nil {
				return err
			}
			if err = print(); err == nil && next != "" && c.form == view.Text {
				fmt.Fprintf(c.stdout, "next page: --after '%s'\n", next)
			}
			return err
		})
	}
	flags := cmd.Flags()
	flags.StringVar(&within, "within", "", "only this prefix and what it contains, or an address")
	flags.IntVar(&q.Limit, "limit", control.DefaultRoutes, "most paths to print")
	flags.StringVar(&q.After, "after", "", "begin after this path: next of the page before")
	k.flags(cmd)
	return cmd
}
