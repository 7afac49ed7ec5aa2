package faults

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Drift is something that others do to what bgp-ovn has made, or put beside it.
type Drift struct {
	// Name is that of the test; words joined by hyphens.
	Name string
	// Lines are commands that do it, Heal those that take back what is not repaired.
	Lines, Heal []string
	// Kind and How are what is told of it; without a kind nothing of ours has moved.
	Kind string
	How  plan.How
	// By is the program that is named; empty where nobody tells who it was.
	By string
	// Code is that of the problem while it is not repaired, as another owner's objects
	// never are; empty if it is repaired.
	Code string
	// Stays is a command, and a part of its output, of what is not ours and must stay.
	Stays, Shows string
}

// Do runs the commands of a drift on the node, in which the words of [World.Expand] are
// expanded.
func (w World) Do(ctx context.Context, lines []string) error {
	for _, line := range lines {
		if _, err := w.Chassis.Run(ctx, "sh", "-c", w.Expand(line)); err != nil {
			return fmt.Errorf("%s: %w", w.Expand(line), err)
		}
	}
	return nil
}

const (
	byIP   = "ip"
	table  = " table 201"
	tenant = "10.9.0.0/26"
)

// Drifts are the drifts that are tried on the lab, by kind of the object. ADDR and ADDR6 are
// the addresses of a guest, FIP and FIP6 those for which neighbours are wanted.
func Drifts() []Drift {
	return concat(routeDrifts, ruleDrifts, neighbourDrifts, addressDrifts, sysctlDrifts(), switchDrifts)
}

