package main

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

func (c *cli) peerCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "peer", Short: "deal with a BGP peer"})
	cmd.AddCommand(c.peerReleaseCommand())
	return cmd
}

func (c *cli) peerReleaseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "release ADDRESS", Short: "end the quarantine of a peer", Args: oneArg("address", "192.0.2.1", false),
		Long: `release configures a peer again that is held down because its messages ended the
speaker twice within five minutes ("bgp-ovn status" names it). Without it, that
happens half an hour after the last time. Update the neighbour, or filter what it
passes on, before.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, err := netip.ParseAddr(args[0])
			if err != nil {
				return fmt.Errorf("peer %.80q: give the address of a peer as in bgp.peers, such as 192.0.2.1 or fe80::1%%eth0",
					args[0])
			}
			s, problems := c.load()
			c.warn(problems)
			r, err := client(s).ReleasePeer(cmd.Context(), addr.String())
			if err != nil {
				return err
			}
			return view.Released(c.stdout, c.form, r)
		},
	}
}
