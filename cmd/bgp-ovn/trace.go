package main

import (
	"cmp"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// anyAddress stands for the target of a trace while its other arguments are checked.
const anyAddress = "192.0.2.1"

func (c *cli) traceCommand() *cobra.Command {
	var k computing
	var from, src string
	cmd := &cobra.Command{
		Use: "trace TARGET", Short: "follow a packet to an address, and its answer, through this node",
		Args: oneArg("address or name", "203.0.113.7", false),
		Long: `trace asks the kernel and Open vSwitch what they would do with a packet to an
address that comes in by an uplink, and with the answer: uplink, rule, route, packet
filter, device, neighbour, bridge with flow and port, one line a stage, and what to do
about the first that is broken. No packet is sent and nothing is changed. --from names
the device that the packet comes in by (all that lead to BGP peers without it), --src
its source (the addresses of the peers without it). With --bundle it prints the way
that was recorded for the address.
Exit status: 0 it gets through, 2 it does not, 1 error.
` + targetHelp,
		Example: "  bgp-ovn trace 203.0.113.7\n  bgp-ovn trace 203.0.113.7 --from eth1 --src 198.51.100.10",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := control.CheckTarget("trace", args[0]); err != nil {
				return err
			}
			if _, err := control.ParseTrace(cmp.Or(src, anyAddress), from, src); err != nil { // before anything is asked
				return err
			}
			return c.about(cmd, k, args[0], func(svc control.Service, addr netip.Addr) error {
				q, err := control.ParseTrace(addr.String(), from, src)
				if err != nil {
					return err
				}
				t, err := svc.Trace(cmd.Context(), q)
				if err != nil {
					return err
				}
				c.differs(!t.Reachable)
				return view.Trace(c.stdout, c.form, t)
			}, nil)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the device that the packet comes in by")
	cmd.Flags().StringVar(&src, "src", "", "the source of the packet")
	k.bundleFlag(cmd)
	k.waitFlag(cmd)
	return cmd
}
