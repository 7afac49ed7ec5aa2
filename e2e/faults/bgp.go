package faults

import (
	"context"
	"errors"
	"strings"
)

// torBGP configures BGP of the top of rack: lines with NODE4 and NODE6 in them.
func torBGP(lines ...string) Step {
	return func(ctx context.Context, w World) error {
		all := []string{"router bgp 65000"}
		for _, line := range lines {
			all = append(all, w.Expand(line))
		}
		return w.Lab.Tor.Configure(ctx, all...)
	}
}

// reset has the top of rack begin the sessions with the node anew.
func reset(ctx context.Context, w World) error {
	_, err := w.Lab.Tor.Vtysh(ctx, w.Expand("clear bgp NODE4"), w.Expand("clear bgp NODE6"))
	return err
}

// The two ends of a session between the node and the top of rack that only looks.
const lookingNode, lookingTor = "198.18.9.1", "198.18.9.0"

// looking has the top of rack show the node what it has, on a session of its own.
func looking(ctx context.Context, w World) error {
	if _, err := w.Lab.Tor.Run(ctx, "ip", "addr", "add", lookingTor+"/31", "dev", w.Chassis.Name); err != nil {
		return err
	}
	return steps(run("ip addr add "+lookingNode+"/31 dev fabric0"),
		torBGP("neighbor "+lookingNode+" remote-as 64999", "neighbor "+lookingNode+" passive",
			"address-family ipv4 unicast", "neighbor "+lookingNode+" activate"),
		configure("  verify: {hold: 5, points: [{address: "+lookingTor+", as: 65000}]}"))(ctx, w)
}

// notLooking ends that.
func notLooking(ctx context.Context, w World) error {
	_, err := w.Lab.Tor.Run(ctx, "ip", "addr", "del", lookingTor+"/31", "dev", w.Chassis.Name)
	return errors.Join(err, steps(torBGP("no neighbor "+lookingNode+" remote-as 64999"),
		run("ip addr del "+lookingNode+"/31 dev fabric0"))(ctx, w))
}

// filtered has the top of rack refuse the guest's address, which it announces to it on two
// sessions.
func filtered(ctx context.Context, w World) error {
	if err := w.Lab.Tor.Configure(ctx, w.Expand("ip prefix-list HIDE seq 5 deny ADDR/32"),
		"ip prefix-list HIDE seq 10 permit any"); err != nil {
		return err
	}
	return torBGP("address-family ipv4 unicast", "neighbor NODE4 prefix-list HIDE in",
		"neighbor NODE6 prefix-list HIDE in")(ctx, w)
}

// unfiltered has it take the address again.
func unfiltered(ctx context.Context, w World) error {
	err := torBGP("address-family ipv4 unicast", "no neighbor NODE4 prefix-list HIDE in",
		"no neighbor NODE6 prefix-list HIDE in")(ctx, w)
	return errors.Join(err, w.Lab.Tor.Configure(ctx, "no ip prefix-list HIDE"))
}

// stale is an address that nobody has.
const stale = "203.0.113.99/32"

// kept has the top of rack hold an address as if the node had announced it and not taken it
// back: with the next hop and the AS of the node.
func kept(ctx context.Context, w World) error {
	if err := w.Lab.Tor.Configure(ctx, "route-map KEPT permit 10", "set as-path prepend 64999",
		w.Expand("set ip next-hop NODE4")); err != nil {
		return err
	}
	return torBGP("address-family ipv4 unicast", "neighbor "+lookingNode+" attribute-unchanged next-hop",
		"network "+stale+" route-map KEPT")(ctx, w)
}

// notKept takes that away again.
func notKept(ctx context.Context, w World) error {
	err := torBGP("address-family ipv4 unicast", "no network "+stale)(ctx, w)
	return errors.Join(err, w.Lab.Tor.Configure(ctx, "no route-map KEPT"))
}

