package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// BGPPeers tells of all sessions or, with an address, of one.
func (n *Node) BGPPeers(ctx context.Context, address string) (control.BGPPeers, error) {
	r, _ := n.ctl.Last()
	out := control.BGPPeers{
		Version: control.Version, Peers: []control.BGPPeer{}, Held: []control.Quarantine{},
	}
	for _, q := range n.quarantine.held(peerItems(r)) {
		if isPeer(q.Peer, address) {
			out.Held = append(out.Held, q)
		}
	}
	states, err := n.peers(ctx)
	if err != nil {
		return out, fmt.Errorf("the speaker does not answer: %w", err)
	}
	ours, err := n.speaker.Announcements(ctx, "")
	if err != nil {
		return out, err
	}
	now := time.Now()
	for _, s := range states {
		if isPeer(s.Address, address) {
			out.Peers = append(out.Peers, bgpPeerOf(s, ours.Paths, now, n.speaker.Conn().InProcess()))
		}
	}
	if address != "" && len(out.Peers)+len(out.Held) == 0 {
		return out, fmt.Errorf("peer %.80q is not in the speaker; bgp-ovn bgp peers lists those that are", address)
	}
	return out, nil
}

// isPeer reports whether a peer is the one that is asked for by address or by interface;
// nothing asks for all.
func isPeer(address, asked string) bool {
	return asked == "" || address == asked || object.PeerName(address) == asked
}

func bgpPeerOf(s bgp.PeerState, paths object.Set, now time.Time, inProcess bool) control.BGPPeer {
	p := control.BGPPeer{
		Peer: peerOf(s), Local: capabilities(s.Local), Remote: capabilities(s.Remote),
		OurRestartTime: float64(s.OurRestartTime), OurRoutes: keepingOf(s.Ours), TheirRoutes: keepingOf(s.Theirs),
		Counts: []control.BGPCounts{},
	}
	if !s.Since.IsZero() {
		d := max(now.Sub(s.Since).Seconds(), 0)
		if s.State == bgp.Established {
			p.Uptime = d
		} else {
			p.Downtime = d
		}
	}
	p.Fault, p.BFD = faultOf(s, inProcess), bfdOf(s.BFD)
	for _, f := range s.Families {
		ours := paths.LenOf(object.KindEVPN)
		if f.Family != object.L2VPNEVPN {
			ours = countOf(paths, f.Family)
		}
		p.Counts = append(p.Counts, control.BGPCounts{
			Family: f.Family, Negotiated: f.Negotiated, Sent: f.Sent, NotSent: uint64(ours) - min(f.Sent, uint64(ours)),
			Received: f.Received, Accepted: f.Accepted, Looped: f.Looped, PrefixLimit: f.PrefixLimit,
		})
	}
	return p
}

func countOf(paths object.Set, family object.Family) (n int) {
	for k := range paths.AllOf(object.KindPath) {
		if object.Family(k.Num) == family {
			n++
		}
	}
	return n
}

// faultOf says what is wrong with a session, with what it usually means. A speaker in
// another process tells only that a session is not up: why is in its own log.
func faultOf(s bgp.PeerState, inProcess bool) *control.BGPFault {
	down := s.State != bgp.Established
	if s.Fault == "" && s.LastError == "" {
		if !down || inProcess {
			return nil
		}
		return &control.BGPFault{
			Code: string(speaker.FaultOther), Current: true, Text: "the session is not up",
			Cause: "only the speaker process knows why", Remedy: "journalctl -u bgp-ovn-speaker",
		}
	}
	cause, remedy := bgp.Advice(s.Fault)
	return &control.BGPFault{
		Code: string(s.Fault), Current: down, Text: s.LastError, At: s.LastErrorAt, Cause: cause, Remedy: remedy,
	}
}

// bfdOf is how the way to the neighbour is watched; nil if it is not.
func bfdOf(b speaker.BFD) *control.BGPBFD {
	if !b.On {
		return nil
	}
	out := &control.BGPBFD{
		State: b.State.String(), Remote: b.Remote.String(), IntervalMS: b.Interval, Multiplier: b.Multiplier,
		Multihop: b.Multihop, Failures: b.Failures, LastFailure: b.Failed, Diagnostic: b.Diag.String(),
		Sent: b.Sent, Received: b.Received, Error: b.Trouble,
	}
	if !b.Runs {
		out.State, out.Remote = bfdUnavailable, bfdUnavailable
	}
	return out
}

// bfdUnavailable is the state of BFD where the speaker is none of ours.
const bfdUnavailable = "unavailable"

func capabilities(list []bgp.Capability) []control.BGPCapability {
	out := []control.BGPCapability{}
	for _, c := range list {
		out = append(out, control.BGPCapability(c))
	}
	return out
}

func keepingOf(k bgp.Keeping) control.BGPKeeping {
	return control.BGPKeeping{Kept: string(k.Kept), Until: k.Until, Reason: k.Reason}
}

// Advertised is a page of what is sent to neighbours.
func (n *Node) Advertised(ctx context.Context, q control.RouteQuery) (control.BGPAdvertised, error) {
	out := control.BGPAdvertised{Version: control.Version}
	after, err := parsePosition(q.After)
	if err != nil {
		return out, err
	}
	ours, err := n.speaker.Announcements(ctx, q.Peer)
	if err != nil {
		return out, err
	}
	r, _ := n.ctl.Last()
	page := pager[control.AdvertisedPath]{limit: q.Limit, after: after}
	var sent []bgp.Sent
	for _, kind := range []object.Kind{object.KindPath, object.KindEVPN} {
		for k, it := range ours.Paths.AllOf(kind) {
			at := positionOf(k)
			if !isWithin(q.Within, at.prefix) {
				continue
			}
			if sent = ours.To(it.Value, sent[:0]); len(sent) == 0 {
				out.NotSent++
				continue
			}
			page.add(at, func() control.AdvertisedPath {
				wanted, _ := r.Want.Get(k)
				p, encoding := advertisedOf(at, it.Value, sent, wanted.Why)
				err = errors.Join(err, encoding)
				return p
			})
		}
	}
	out.Total = page.total
	out.Paths, out.Next = page.page()
	out.Names = map[string]string{}
	book := names.Of(r.Snapshot)
	for _, p := range out.Paths {
		for _, o := range p.Objects {
			book.Collect(out.Names, o.Row)
		}
	}
	return out, err
}

// positionOf is where a path of ours is in the table.
func positionOf(k object.Key) position {
	if k.Kind == object.KindEVPN {
		return position{family: object.L2VPNEVPN, nlri: k.String()}
	}
	return position{family: object.Family(k.Num), prefix: k.Prefix}
}

// isWithin is true of everything where nothing is asked for.
func isWithin(within, prefix netip.Prefix) bool {
	return !within.IsValid() || prefix.IsValid() && prefix.Bits() >= within.Bits() && within.Contains(prefix.Addr())
}

func advertisedOf(at position, v object.Value, sent []bgp.Sent, why []object.Source,
) (control.AdvertisedPath, error) {
	p := control.AdvertisedPath{
		Family: at.family, NLRI: at.nlri, Attributes: v.Attrs(), Sent: []control.SentTo{},
		Objects: append([]object.Source{}, why...),
	}
	if at.prefix.IsValid() {
		p.NLRI = at.prefix.String()
	}
	for _, s := range sent {
		p.Sent = append(p.Sent, control.SentTo{Peer: s.Peer, NextHop: s.NextHop.String()})
	}
	var err error
	p.Path, err = json.Marshal(v)
	return p, err
}
