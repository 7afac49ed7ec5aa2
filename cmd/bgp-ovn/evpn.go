package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

func (c *cli) evpnCommand() *cobra.Command {
	k := computing{against: "model"}
	cmd := &cobra.Command{
		Use: "evpn [VNI]", Short: "show the VXLAN network identifiers of this node and what is missing of them", Args: cobra.MaximumNArgs(1),
		Long: `evpn prints a line for each VNI: its VRF, the route distinguishers of what is
announced, how many paths are announced, routes of others taken in and VTEPs
known, and the first thing that is not as wanted. With a VNI it prints all of
that, and the rows and routes that could not be used. Exit status: 0 all is as wanted, 2 something is missing, 1 error.`,
		Example: "  bgp-ovn evpn\n  bgp-ovn evpn 1001",
		RunE: func(cmd *cobra.Command, args []string) error {
			only := ""
			if len(args) > 0 {
				only = args[0]
			}
			return c.compute(cmd.Context(), k, "/v1/evpn", url.Values{"vni": {only}}, func(ctx context.Context, a *app) (answer, error) {
				return a.answerEVPN(ctx, c.output, only)
			})
		},
	}
	k.flags(cmd)
	return cmd
}

// answerEVPN tells of one VNI, or of all if only is empty.
func (a *app) answerEVPN(ctx context.Context, output, only string) (answer, error) {
	var vni uint64
	if only != "" {
		var err error
		if vni, err = strconv.ParseUint(only, 10, 24); err != nil || vni == 0 {
			return answer{}, fmt.Errorf("evpn %q: give a VNI, 1 to 16777215", only)
		}
	}
	r, err := a.ctl.Plan(ctx, false)
	if err != nil {
		return answer{}, err
	}
	if r.ReadErr != nil {
		return answer{}, fmt.Errorf("part of reality cannot be read, and nothing is known of what is missing: %w", r.ReadErr)
	}
	res := struct {
		Version int             `json:"version"`
		VNIs    []reconcile.VNI `json:"vnis"`
	}{1, []reconcile.VNI{}}
	var ans answer
	var text strings.Builder
	for _, v := range a.ctl.VNIs(r) {
		if vni != 0 && uint64(v.VNI) != vni {
			continue
		}
		if len(res.VNIs) == 0 && vni == 0 {
			text.WriteString(reconcile.VNIHead + "\n")
		}
		res.VNIs = append(res.VNIs, v)
		if len(v.Missing) > 0 {
			ans.exit = exitDiffers
		}
		if vni != 0 {
			text.WriteString(v.String())
		} else {
			text.WriteString(v.Line() + "\n")
		}
	}
	if len(res.VNIs) == 0 {
		if vni != 0 {
			return answer{}, fmt.Errorf("evpn %s: nothing here wants this VNI; explain ADDRESS says why an address is not in one", only)
		}
		text.WriteString("no VNI is wanted on this node\n")
	}
	return ans.with(output, text.String(), res)
}
