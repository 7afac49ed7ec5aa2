package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// peers tells of the sessions; behind has the device by which each peer is reached.
func (s *statusReport) peers(states []bgp.PeerState, err error, restart time.Duration, behind map[netip.Addr]string) {
	if err != nil {
		f := s.problem("speaker", "the speaker does not answer: "+err.Error(),
			"is bgp-ovn speaker running, and is bgp.speaker right? systemctl status bgp-ovn-speaker")
		f.Object = problem.Object{Kind: problem.KindDaemon, Name: "speaker"}
		return
	}
	if len(states)+len(s.Quarantined) == 0 {
		s.problem("no-peers", "no peer is configured: nothing is announced to anybody", "set bgp.peers")
	}
	var harm problem.Harm // that of the code while another session is up
	if !slices.ContainsFunc(states, func(p bgp.PeerState) bool { return p.State == control.Established }) {
		harm = problem.Down
	}
	for _, p := range states {
		s.Peers = append(s.Peers, peerOf(p))
		if p.State == control.Established {
			s.unwatched(p, time.Now())
			s.notExternal(p)
			continue
		}
		f := peerFinding(p, restart)
		f.Harm, f.Of = harm, len(states)
		if dev := behindOf(p.Address, behind); dev != "" {
			f.On = problem.Object{Kind: problem.KindDevice, Name: dev}
		}
		*s.problem("peer-down", f.Text, f.Try) = f
	}
}

// bfdGrace is how long a session may be up before BFD is.
const bfdGrace = 10 * time.Second

// unwatched finds a session that is up and that BFD does not watch although it is to.
func (s *statusReport) unwatched(p bgp.PeerState, now time.Time) {
	if !p.BFD.On || p.BFD.Runs && p.BFD.State == bfd.Up || now.Sub(p.Since) < bfdGrace {
		return
	}
	why := "the neighbour does not answer; is BFD on there?"
	switch {
	case !p.BFD.Runs:
		why = "the speaker is none of bgp-ovn and runs no BFD"
	case p.BFD.Trouble != "":
		why = p.BFD.Trouble
	case p.BFD.Remote == bfd.AdminDown:
		why = "the neighbour's operator has taken it down"
	}
	f := s.problem("bfd-not-up", fmt.Sprintf("BFD with peer %s is not up: %s", object.PeerName(p.Address), why),
		"until it is, a way that is lost is noticed by the hold time alone: bgp-ovn bgp peer "+object.PeerName(p.Address))
	f.Object = problem.Object{Kind: problem.KindPeer, Name: p.Address}
}

// notExternal finds a session with a neighbour that has our own AS although it is not to.
func (s *statusReport) notExternal(p bgp.PeerState) {
	if !p.NotExternal {
		return
	}
	f := s.problem("peer-not-external", fmt.Sprintf("peer %s has AS %d, which is ours, and is configured with "+
		"as: external: the session is an internal one", object.PeerName(p.Address), p.AS),
		"set as: internal for it in bgp.peers if that is meant, or give one of both another AS")
	f.Object = problem.Object{Kind: problem.KindPeer, Name: p.Address}
}

// peerFinding is what is wrong with a session that is not up.
func peerFinding(p bgp.PeerState, restart time.Duration) problem.Finding {
	text := fmt.Sprintf("peer %s is %s: %s", object.PeerName(p.Address), p.State, downText(p, restart, time.Now()))
	return problem.Finding{
		Code: "peer-down", Text: text, Try: peerRemedy(p), Since: p.Since, Like: string(p.Fault),
		Object: problem.Object{Kind: problem.KindPeer, Name: p.Address},
	}
}

// behindOf is the device by which a peer is reached; empty if it is not known.
func behindOf(address string, behind map[netip.Addr]string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	return behind[addr]
}

// uplinks tells of devices towards peers that are down.
func (s *statusReport) uplinks(host *observe.Host, behind map[netip.Addr]string) {
	if host == nil {
		return
	}
	for _, dev := range deviceNames(behind) {
		link, there := host.Link(dev)
		d := reach.Device{Name: dev, Missing: !there, Up: link.Up, Carrier: there && link.Up && !link.NoCarrier}
		if text, try := d.Fault(); text != "" {
			f := s.problem(reach.CodeUplinkDown, text, try)
			f.Object = problem.Object{Kind: problem.KindDevice, Name: dev}
			s.down = append(s.down, f.Object)
		}
	}
}

// reachability tells of the addresses that are not reachable.
func (s *statusReport) reachability(found control.Reach) {
	s.Reach = found
	var harm problem.Harm // that of the code while some addresses are reachable
	ofOne := func(u control.Unreachable) bool { return ofPort[u.Code] }
	if len(found.Unreachable) == found.Checked && !slices.ContainsFunc(found.Unreachable, ofOne) {
		harm = problem.Down
	}
	for _, u := range found.Unreachable {
		f := s.problem(u.Code, fmt.Sprintf("%s%s is announced and not reachable here: %s", u.Address, inVNI(u.VNI), u.Text),
			u.Try)
		f.Object = problem.Object{Kind: problem.KindAddress, Name: u.Address.String()}
		f.Since, f.Of, f.Harm, f.Like = u.Since, found.Checked, harm, u.Code
		switch {
		case u.Code == reach.CodeUplinkDown && len(s.down) > 0:
			f.On = s.down[0]
		case u.Code == reach.CodeSwitchSilent:
			f.On = problem.Object{Kind: problem.KindDaemon, Name: daemonSwitch}
		}
	}
}

// inVNI says in which VNI an address is; empty if it is in none.
func inVNI(vni uint32) string {
	if vni == 0 {
		return ""
	}
	return fmt.Sprintf(" in VNI %d", vni)
}

// ofPort are the reasons that are about the port of a VM, not about the node.
var ofPort = map[string]bool{
	reach.CodePortDown: true, reach.CodePortMissing: true, reach.CodeNeighbourFailed: true,
}
