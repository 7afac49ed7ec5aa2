package main

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/whatif"
)

func (c *cli) whatIfCommand() *cobra.Command {
	var snapshots, bundles, moves, gone, peers []string
	cmd := &cobra.Command{
		Use: "what-if", Short: "say what an event would lead to, from snapshots or support bundles of nodes", Args: noArgs,
		Long: `what-if changes the rows of snapshots as OVN would, derives what each node announces
before and after, and prints what moves where, what nobody announces any more, and what
several nodes announce. Nothing is asked of a controller or a database, and nothing is written.

Each support bundle is one node, with the configuration that it had; a snapshot file has
all chassis of which it has the Open_vSwitch database (--chassis names one), and --config
is the configuration of all of them. Of chassis that are not among them what they announce
is not known, and they are named.

--move binds a port to another chassis, with its subports and the virtual ports on it.
--chassis-gone deletes a chassis: gateway ports go to the next one of their group, ports
of VMs to nobody. --peer-down ends the sessions with a neighbour on all nodes.

Exit status: 0 announced as before, 2 not so, 1 error.`,
		Example: "  bgp-ovn what-if --snapshot cloud.json --move web-1=cmp-07\n" +
			"  bgp-ovn what-if --bundle net-1.tar.gz --bundle net-2.tar.gz --chassis-gone net-1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			edits, err := whatIfEdits(moves, gone, peers)
			if err != nil {
				return err
			}
			if len(snapshots)+len(bundles) == 0 {
				return errors.New("what-if: give --snapshot FILE or --bundle FILE")
			}
			s, problems := c.load()
			if err := asError(problems); err != nil && len(snapshots) > 0 {
				return err
			}
			w, err := agent.WhatIf(cmd.Context(), s, snapshots, bundles, edits, c.logger(s))
			if err != nil {
				return err
			}
			c.differs(w.Differs())
			return view.WhatIf(c.stdout, c.form, w)
		},
	}
	cmd.Flags().StringArrayVar(&snapshots, "snapshot", nil, "a snapshot file; may be given several times")
	cmd.Flags().StringArrayVar(&bundles, "bundle", nil, "a support bundle; may be given several times")
	cmd.Flags().StringArrayVar(&moves, "move", nil, "PORT=CHASSIS: the port is bound to that chassis")
	cmd.Flags().StringArrayVar(&gone, "chassis-gone", nil, "the chassis is gone, by system-id or host name")
	cmd.Flags().StringArrayVar(&peers, "peer-down", nil, "the sessions with the neighbour of that address are down")
	return cmd
}

// whatIfEdits reads the events.
func whatIfEdits(moves, gone, peers []string) ([]whatif.Edit, error) {
	var edits []whatif.Edit
	for _, text := range moves {
		e, err := whatif.ParseMove(text)
		if err != nil {
			return nil, fmt.Errorf("--move %w", err)
		}
		edits = append(edits, e)
	}
	for _, name := range gone {
		edits = append(edits, whatif.Edit{Event: whatif.ChassisGone, Chassis: name})
	}
	for _, text := range peers {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("--peer-down %.80q: give the address of a peer, such as 192.0.2.1", text)
		}
		edits = append(edits, whatif.Edit{Event: whatif.PeerDown, Peer: addr})
	}
	if len(edits) == 0 {
		return nil, errors.New("what-if: give an event: --move, --chassis-gone or --peer-down")
	}
	return edits, nil
}