func concat(lists ...[]Drift) []Drift {
	var out []Drift
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

var routeDrifts = []Drift{
	{Name: "route-deleted", Lines: []string{"ip route del ADDR" + table}, Kind: "route", How: plan.HowDeleted, By: byIP},
	{
		Name: "route-device", Lines: []string{"ip route change ADDR dev fabric0 proto 98" + table},
		Kind: "route", How: plan.HowChanged, By: byIP,
	},
	{
		Name: "route-mtu", Lines: []string{"ip route change ADDR dev br-ex proto 98 mtu 1400" + table},
		Kind: "route", How: plan.HowChanged, By: byIP,
	},
	{
		Name: "route-protocol", Lines: []string{"ip route change ADDR dev br-ex proto static" + table},
		Kind: "route", How: plan.HowForeignMark, By: byIP,
	},
	{
		Name: "route-added", Lines: []string{"ip route add 172.24.4.7 dev br-ex proto 98" + table},
		Kind: "route", How: plan.HowAdded, By: byIP,
	},
	{
		Name: "route-in-its-place", Lines: []string{"ip route change FIP dev fabric0 proto static" + table},
		Heal: []string{"ip route del FIP" + table}, Kind: "route", How: plan.HowForeignMark, By: byIP, Code: "not-as-wanted",
		Stays: "ip route show table 201", Shows: "FIP dev fabric0 proto static",
	},
	{
		Name: "route-blackhole", Lines: []string{"ip route prepend blackhole ADDR" + table},
		Heal: []string{"ip route del blackhole ADDR" + table}, Kind: "route", How: plan.HowOverridden, Code: "overridden",
		Stays: "ip route show table 201", Shows: "blackhole ADDR",
	},
	{
		Name: "route-tos", Lines: []string{"ip route add tos 8 ADDR dev fabric0" + table},
		Heal:  []string{"ip route del tos 8 ADDR dev fabric0" + table},
		Stays: "ip route show table 201", Shows: "ADDR tos 0x08 dev fabric0",
	},
	{
		Name: "route-metric", Lines: []string{"ip route add ADDR dev fabric0 metric 5" + table},
		Heal:  []string{"ip route del ADDR dev fabric0 metric 5" + table},
		Stays: "ip route show table 201", Shows: "ADDR dev fabric0 scope link metric 5",
	},
	{
		Name: "route-beside", Lines: []string{"ip route add 10.66.0.0/24 dev fabric0" + table},
		Heal:  []string{"ip route del 10.66.0.0/24" + table},
		Stays: "ip route show table 201", Shows: "10.66.0.0/24 dev fabric0",
	},
	{
		Name: "route6-deleted", Lines: []string{"ip -6 route del ADDR6" + table}, Kind: "route", How: plan.HowDeleted,
		By: byIP,
	},
	{
		Name: "route6-mtu", Lines: []string{"ip -6 route change ADDR6 dev br-ex proto 98 metric 1024 mtu 1400" + table},
		Kind: "route", How: plan.HowChanged, By: byIP,
	},
	{
		Name: "route6-metric", Lines: []string{"ip -6 route add ADDR6 dev fabric0 metric 1" + table},
		Heal: []string{"ip -6 route del ADDR6 dev fabric0 metric 1" + table}, Kind: "route", How: plan.HowOverridden,
		Code: "overridden", Stays: "ip -6 route show table 201", Shows: "ADDR6 dev fabric0 metric 1",
	},
	{
		Name: "route-tenant", Lines: []string{"ip route del " + tenant + table}, Kind: "route", How: plan.HowDeleted,
		By: byIP,
	},
	// A flush has a second socket, whose owner is found only while it runs.
	{Name: "route-flush", Lines: []string{"ip route flush table 201"}, Kind: "route", How: plan.HowDeleted},
}

var ruleDrifts = []Drift{
	{Name: "rule-deleted", Lines: []string{"ip rule del pref 32000"}, Kind: "rule", How: plan.HowDeleted, By: byIP},
	{Name: "rule6-deleted", Lines: []string{"ip -6 rule del pref 32000"}, Kind: "rule", How: plan.HowDeleted, By: byIP},
	{
		Name: "rule-moved", Lines: []string{
			"ip rule del pref 32000", "ip rule add pref 31000 lookup 201 suppress_prefixlength 0 protocol 98",
		}, Kind: "rule", How: plan.HowAdded, By: byIP,
	},
	{
		Name: "rule-added", Lines: []string{"ip rule add pref 31999 lookup 777 protocol 98"}, Kind: "rule",
		How: plan.HowAdded, By: byIP,
	},
	{
		Name: "rule-protocol", Lines: []string{
			"ip rule add pref 32000 lookup 201 suppress_prefixlength 0 protocol static",
			"ip rule del pref 32000 lookup 201 protocol 98",
		},
		Heal: []string{"ip rule del pref 32000 lookup 201 protocol static"}, // the kernel has it beside ours
		Kind: "rule", How: plan.HowForeignMark, By: byIP,
	},
	{Name: "rule-flush", Lines: []string{"ip rule flush protocol 98"}, Kind: "rule", How: plan.HowDeleted},
	{
		Name: "rule-blackhole", Lines: []string{"ip rule add pref 90 to ADDR blackhole"},
		Heal: []string{"ip rule del pref 90"}, Kind: "rule", How: plan.HowOverridden,
		Code: "overridden", Stays: "ip rule", Shows: "blackhole",
	},
	{
		Name: "rule-before", Lines: []string{"ip rule add pref 100 to 172.24.4.0/24 lookup main"},
		Heal: []string{"ip rule del pref 100"}, Kind: "rule", How: plan.HowOverridden,
		Code: "overridden", Stays: "ip rule", Shows: "100:",
	},
	{
		Name: "rule-beside", Lines: []string{"ip rule add pref 32000 to 10.66.0.0/24 lookup 777"},
		Heal: []string{"ip rule del to 10.66.0.0/24 lookup 777"}, Stays: "ip rule", Shows: "lookup 777",
	},
}

var neighbourDrifts = []Drift{
	{Name: "neigh-deleted", Lines: []string{"ip neigh del FIP dev br-ex"}, Kind: "neigh", How: plan.HowDeleted, By: byIP},
	{
		Name: "neigh6-deleted", Lines: []string{"ip neigh del FIP6 dev br-ex"}, Kind: "neigh", How: plan.HowDeleted,
		By: byIP,
	},
	{
		Name: "neigh-address", Lines: []string{"ip neigh change FIP dev br-ex lladdr 02:00:00:00:00:99 nud permanent"},
		Kind: "neigh", How: plan.HowChanged, By: byIP,
	},
	{
		Name: "neigh-state", Lines: []string{
			"ip neigh change FIP dev br-ex nud stale lladdr $(ip neigh show FIP dev br-ex | cut -d' ' -f3)",
		}, Kind: "neigh", How: plan.HowDeleted, By: byIP, // one that ages is as good as gone
	},
	{
		Name:  "neigh-beside",
		Lines: []string{"ip neigh replace 172.24.4.77 dev br-ex lladdr 02:00:00:00:00:99 nud permanent"},
		Heal:  []string{"ip neigh del 172.24.4.77 dev br-ex"}, Stays: "ip neigh", Shows: "172.24.4.77",
	},
	{
		Name: "proxy-deleted", Lines: []string{"ip neigh del proxy 2001:db8:4::1 dev br-ex"}, Kind: "proxy",
		How: plan.HowDeleted,
	},
	{
		Name: "proxy-beside", Lines: []string{"ip neigh add proxy 2001:db8:4::77 dev br-ex"},
		Heal: []string{"ip neigh del proxy 2001:db8:4::77 dev br-ex"}, Stays: "ip neigh show proxy", Shows: "2001:db8:4::77",
	},
}

var addressDrifts = []Drift{
	{
		Name: "address-deleted", Lines: []string{"ip addr del 169.254.1.1/32 dev br-ex"}, Kind: "address",
		How: plan.HowDeleted, By: byIP,
	},
	{
		Name: "address6-deleted", Lines: []string{"ip addr del fd53:d91e:400:7f17::1:1/128 dev br-ex"}, Kind: "address",
		How: plan.HowDeleted, // of IPv6 addresses the kernel does not tell
	},
	{
		Name:  "address-lifetime",
		Lines: []string{"ip addr change 169.254.1.1/32 dev br-ex valid_lft 600 preferred_lft 600"}, Kind: "address",
		How: plan.HowChanged, By: byIP,
	},
	{
		Name: "address-beside", Lines: []string{"ip addr add 10.66.0.1/24 dev br-ex"},
		Heal: []string{"ip addr del 10.66.0.1/24 dev br-ex"}, Stays: "ip addr show br-ex", Shows: "10.66.0.1/24",
	},
	// IPv4 routes go with the last address, and the kernel notifies of none of them.
	{
		Name: "address-flush", Lines: []string{"ip -4 addr flush dev br-ex"}, Kind: "address", How: plan.HowDeleted,
	},
	{Name: "device-down", Lines: []string{"ip link set br-ex down"}, Kind: "device", How: plan.HowChanged},
}

// sysctlDrifts set each of the wanted settings back. Nobody tells who it was.
func sysctlDrifts() []Drift {
	settings := map[string]string{
		"rp-filter-all": "ipv4.conf.all.rp_filter=1", "rp-filter": "ipv4.conf.br-ex.rp_filter=1",
		"proxy-arp": "ipv4.conf.br-ex.proxy_arp=0", "send-redirects": "ipv4.conf.br-ex.send_redirects=1",
		"ip-forward": "ipv4.ip_forward=0", "proxy-delay": "ipv4.neigh.br-ex.proxy_delay=80",
		"forwarding6": "ipv6.conf.all.forwarding=0", "proxy-ndp": "ipv6.conf.br-ex.proxy_ndp=0",
		"proxy-delay6": "ipv6.neigh.br-ex.proxy_delay=80",
	}
	var out []Drift
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		out = append(out, Drift{
			Name: "sysctl-" + name, Lines: []string{"sysctl -qw net." + settings[name]},
			Kind: "sysctl", How: plan.HowChanged,
		})
	}
	return out
}

