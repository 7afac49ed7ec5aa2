package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/unixctl"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// ovnRunDir is where OVN's daemons have their control sockets (ovn-appctl(8)).
const ovnRunDir = "/var/run/ovn"

// The daemons that are asked whether they answer.
const (
	daemonSwitch     = "ovs-vswitchd"
	daemonController = "ovn-controller"
)

// watchDaemons begins to ask the daemons beside us.
func (n *Node) watchDaemons(ctx context.Context) {
	switchDir := cmp.Or(n.settings.OpenVSwitch.RunDir, os.Getenv("OVS_RUNDIR"), openflow.DefaultRunDir)
	n.daemons = []*unixctl.Daemon{
		unixctl.Watch(ctx, daemonSwitch, switchDir, n.opts.Log),
		unixctl.Watch(ctx, daemonController, cmp.Or(os.Getenv("OVN_RUNDIR"), ovnRunDir), n.opts.Log),
	}
}

// daemons tells which daemons hang. Everything goes on: what they have set up still
// forwards where the kernel does so.
func (s *statusReport) daemons(daemons []*unixctl.Daemon) {
	for _, d := range daemons {
		s.hung(d.Name, d.Hung(), d.Dir)
	}
}

func (s *statusReport) hung(name string, since time.Time, dir string) {
	if since.IsZero() {
		return
	}
	text := fmt.Sprintf("%s does not answer on its control socket in %s", name, dir)
	var f *problem.Finding
	switch name {
	case daemonSwitch:
		f = s.problem("vswitchd-hung", text+": no flow changes on this node, and its userspace datapath forwards nothing",
			"look at its log; systemctl restart ovs-vswitchd")
	case daemonController:
		f = s.problem("ovn-controller-hung", text+": OVN follows no change on this node",
			"look at its log; systemctl restart ovn-controller")
	default:
		return
	}
	f.Object, f.Since = problem.Object{Kind: problem.KindDaemon, Name: name}, since
}

// wiring tells of ports and mappings that OVN cannot wire.
func (s *statusReport) wiring(snap observe.Snapshot) {
	const try = "ovs-vsctl get Open_vSwitch . external_ids:ovn-bridge-mappings"
	for _, n := range snap.UnmappedNetworks() {
		f := s.problem("unmapped-network", fmt.Sprintf(
			"physical network %s has %d ports on this node and no bridge mapping: they are neither reached nor announced; "+
				"the first: %s", n.Network, len(n.Ports), n.Ports[0]),
			try+"; it should have "+n.Network+":BRIDGE")
		f.Object = problem.Object{Kind: problem.KindNetwork, Name: n.Network}
	}
	for _, m := range snap.MissingBridges() {
		f := s.problem("bridge-missing", fmt.Sprintf(
			"external_ids:ovn-bridge-mappings has %s:%s, and Open vSwitch has no bridge %s",
			m.Network, m.Bridge, m.Bridge), "ovs-vsctl list-br; ovs-vsctl add-br "+m.Bridge+", or correct the mapping")
		f.Object = problem.Object{Kind: problem.KindBridge, Name: m.Bridge}
	}
}

// scope tells what of the Southbound database is read, and if that is more than was asked for.
func (s *statusReport) scope(local bool, sb *observe.Southbound) {
	i := slices.IndexFunc(s.Sources, func(src control.Source) bool { return src.Name == "OVN_Southbound" })
	if sb == nil || i < 0 {
		return
	}
	if sb.Asked != nil {
		s.Sources[i].Scope = "local"
		return
	}
	s.Sources[i].Scope = "all"
	if local {
		f := s.problem("southbound-all", "ovn_sb_scope is local, and this node reads all ports: it would need too many "+
			"conditions, or the server refuses them; it works, and costs what ovn_sb_scope: all costs",
			"journalctl -u bgp-ovn --grep ovn_sb_scope says which; ovn_sb_scope: all if it is to stay so")
		f.Object = problem.Object{Kind: problem.KindDatabase, Name: "OVN_Southbound"}
	}
}

// chassis tells that the Southbound database does not have this node: nothing that is
// bound here can be known.
func (s *statusReport) chassis(snap observe.Snapshot) {
	if snap.SB == nil || snap.Chassis == "" {
		return
	}
	if _, ok := snap.SB.ChassisByName(snap.Chassis); ok {
		return
	}
	f := s.problem("chassis-missing", fmt.Sprintf("the Southbound database has no Chassis row named %q: ovn-controller "+
		"of this node has ended or is not registered, or the database is not the right one", snap.Chassis),
		"systemctl status ovn-controller; ovs-vsctl get Open_vSwitch . external_ids:system-id")
	f.Object = problem.Object{Kind: problem.KindDaemon, Name: daemonController}
}

// remedyOf says where to look when backends cannot be read.
func remedyOf(err error) string {
	var tries []string
	for _, e := range readErrors(err) {
		switch e.Backend {
		case "bgp":
			tries = append(tries, "is bgp-ovn speaker running, and is bgp.speaker right? systemctl status bgp-ovn-speaker")
		case "ovs":
			if errors.Is(e, exec.ErrNotFound) {
				tries = append(tries, "apt install openvswitch-switch, or what your distribution calls it;")
				continue
			}
			tries = append(tries, "is ovs-vswitchd running?")
		case "ovsport":
			tries = append(tries, "is ovsdb-server running?")
		}
	}
	return strings.Join(append(tries, "look at the log"), " ")
}

// readErrors are those of each backend that is in an error.
func readErrors(err error) []*actual.ReadError {
	var out []*actual.ReadError
	var one *actual.ReadError
	if many, ok := err.(interface{ WrappedErrors() []error }); ok {
		for _, e := range many.WrappedErrors() {
			out = append(out, readErrors(e)...)
		}
		return out
	}
	if errors.As(err, &one) {
		out = append(out, one)
	}
	return out
}

// downText is why a session is not up, and whether the neighbour may have our routes.
func downText(p bgp.PeerState, restart time.Duration, now time.Time) string {
	text := p.LastError
	if text == "" {
		text = "the reason is in the log of the speaker"
	}
	switch {
	case p.Ours.Kept == bgp.KeptPossibly:
		return fmt.Sprintf("%s; the neighbour may keep our routes until %s", text, clock(p.Ours.Until.Local()))
	case p.Ours.Kept == bgp.KeptNo && p.Flaps > 0:
		return text + "; the neighbour has no routes of ours any more: " + p.Ours.Reason
	}
	return text + forgotten(p, restart, now)
}

// peerRemedy is what to do about a session that is not up.
func peerRemedy(p bgp.PeerState) string {
	if p.Fault == "" {
		return "bgp-ovn bgp peer " + p.Address
	}
	_, remedy := bgp.Advice(p.Fault)
	return remedy
}

// forgotten says of a session that is down for longer than our restart time that the
// neighbour has no routes of ours any more, whatever it kept at first (RFC 4724).
func forgotten(p bgp.PeerState, restart time.Duration, now time.Time) string {
	if p.Flaps == 0 || p.Since.IsZero() || now.Sub(p.Since) <= restart {
		return ""
	}
	return fmt.Sprintf("; the neighbour has no routes of ours any more: that is longer than restart_time (%s)", restart)
}
