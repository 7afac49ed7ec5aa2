package faults

import (
	"context"
	"net/netip"
)

// dataPath are faults of the way of packets through the node: what others do to rules,
// routes, settings, packet filters, flows and devices.
var dataPath = []Fault{
	{
		Name: "uplink-down", Symptom: "addresses of the node are not reachable, and the session is down",
		Inject: run("ip link set fabric0 down"), Heal: healUplink,
		Command: "status", Code: "uplink-down", Says: "device fabric0 is down", Remedy: "ip link set fabric0 up",
	},
	{
		Name: "foreign-rule", Symptom: "ADVERTISED, and no packet arrives",
		Inject: run("ip rule add pref 100 to 172.24.4.0/24 lookup main"), Heal: run("ip rule del pref 100"),
		Command: "explain ADDR", Code: "foreign-rule",
		Says:   "comes before ours (32000) and takes packets for ADDR",
		Remedy: "ip rule del priority 100",
	},
	{
		Name: "blackhole", Symptom: "ADVERTISED, and no packet arrives",
		Inject: run("ip route prepend blackhole ADDR/32 table 201"), Heal: run("ip route del blackhole ADDR/32 table 201"),
		Command: "explain ADDR", Code: "foreign-route", Says: `route "blackhole ADDR table 201`,
		Remedy: "ip route del blackhole ADDR/32 table 201",
	},
	{
		Name: "unreachable", Symptom: "ADVERTISED, and the fabric gets ICMP unreachable",
		Inject:  run("ip route prepend unreachable ADDR/32 table 201"),
		Heal:    run("ip route del unreachable ADDR/32 table 201"),
		Command: "explain ADDR", Code: "foreign-route", Says: `route "unreachable ADDR table 201`,
		Remedy: "ip route del unreachable ADDR/32 table 201",
	},
	{
		Name: "foreign-route", Symptom: "ADVERTISED, and packets leave by another device",
		Inject:  run("ip route prepend ADDR/32 dev mgmt0 table 201"),
		Heal:    run("ip route del ADDR/32 dev mgmt0 table 201"),
		Command: "explain ADDR", Code: "foreign-route", Says: "wins over ours: packets for ADDR leave by mgmt0",
		Remedy: "ip route del ADDR/32 table 201",
	},
	{
		Name: "forwarding-uplink", Symptom: "ADVERTISED, and no packet arrives",
		Inject: sysctl("ipv4.conf.fabric0.forwarding=0"), Heal: sysctl("ipv4.conf.fabric0.forwarding=1"),
		Command: "explain ADDR", Code: "forwarding-off", Says: "net.ipv4.conf.fabric0.forwarding is 0",
		Remedy: "sysctl -w net.ipv4.conf.fabric0.forwarding=1",
	},
	{
		Name: "forwarding-bridge", Symptom: "ADVERTISED, packets arrive at the VM and no answer leaves",
		Inject: sysctl("ipv4.conf.br-ex.forwarding=0"), Heal: sysctl("ipv4.conf.br-ex.forwarding=1"),
		Command: "explain ADDR", Code: "forwarding-off", Says: "net.ipv4.conf.br-ex.forwarding is 0",
		Remedy: "sysctl -w net.ipv4.conf.br-ex.forwarding=1",
	},
	{
		Name: "packet-filter", Symptom: "ADVERTISED, and a firewall drops what is forwarded",
		Inject: func(ctx context.Context, w World) error {
			if err := run("nft add table inet host")(ctx, w); err != nil {
				return err
			}
			return run("nft add chain inet host forward { type filter hook forward priority 0 ; policy drop ; }")(ctx, w)
		},
		Heal: run("nft delete table inet host"), Command: "explain ADDR", Code: "packet-filter",
		Says:   "chain inet host forward (hook forward) drops forwarded packets: policy drop",
		Remedy: "nft list chain inet host forward",
	},
	{
		Name: "packet-filter-rule", Symptom: "ADVERTISED, and a rule of a firewall drops it",
		Inject: func(ctx context.Context, w World) error {
			for _, line := range []string{
				"nft add table ip host", "nft add chain ip host pre { type filter hook prerouting priority 0 ; }",
				"nft add rule ip host pre ip daddr 172.24.4.0/24 counter drop",
			} {
				if err := run(line)(ctx, w); err != nil {
					return err
				}
			}
			return nil
		},
		Heal: run("nft delete table ip host"), Command: "explain ADDR", Code: "packet-filter",
		Says: "rule 1 (daddr 172.24.4.0/24 drop)", Remedy: "nft list chain ip host pre",
	},
	{
		Name: "flow-above", Symptom: "ADVERTISED, packets arrive at the VM and no answer leaves",
		Inject: run("ovs-ofctl add-flow br-ex priority=1000,ip,nw_src=ADDR,actions=drop"),
		Heal:   run("ovs-ofctl del-flows --strict br-ex priority=1000,ip,nw_src=ADDR"), Command: "explain ADDR",
		Code: "foreign-flow", Says: "takes answers of ADDR before ours does",
		Remedy: "ovs-ofctl --strict del-flows br-ex table=0,priority=1000,ip,nw_src=ADDR",
	},
	{
		Name: "tap-down", Symptom: "ADVERTISED, and the VM does not answer",
		Inject: run("ip link set TAP down"), Heal: run("ip link set TAP up"), Command: "explain ADDR",
		Code: "port-link-down", Says: "interface TAP of port PORT is down", Remedy: "ip link set TAP up",
	},
	{
		Name: "default-route-lost", Symptom: "ADVERTISED, reachable from the top of rack only",
		Inject: func(ctx context.Context, w World) error {
			return w.Chassis.DeleteRoute(netip.MustParsePrefix("0.0.0.0/0"), w.Chassis.TorAddr4)
		},
		Heal: func(ctx context.Context, w World) error {
			return w.Chassis.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), w.Chassis.TorAddr4)
		},
		Command: "explain ADDR", Code: "no-way-back", Says: "there is no default route",
		Remedy: "ip route add default via NEXTHOP",
	},
}

// healUplink brings the uplink up. What the kernel took along with it comes back with it but
// for IPv6 addresses and default routes.
func healUplink(ctx context.Context, w World) error {
	c := w.Chassis
	for _, line := range []string{
		"ip link set fabric0 up", "ip -6 addr replace " + c.Addr6.String() + "/127 dev fabric0 nodad",
		"ip route replace default via " + c.TorAddr4.String(), "ip -6 route replace default via " + c.TorAddr6.String(),
	} {
		if err := run(line)(ctx, w); err != nil {
			return err
		}
	}
	return nil
}