var switchDrifts = []Drift{
	{
		Name: "flow-deleted", Lines: []string{"ovs-ofctl del-flows br-ex cookie=0x3e7/-1,ip"}, Kind: "flow",
		How: plan.HowDeleted,
	},
	{
		Name: "flows-deleted", Lines: []string{"ovs-ofctl del-flows br-ex"}, Kind: "flow", How: plan.HowDeleted,
		Heal: []string{"ovs-ofctl add-flow br-ex priority=0,actions=NORMAL"},
	},
	{
		Name: "flow-actions", Lines: []string{"ovs-ofctl mod-flows br-ex cookie=0x3e7/-1,ip,actions=drop"}, Kind: "flow",
		How: plan.HowChanged,
	},
	{
		Name: "flow-added", Lines: []string{"ovs-ofctl add-flow br-ex cookie=0x3e7,priority=950,ip,in_port=77,actions=drop"},
		Kind: "flow", How: plan.HowAdded,
	},
	{
		Name: "flow-cookie", Lines: []string{
			"ovs-ofctl add-flow br-ex cookie=0x1234,priority=900,ip,in_port=$(ovs-ofctl dump-flows br-ex cookie=0x3e7/-1,ip | " +
				"sed -n 's/.*in_port=\\([^ ,]*\\).*/\\1/p'),actions=drop",
		},
		Heal: []string{"ovs-ofctl del-flows br-ex cookie=0x1234/-1"}, Kind: "flow", How: plan.HowForeignMark,
		Code: "not-as-wanted", Stays: "ovs-ofctl dump-flows br-ex", Shows: "cookie=0x1234",
	},
	{
		Name: "flow-before", Lines: []string{"ovs-ofctl add-flow br-ex priority=1000,ip,actions=drop"},
		Heal: []string{"ovs-ofctl del-flows --strict br-ex priority=1000,ip"}, Kind: "flow",
		How: plan.HowOverridden, Code: "overridden",
		Stays: "ovs-ofctl dump-flows br-ex", Shows: "priority=1000",
	},
}
