package faults

import (
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

const vrfTable = " table 1001"

// remoteMAC is a command for the router MAC of the top of rack, as the VXLAN device has it.
var remoteMAC = "$(bridge fdb show dev vxlan-1001 | sed -n 's/^\\([^ ]*\\) dst " + lab.VTEP.String() +
	" .*/\\1/p' | grep -v ^00:00 | head -1)"

// OverlayDrifts are the drifts of what a tenant in VNI 1001 has, for which the kernel needs
// VRFs. FIP is the address of its router's gateway.
func OverlayDrifts() []Drift {
	return concat(overlayLinks, overlayTables(), overlaySwitch, overlaySysctls())
}

var overlayLinks = []Drift{
	{Name: "vxlan-down", Lines: []string{"ip link set vxlan-1001 down"}, Kind: "link", How: plan.HowChanged},
	{Name: "vxlan-deleted", Lines: []string{"ip link del vxlan-1001"}, Kind: "link", How: plan.HowDeleted},
	{
		Name: "vxlan-learns", Lines: []string{"bridge link set dev vxlan-1001 learning on"}, Kind: "link",
		How: plan.HowChanged,
	},
	{
		Name: "vxlan-floods-arp", Lines: []string{"bridge link set dev vxlan-1001 neigh_suppress off"}, Kind: "link",
		How: plan.HowChanged,
	},
	{Name: "bridge-down", Lines: []string{"ip link set br-1001 down"}, Kind: "link", How: plan.HowChanged},
	{Name: "bridge-moved", Lines: []string{"ip link set br-1001 nomaster"}, Kind: "link", How: plan.HowChanged},
	{
		Name: "bridge-address", Lines: []string{"ip link set br-1001 address 02:00:00:00:00:99"}, Kind: "link",
		How: plan.HowChanged,
	},
	{Name: "bridge-deleted", Lines: []string{"ip link del br-1001"}, Kind: "link", How: plan.HowDeleted},
	{Name: "vrf-down", Lines: []string{"ip link set vrf-1001 down"}, Kind: "link", How: plan.HowChanged},
	{Name: "vrf-deleted", Lines: []string{"ip link del vrf-1001"}, Kind: "link", How: plan.HowDeleted},
	{Name: "leg-down", Lines: []string{"ip link set veth-vrf-1001 down"}, Kind: "link", How: plan.HowChanged},
	{Name: "leg-deleted", Lines: []string{"ip link del veth-vrf-1001"}, Kind: "link", How: plan.HowDeleted},
}

func overlayTables() []Drift {
	return []Drift{
		{
			Name: "vrf-route-deleted", Lines: []string{"ip route del 10.0.0.0/26" + vrfTable}, Kind: "route",
			How: plan.HowDeleted, By: byIP,
		},
		{
			Name: "remote-route-deleted", Lines: []string{"ip route del 10.9.0.0/24" + vrfTable}, Kind: "route",
			How: plan.HowDeleted, By: byIP,
		},
		{
			Name: "vrf-default-deleted", Lines: []string{"ip route del unreachable default metric 4278198272" + vrfTable},
			Kind: "route", How: plan.HowDeleted, By: byIP,
		},
		{Name: "vrf-flush", Lines: []string{"ip route flush" + vrfTable}, Kind: "route", How: plan.HowDeleted},
		{
			Name: "vrf-blackhole", Lines: []string{"ip route add blackhole 10.0.0.5/32" + vrfTable},
			Heal: []string{"ip route del blackhole 10.0.0.5/32" + vrfTable}, Code: "foreign-route",
			Stays: "ip route show" + vrfTable, Shows: "blackhole 10.0.0.5",
		},
		{
			Name: "vrf-rule-deleted", Lines: []string{"ip rule del pref 1000"},
			Heal: []string{"ip rule add pref 1000 l3mdev protocol kernel"}, Code: "rule-missing",
		},
		{
			Name: "vtep-neigh-deleted", Lines: []string{"ip neigh del " + lab.VTEP.String() + " dev br-1001"}, Kind: "neigh",
			How: plan.HowDeleted, By: byIP,
		},
		{
			Name: "vtep-neigh-address",
			Lines: []string{
				"ip neigh change " + lab.VTEP.String() + " dev br-1001 lladdr 02:00:00:00:00:99 nud noarp extern_learn",
			},
			Kind: "neigh", How: plan.HowChanged, By: byIP,
		},
		{
			Name: "gateway-neigh-deleted", Lines: []string{"ip neigh del FIP dev veth-vrf-1001"}, Kind: "neigh",
			How: plan.HowDeleted, By: byIP,
		},
		{
			Name: "fdb-deleted", Lines: []string{"bridge fdb del " + remoteMAC + " dev vxlan-1001 self"}, Kind: "fdb",
			How: plan.HowDeleted,
		},
		{
			Name: "fdb-moved", Lines: []string{"bridge fdb replace " + remoteMAC + " dev vxlan-1001 dst 10.255.9.9 self"},
			Kind: "fdb", How: plan.HowChanged,
		},
		{
			Name: "fdb-master-deleted", Lines: []string{"bridge fdb del " + remoteMAC + " dev vxlan-1001 master"}, Kind: "fdb",
			How: plan.HowDeleted,
		},
	}
}

var overlaySwitch = []Drift{
	{
		Name: "leg-unplugged", Lines: []string{"ovs-vsctl --timeout=20 del-port veth-ovs-1001"}, Kind: "ovsport",
		How: plan.HowDeleted,
	},
	{
		Name: "leg-tagged", Lines: []string{"ovs-vsctl --timeout=20 set Port veth-ovs-1001 tag=7"}, Kind: "ovsport",
		How: plan.HowChanged,
	},
	{
		Name: "tenant-flow-deleted", Lines: []string{"ovs-ofctl del-flows br-ex cookie=0x3e6/-1,ip"}, Kind: "flow",
		How: plan.HowDeleted,
	},
	{
		Name: "tenant-flow-actions", Lines: []string{"ovs-ofctl mod-flows br-ex cookie=0x3e6/-1,ip,actions=drop"},
		Kind: "flow", How: plan.HowChanged,
	},
}

// overlaySysctls set back those of the devices of a VRF.
func overlaySysctls() []Drift {
	var out []Drift
	for _, s := range []struct{ name, setting string }{
		{"forwarding-in", "ipv4.conf.br-1001.forwarding=0"},
		{"forwarding-out", "ipv4.conf.veth-vrf-1001.forwarding=0"},
		{"rp-filter-in", "ipv4.conf.br-1001.rp_filter=1"},
		{"redirects", "ipv4.conf.veth-vrf-1001.send_redirects=1"},
		{"forwarding6-in", "ipv6.conf.br-1001.forwarding=0"},
	} {
		out = append(out, Drift{
			Name: "vrf-sysctl-" + s.name, Lines: []string{"sysctl -qw net." + s.setting}, Kind: "sysctl", How: plan.HowChanged,
		})
	}
	return out
}
