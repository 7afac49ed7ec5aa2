package agent

import (
	"context"
	"os"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor/gather"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
)

// DoctorConfig is what doctor examines of a node with these settings.
func DoctorConfig(ctx context.Context, s config.Settings) gather.Config {
	status, err := control.NewClient(s.Socket).OrRead(s.ReadSocket).Status(ctx)
	var exposed []doctor.Exposure
	for _, p := range s.Exposed() {
		exposed = append(exposed, doctor.Exposure{Text: p.Place.String() + ": " + p.Text, Remedy: p.Remedy})
	}
	var unreachable []doctor.Unreachable
	for _, u := range status.Reach.Unreachable {
		unreachable = append(unreachable, doctor.Unreachable{Address: u.Address, Code: u.Code, Text: u.Text, Try: u.Try})
	}
	return gather.Config{
		Node: doctor.Node{
			PlainBGP: slices.ContainsFunc(s.Drivers, func(name string) bool { return name != evpn.Name }),
			EVPN:     s.RunsEVPN(), OVSDB: s.OpenVSwitch.Endpoint, ManageSysctls: s.ManageSysctls,
			ListenPort: int(s.BGP.ListenPort), Speaker: s.BGP.Speaker,
			VXLANPort: int(s.VXLANPort), RulePriority: s.Routing.RulePriority, Exposed: exposed,
		},
		Running: err == nil, Checked: status.Reach.Checked, Unreachable: unreachable, Chassis: s.Chassis,
		RunDir: s.OpenVSwitch.RunDir, ManageFlows: s.Flows.Manage,
		Alias: marks(s).Alias, Peers: s.BGP.PeerAddrs(), Kubernetes: doctorKube(ctx, s),
	}
}

// doctorKube is how the Kubernetes API is asked; nil if no driver does. The name of the own
// Node is that of the configuration, or else that of a controller that runs, or else the name
// of this host, which ovn-controller gives to its Chassis row if nothing else is set.
func doctorKube(ctx context.Context, s config.Settings) *kube.Config {
	if !s.Kube.Used {
		return nil
	}
	name := s.Kube.NodeName
	if name == "" {
		if k, err := control.NewClient(s.Socket).OrRead(s.ReadSocket).Kube(ctx, control.KubeQuery{}); err == nil {
			name = k.Node
		}
	}
	if host, err := os.Hostname(); name == "" && err == nil {
		name = host
	}
	return &kube.Config{
		Kubeconfig: s.Kube.Kubeconfig, EgressIPs: s.Kube.EgressIPs, NodeName: func() string { return name },
	}
}
