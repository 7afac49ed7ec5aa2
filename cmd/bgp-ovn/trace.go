package main

import (
	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

func (c *cli) traceCommand() *cobra.Command {
	var k computing
	var from, src string
	cmd := &cobra.Command{
		Use: "trace ADDRESS", Short: "follow a packet to an address, and its answer, through this node",
		Args: oneArg("ADDRESS", "203.0.113.7", false),
		Long: `trace asks the kernel and Open vSwitch what they would do with a packet to an
address that comes in by an uplink, and with the answer: uplink, rule, route, packet
filter, device, neighbour, bridge with flow and port, one line a stage, and what to do
about the first that is broken. No packet is sent and nothing is changed. --from names
the device that the packet comes in by (all that lead to BGP peers without it), --src
its source (the addresses of the peers without it).
Exit status: 0 it gets through, 2 it does not, 1 error.`,
		Example: "  bgp-ovn trace 203.0.113.7\n  bgp-ovn trace 203.0.113.7 --from eth1 --src 198.51.100.10",
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := control.ParseTrace(args[0], from, src)
			if err != nil {
				return err
			}
			return c.compute(cmd.Context(), k, func(svc control.Service) error {
				t, err := svc.Trace(cmd.Context(), q)
				if err != nil {
					return err
				}
				c.differs(!t.Reachable)
				return view.Trace(c.stdout, c.form, t)
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the device that the packet comes in by")
	cmd.Flags().StringVar(&src, "src", "", "the source of the packet")
	k.waitFlag(cmd)
	return cmd
}
