package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor/gather"
)

func (c *cli) doctorCommand() *cobra.Command {
	var wait time.Duration
	var bundle string
	cmd := &cobra.Command{
		Use: "doctor", Short: "examine this node: kernel, Open vSwitch, sysctls, MTU, ports", Args: noArgs,
		Long: `doctor checks what the configured drivers need of this node. It prints one line
for each check, and a remedy below each warning and failure. It changes nothing:
types of network devices are tried in a network namespace of its own, for which
the kernel may load modules. It needs no controller; one that runs is asked
which announced addresses packets do not get through to. With k8s_ovn_bgp_driver
the Kubernetes API is asked once for what the controller reads. Without root some
checks are not possible; it names them.
Exit status: 0 all is well, 2 warnings or failures, 1 error.`,
		Example: "  bgp-ovn doctor\n  bgp-ovn doctor -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if bundle != "" {
				return c.recorded(bundle, func(r *agent.Recorded) error {
					report, err := r.Doctor()
					if err != nil {
						return err
					}
					return c.printReport(report)
				})
			}
			s, err := c.valid()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			return c.printReport(doctor.ReportOf(doctor.Examine(gather.Facts(ctx, agent.DoctorConfig(ctx, s)))))
		},
	}
	waitFlag(cmd.Flags(), &wait, 10*time.Second, "how long to wait for Open vSwitch and the kernel")
	cmd.Flags().StringVar(&bundle, "bundle", "", "print what doctor found when this support bundle was made")
	return cmd
}

// printReport prints what was found, and makes the exit status of it.
func (c *cli) printReport(r doctor.Report) error {
	c.differs(!r.Healthy())
	return view.Print(c.stdout, c.form, r, r.String())
}
