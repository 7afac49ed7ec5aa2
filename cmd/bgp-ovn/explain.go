package main

import (
	"context"
	"io"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// targetHelp says what can stand for an address.
const targetHelp = `
TARGET is an address, or what has one: the name or UUID of a port, VM, network,
router or load balancer, a service of Kubernetes (NAMESPACE/NAME), a MAC address, a
VNI, a bridge, a device, or a prefix. The first part of a UUID is enough. If several
addresses are meant, they are listed and the exit status is 2.`

func (c *cli) explainCommand() *cobra.Command {
	var k computing
	cmd := &cobra.Command{
		Use: "explain TARGET", Short: "say why an address is or is not announced from here",
		Args: oneArg("address or name", "203.0.113.7", false),
		Long: `explain follows one address from its database row to the peers and names the
first thing that is in the way, and which chassis would announce it. Of an address
that is advertised it says whether packets get through to it on this node, and who
else announces it. Exit status: 0 advertised and reachable, 2 not advertised, not
reachable, announced elsewhere, too, or not seen outside, 1 error. Of a service it
explains every address, and the exit status is 0 if one of them is advertised and
none is in trouble.
` + targetHelp,
		Example: "  bgp-ovn explain 203.0.113.7\n  bgp-ovn explain web-1\n  bgp-ovn explain default/web",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.about(cmd, k, args[0], func(svc control.Service, addr netip.Addr) error {
				e, err := svc.Explain(cmd.Context(), addr.String())
				if err != nil {
					return err
				}
				c.differs(!e.Advertised || inTrouble(e))
				return view.Explanation(c.stdout, c.form, e)
			}, func(svc control.Service, service string) error { return c.explainService(cmd.Context(), svc, service) })
		},
	}
	k.flags(cmd)
	return cmd
}

// inTrouble reports whether something is wrong with an address that is advertised.
func inTrouble(e control.Explanation) bool {
	return e.Reach != nil && !e.Reach.Reachable || e.Elsewhere != nil || e.Outside != nil && e.Outside.Lost
}

// explainService explains all addresses of a service of Kubernetes.
func (c *cli) explainService(ctx context.Context, svc control.Service, service string) error {
	e, err := svc.ExplainService(ctx, service)
	if err != nil {
		return err
	}
	c.differs(e.Advertised() == 0 || slices.ContainsFunc(e.Addresses, inTrouble))
	return view.ServiceExplanation(c.stdout, c.form, e)
}

// about finds the address that a target stands for and asks about it; what is asked of a
// service is asked of all of it, unless service is nil. Several addresses are listed
// instead; none is an error that says what was looked at.
func (c *cli) about(cmd *cobra.Command, k computing, target string, ask func(control.Service, netip.Addr) error,
	service func(control.Service, string) error,
) error {
	if err := control.CheckTarget(cmd.Name(), target); err != nil {
		return err
	}
	return c.compute(cmd.Context(), k, func(svc control.Service) error {
		if addr, err := control.ParseAddress(target); err == nil {
			return ask(svc, addr)
		}
		found, err := svc.Find(cmd.Context(), target)
		if err != nil {
			return err
		}
		if service != nil && len(found.Matches) == 1 && found.Matches[0].Kind == names.KindService {
			return service(svc, found.Matches[0].Name)
		}
		addr, one, err := c.single(cmd.Name(), found)
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
	return c.single(command, found)
}

// single is the one address that was found. If there are several it prints them.
func (c *cli) single(command string, found control.Found) (netip.Addr, bool, error) {
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
		if _, err := io.WriteString(c.stdout, view.FoundLine(found.Matches[0])); err != nil {
			return netip.Addr{}, false, err
		}
	}
	return addrs[0], true, nil
}
