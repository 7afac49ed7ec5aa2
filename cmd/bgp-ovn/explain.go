package main

import (
	"context"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// targetHelp says what can stand for an address.
const targetHelp = `
TARGET is an address, or what has one: the name or UUID of a port, VM, network,
router or load balancer, a MAC address, a VNI, a bridge, a device, or a prefix. The
first part of a UUID is enough. If several addresses are meant, they are listed and
the exit status is 2.`

func (c *cli) explainCommand() *cobra.Command {
	var k computing
	cmd := &cobra.Command{
		Use: "explain TARGET", Short: "say why an address is or is not announced from here",
		Args: oneArg("address or name", "203.0.113.7", false),
		Long: `explain follows one address from its database row to the peers and names the
first thing that is in the way, and which chassis would announce it. Of an address
that is advertised it says whether packets get through to it on this node, and who
else announces it. Exit status: 0 advertised and reachable, 2 not advertised, not
reachable, announced elsewhere, too, or not seen outside, 1 error.
` + targetHelp,
		Example: "  bgp-ovn explain 203.0.113.7\n  bgp-ovn explain web-1",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.about(cmd, k, args[0], func(svc control.Service, addr netip.Addr) error {
				e, err := svc.Explain(cmd.Context(), addr.String())
				if err != nil {
					return err
				}
				c.differs(!e.Advertised || e.Reach != nil && !e.Reach.Reachable || e.Elsewhere != nil ||
					e.Outside != nil && e.Outside.Lost)
				return view.Explanation(c.stdout, c.form, e)
			})
		},
	}
	k.flags(cmd)
	return cmd
}

// about finds the address that a target stands for and asks about it. Several are listed
// instead; none is an error that says what was looked at.
func (c *cli) about(cmd *cobra.Command, k computing, target string, ask func(control.Service, netip.Addr) error) error {
	if err := control.CheckTarget(cmd.Name(), target); err != nil {
		return err
	}
	return c.compute(cmd.Context(), k, func(svc control.Service) error {
		if addr, err := control.ParseAddress(target); err == nil {
			return ask(svc, addr)
		}
		addr, one, err := c.find(cmd.Context(), svc, cmd.Name(), target)
		if err != nil || !one {
			return err
		}
		return ask(svc, addr)
	})
}

// find is the one address that a target stands for. If there are several it prints them.
func (c *cli) find(ctx context.Context, svc control.Service, command, target string) (netip.Addr, bool, error) {
	found, err := svc.Find(ctx, target)
	if err != nil {
		return netip.Addr{}, false, err
	}
	addrs := found.Addresses()
	switch {
	case len(found.Matches) == 0:
		return netip.Addr{}, false, found.Nothing(command)
	case len(addrs) == 0:
		return netip.Addr{}, false, found.NoAddress(command)
	case len(addrs) > 1:
		c.differs(true)
		return netip.Addr{}, false, view.Found(c.stdout, c.form, command, found)
	}
	if c.form == view.Text {
		_, err = io.WriteString(c.stdout, view.FoundLine(found.Matches[0]))
	}
	return addrs[0], true, err
}
