package faults

import (
	"context"
	"errors"
)

// wrongRemote is where no database is.
const wrongRemote = "tcp:172.31.0.99:6642"

// openVirtualNetwork are faults of OVN and Open vSwitch: their databases, their daemons, and
// what is configured for them.
var openVirtualNetwork = []Fault{
	{
		Name: "remote-changed", Symptom: "what changes in OVN is not followed any more",
		Inject:  run("ovs-vsctl set Open_vSwitch . external_ids:ovn-remote=" + wrongRemote),
		Heal:    toRightRemote,
		Command: "status", Code: "southbound-down", Says: "the Southbound database is not in step",
		Remedy: "ovs-vsctl get Open_vSwitch . external_ids:ovn-remote", Effect: Lossless,
	},
	{
		Name: "remote-wrong-at-start", Symptom: "after a start nothing new is announced",
		Inject: func(ctx context.Context, w World) error {
			return errors.Join(w.Agent.Stop(ctx),
				run("ovs-vsctl set Open_vSwitch . external_ids:ovn-remote="+wrongRemote)(ctx, w),
				w.Agent.Start(ctx))
		},
		Heal: toRightRemote, Command: "status", Code: "southbound-down", Says: wrongRemote,
		Remedy: "ovs-vsctl get Open_vSwitch . external_ids:ovn-remote", Effect: Some,
	},
	{
		Name: "southbound-killed", Symptom: "what changes in OVN is not followed any more",
		Inject:  func(_ context.Context, w World) error { return w.Lab.Central.Southbound.Kill() },
		Heal:    func(ctx context.Context, w World) error { return w.Lab.Central.Southbound.Start(ctx) },
		Command: "status", Code: "southbound-down", Says: "connection refused",
		Remedy: "ovs-vsctl get Open_vSwitch . external_ids:ovn-remote", Effect: Lossless,
	},
	{
		Name: "southbound-silent", Symptom: "an address has moved, and both nodes announce it",
		Inject: run("nft add table ip mgmt", "nft add chain ip mgmt in { type filter hook input priority 0 ; }",
			"nft add rule ip mgmt in iifname mgmt0 tcp sport 6642 drop"),
		Heal: run("nft delete table ip mgmt"), Command: "status", Code: "southbound-down",
		Says: "no answer from the server", Remedy: "ovs-vsctl get Open_vSwitch . external_ids:ovn-remote", Effect: Lossless,
	},
	{
		Name: "chassis-gone", Symptom: "nothing new is announced, and nothing is withdrawn",
		Inject:  func(ctx context.Context, w World) error { return w.Chassis.StopController(ctx) },
		Heal:    func(ctx context.Context, w World) error { return w.Chassis.StartController(ctx) },
		Command: "status", Code: "chassis-missing", Says: "has no Chassis row",
		Remedy: "systemctl status ovn-controller", Effect: Some,
	},
	{
		Name: "bridge-not-there", Symptom: "all addresses of a physical network are withdrawn",
		Inject:  run("ovs-vsctl set Open_vSwitch . external_ids:ovn-bridge-mappings=PHYSNET:br-nope"),
		Heal:    toRightMapping,
		Command: "status", Code: "bridge-missing", Says: "Open vSwitch has no bridge br-nope",
		Remedy: "ovs-vsctl list-br; ovs-vsctl add-br br-nope, or correct the mapping", Effect: Some,
	},
	{
		Name: "physical-network-mistyped", Symptom: "addresses of a physical network are not announced",
		Inject:  run("ovs-vsctl set Open_vSwitch . external_ids:ovn-bridge-mappings=phisnet1:br-ex"),
		Heal:    toRightMapping,
		Command: "status", Code: "unmapped-network", Says: "physical network PHYSNET has",
		Remedy: "ovs-vsctl get Open_vSwitch . external_ids:ovn-bridge-mappings; it should have PHYSNET:BRIDGE", Effect: Some,
	},
	{
		Name: "bridge-deleted", Symptom: "all addresses of a physical network are withdrawn",
		Inject: run("ovs-vsctl del-br br-ex"),
		Heal:   func(ctx context.Context, w World) error { return w.Chassis.AddBridge(ctx, "br-ex") }, Command: "status",
		Code: "bridge-missing", Says: "Open vSwitch has no bridge br-ex", Remedy: "ovs-vsctl add-br br-ex",
	},
	{
		Name: "mass-withdrawal", Symptom: "many rows of OVN vanish at once",
		Inject: steps(configure("fuse: {least: 1, share: 0.01}"), nbctl("lsp-set-addresses", "PORT", "MAC")),
		Heal:   steps(nbctl("lsp-set-addresses", "PORT", "MAC ADDR ADDR6"), configure()), Command: "status",
		Code: "frozen", Says: "fuse", Remedy: "bgp-ovn plan", Effect: Some,
	},
	{
		Name: "ovn-controller-hung", Symptom: "new VMs on this node get no network",
		Inject: func(_ context.Context, w World) error { return w.Chassis.Controller.Freeze() },
		// It goes on hanging for the next fault: each time it takes ten seconds to be sure.
		Heal: nothing, Remembered: true, Command: "status",
		Code: "ovn-controller-hung", Says: "ovn-controller does not answer on its control socket",
		Remedy: "systemctl restart ovn-controller", Effect: Lossless,
	},
	{
		Name: "patch-port-gone", Symptom: "an address is withdrawn, and OVN does not mend its ports",
		Inject: steps(func(_ context.Context, w World) error { return w.Chassis.Controller.Freeze() },
			run("ovs-vsctl del-port br-ex PATCH")),
		Heal: func(_ context.Context, w World) error { return w.Chassis.Controller.Thaw() }, Command: "status",
		Code: "ovn-controller-hung", Says: "ovn-controller does not answer on its control socket",
		Remedy: "systemctl restart ovn-controller",
	},
	{
		Name: "port-unbound", Symptom: "NOT ADVERTISED, although the VM runs",
		Inject:  run("ovs-vsctl remove Interface TAP external_ids iface-id"),
		Heal:    run("ovs-vsctl set Interface TAP external_ids:iface-id=PORT"),
		Command: "explain ADDR", Code: "unbound", Says: "PORT",
		Remedy: "ovs-vsctl find Interface external_ids:iface-id=PORT", Effect: Some,
	},
	{
		Name: "on-another-node", Symptom: "NOT ADVERTISED by this node",
		Inject: nothing, Heal: nothing, Command: "explain ELSEWHERE", Code: "not-owner", Says: "OTHERNODE",
		Remedy: "announced by:", Effect: Lossless,
	},
	{
		Name: "vswitchd-hung", Symptom: "ADVERTISED, and no packet arrives",
		Inject: func(_ context.Context, w World) error { return w.Chassis.Vswitchd.Freeze() },
		Heal:   func(_ context.Context, w World) error { return w.Chassis.Vswitchd.Thaw() }, Command: "status",
		Code: "vswitchd-hung", Says: "ovs-vswitchd does not answer", Remedy: "systemctl restart ovs-vswitchd",
	},
	{
		Name: "ovsdb-server-hung", Symptom: "ovs-vsctl hangs",
		Inject: func(_ context.Context, w World) error { return w.Chassis.OVSDB.Freeze() },
		Heal:   func(_ context.Context, w World) error { return w.Chassis.OVSDB.Thaw() }, Command: "status",
		Code: "ovsdb-down", Says: "Open_vSwitch database", Remedy: "systemctl restart ovsdb-server", Effect: Lossless,
	},
}

// nothing is a step that does nothing: the lab has the fault already.
func nothing(context.Context, World) error { return nil }

// toRightRemote puts the remote of the Southbound database back.
func toRightRemote(ctx context.Context, w World) error {
	return run("ovs-vsctl set Open_vSwitch . external_ids:ovn-remote="+w.Lab.Central.SBRemote())(ctx, w)
}

// toRightMapping puts the bridge mappings back.
func toRightMapping(ctx context.Context, w World) error {
	return run("ovs-vsctl set Open_vSwitch . external_ids:ovn-bridge-mappings="+w.Chassis.Bridges)(ctx, w)
}

// nbctl changes the Northbound database; each word may have spaces in it.
func nbctl(words ...string) Step {
	return func(ctx context.Context, w World) error {
		expanded := make([]string, len(words))
		for i, word := range words {
			expanded[i] = w.Expand(word)
		}
		_, err := w.Lab.Central.Nbctl(ctx, expanded...)
		return err
	}
}