// sessions are faults of the sessions with the peers, and of what is on them.
var sessions = []Fault{
	{
		Name: "wrong-as", Symptom: "a session does not come up",
		Inject: func(ctx context.Context, w World) error {
			if err := w.Agent.Edit(func(text string) string {
				return strings.ReplaceAll(text, "as: 65000", "as: 65009")
			}); err != nil {
				return err
			}
			return reload(ctx, w)
		},
		Heal: configure(), Command: "status", Code: "peer-down", Says: "bad peer as",
		Remedy: "compare bgp.as and the peer's as",
		Effect: Some,
	},
	{
		Name: "wrong-password", Symptom: "a session does not come up",
		Inject: torBGP("neighbor NODE4 password other"), Heal: steps(torBGP("no neighbor NODE4 password other"), reset),
		Command: "status", Code: "peer-down", Says: "TCP MD5", Remedy: "compare the passwords of both ends",
		Effect: Some,
	},
	{
		Name: "peer-stopped", Symptom: "a session does not come up",
		Inject: torBGP("neighbor NODE4 shutdown message maintenance"), Heal: torBGP("no neighbor NODE4 shutdown"),
		Command: "status", Code: "peer-down", Says: "maintenance", Remedy: "ask the operator of the neighbour",
		Effect: Some,
	},
	{
		Name: "peer-unreachable", Symptom: "a session does not come up",
		Inject: run("ip addr del NODE4/31 dev fabric0"),
		Heal:   run("ip addr add NODE4/31 dev fabric0", "ip route replace default via PEER4"), Command: "status",
		Code: "peer-down", Says: "unreachable", Remedy: "ip route get", Effect: Some,
	},
	{
		Name: "port-filtered", Symptom: "a session is lost and does not come back",
		Inject: run("nft add table ip host", "nft add chain ip host in { type filter hook input priority 0 ; }",
			"nft add rule ip host in iifname fabric0 tcp sport 179 drop",
			"nft add rule ip host in iifname fabric0 tcp dport 179 drop"),
		Heal: run("nft delete table ip host"), Command: "status", Code: "peer-down", Says: "hold",
		Remedy: "tcpdump -ni any tcp port 179", Effect: Some,
	},
	{
		Name: "neighbour-limit", Symptom: "the neighbour has closed the session",
		Inject: torBGP("address-family ipv4 unicast", "neighbor NODE4 maximum-prefix 1"),
		Heal:   steps(torBGP("address-family ipv4 unicast", "no neighbor NODE4 maximum-prefix"), reset), Command: "status",
		Code: "peer-down", Says: "prefixes", Remedy: "raise prefix_limit here or the neighbour's maximum-prefix",
		Effect: Some,
	},
	{
		Name: "learned-limit", Symptom: "a route of the fabric is missing on the node",
		Inject: steps(configure("learn: {accept: [\"203.0.113.0/24 le 32\"], max: 1}"), torBGP("address-family ipv4 unicast",
			"network 203.0.113.7/32", "network 203.0.113.8/32")),
		Heal: steps(torBGP("address-family ipv4 unicast", "no network 203.0.113.7/32", "no network 203.0.113.8/32"),
			configure()),
		Command: "explain 203.0.113.8", Code: "learn", Says: "learn.max is 1", Remedy: "learn.max", Effect: Lossless,
	},
	{
		Name: "neighbour-filter", Symptom: "ADVERTISED, and the neighbour drops it; with a looking point",
		Inject: steps(looking, filtered), Heal: steps(unfiltered, configure(), notLooking), Command: "status",
		Code: "not-seen-outside", Says: "its policy for what we announce", Remedy: "bgp-ovn verify ADDR",
		Effect: Lost,
	},
	{
		Name:    "stale-outside",
		Symptom: "traffic comes for an address that is not on the node any more, and is dropped; with a looking point",
		Inject:  steps(looking, kept), Heal: steps(notKept, configure(), notLooking), Command: "status",
		Code: "stale-outside", Says: "holds it from this node, which does not send it: next hop NODE4",
		Remedy: "have the neighbour that holds it ask for everything again (route refresh), or end its session",
		Effect: Lossless,
	},
	{
		Name: "export-denied", Symptom: "NOT ADVERTISED",
		Inject: configure("  export: {deny: [\"ADDR/32\"]}"), Heal: configure(), Command: "explain ADDR",
		Code: "filtered-by-policy", Says: "bgp.export", Remedy: "change bgp.export in the configuration, then bgp-ovn reload",
		Effect: Some,
	},
	{
		Name: "speaker-killed", Symptom: "all sessions are lost at once, and the controller runs",
		Inject: toSpeaker, Heal: fromSpeaker, Command: "status", Code: "speaker",
		Says: "the speaker does not answer", Remedy: "systemctl status bgp-ovn-speaker", Effect: Some,
	},
}
