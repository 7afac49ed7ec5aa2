package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

func (c *cli) kubeCommand() *cobra.Command {
	var k computing
	var q control.KubeQuery
	var every time.Duration
	cmd := &cobra.Command{
		Use: "kube [NAMESPACE[/SERVICE]]", Short: "list the services of the cluster and what becomes of their addresses",
		Args: oneArg("namespace or service", "default/web", true),
		Long: `kube lists the services of the cluster with their addresses, the nodes that have an
endpoint which serves, and the verdict of this node: announced, last-resort (the node
is drained), held, or the code of the first thing that is in the way, as explain tells
it. Above that it says how the Kubernetes API is followed and how up to date it is. Of
kinds that kube.advertise does not have, such as cluster IPs, only --all tells. Exit
status: 0 all that this node is to serve is announced, 2 something is not or the API
is away, 1 error.`,
		Example: "  bgp-ovn kube\n  bgp-ovn kube default --watch\n  bgp-ovn explain default/web",
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Namespace, q.Name, _ = strings.Cut(firstOf(args), "/")
			return c.repeat(cmd.Context(), every, func(ctx context.Context) error {
				return c.compute(ctx, k, func(svc control.Service) error {
					answer, err := svc.Kube(ctx, q)
					if err != nil {
						return err
					}
					c.differs(answer.Differs())
					return view.Kube(c.stdout, c.form, answer)
				})
			})
		},
	}
	k.flags(cmd)
	watchFlag(cmd, &every)
	cmd.Flags().BoolVar(&q.All, "all", false, "also addresses of kinds that kube.advertise does not have")
	return cmd
}
