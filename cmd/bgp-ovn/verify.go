package main

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

func (c *cli) verifyCommand() *cobra.Command {
	var k asking
	all := false
	q := control.RouteQuery{}
	cmd := &cobra.Command{
		Use: "verify [TARGET]", Short: "what has become, elsewhere, of what this node announces",
		Args: oneArg("address or name", "203.0.113.7", true),
		Long: `verify compares what this node has sent to its neighbours with what the looking
points of bgp.verify.points have: routers that send everything they have. Of each
path it says whether it is there as it was sent (found), with other attributes
(changed), whether somebody has it and somebody after that has not (filtered), or
nobody has it (missing). What they hold from this node and it does not send is extra.
Without a target it lists what is not found; with --all, everything. Exit status: 0
all is found, 2 something is not, 1 no answer, or there is no looking point.
` + targetHelp,
		Example: "  bgp-ovn verify\n  bgp-ovn verify 203.0.113.7\n  bgp-ovn verify web-1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				if err := control.CheckTarget("verify", args[0]); err != nil {
					return err
				}
			}
			if q.Limit < 1 || q.Limit > control.MaxRoutes {
				return fmt.Errorf("--limit %d: use 1 to %d", q.Limit, control.MaxRoutes)
			}
			return c.watching(cmd.Context(), k, func(ctx context.Context, client control.Controller) error {
				if len(args) > 0 {
					within, one, err := c.within(ctx, client, args[0])
					if err != nil || !one {
						return err
					}
					q.Within = within
				}
				v, err := client.Verify(ctx, q, all || len(args) > 0)
				if err != nil {
					return err
				}
				c.differs(!allFound(v))
				if err = view.Verify(c.stdout, c.form, v); err == nil && v.Next != "" && c.form == view.Text {
					fmt.Fprintf(c.stdout, "next page: --after '%s'\n", v.Next)
				}
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&all, "all", false, "also what is found as it was sent")
	flags.IntVar(&q.Limit, "limit", control.DefaultRoutes, "most paths to print")
	flags.StringVar(&q.After, "after", "", "begin after this path: next of the page before")
	k.flags(cmd)
	return cmd
}

// within is the prefix that a target stands for, or that of its one address. If it has
// several they are printed.
func (c *cli) within(ctx context.Context, svc control.Service, target string) (netip.Prefix, bool, error) {
	if p, err := control.ParseWithin(target); err == nil {
		return p, true, nil
	}
	addr, one, err := c.find(ctx, svc, "verify", target)
	if err != nil || !one {
		return netip.Prefix{}, false, err
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true, nil
}

// allFound reports whether all paths of an answer are as they were sent.
func allFound(v control.Verify) bool {
	for _, s := range v.Counts {
		if s.State != verify.Found {
			return false
		}
	}
	return true
}
