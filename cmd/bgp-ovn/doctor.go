package main

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor/gather"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
)

func (c *cli) doctorCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "doctor", Short: "examine this node: kernel, Open vSwitch, sysctls, MTU, ports", Args: cobra.NoArgs,
		Long: `doctor checks what the configured drivers need of this node. It prints one line
for each check, and a remedy below each warning and failure. It changes nothing:
types of network devices are tried in a network namespace of its own, for which
the kernel may load modules. It needs no controller. Without root some checks
are not possible; it names them.
Exit status: 0 all is well, 2 warnings or failures, 1 error.`,
		Example: "  bgp-ovn doctor\n  bgp-ovn doctor -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			report := doctor.ReportOf(doctor.Examine(gather.Facts(ctx, c.doctorConfig(ctx, cfg))))
			ans := answer{exit: exitSame}
			if !report.Healthy() {
				ans.exit = exitDiffers
			}
			ans, err = ans.with(c.output, report.String(), report)
			if err != nil {
				return err
			}
			return c.print(ans)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long to wait for Open vSwitch and the kernel")
	return cmd
}

// doctorConfig is what is examined by this configuration.
func (c *cli) doctorConfig(ctx context.Context, cfg *Config) gather.Config {
	_, err := c.ask(ctx, cfg, http.MethodGet, "/v1/status", nil)
	var peers []netip.Addr
	for _, p := range cfg.BGP.Peers {
		if a, err := netip.ParseAddr(p.Address); err == nil { // validated
			peers = append(peers, a)
		}
	}
	return gather.Config{
		Node: doctor.Node{
			PlainBGP: slices.ContainsFunc(cfg.Drivers, func(name string) bool { return drivers.Canonical(name) != evpn.Name }),
			EVPN:     cfg.evpnRuns(), OVSDB: cfg.OVSDBConnection, ManageSysctls: cfg.Sysctls.Manage,
			ListenPort: cfg.BGP.Listen.Port, Speaker: cfg.BGP.Speaker,
			VXLANPort: cfg.EVPNPort, RulePriority: cfg.Routing.RulePriority,
		},
		Running: err == nil, Chassis: cfg.Chassis, RunDir: cfg.OVSRunDir, ManageFlows: cfg.Flows.Manage,
		Cookies: cfg.marks().Cookies, Alias: cfg.marks().Alias, Peers: peers,
	}
}
