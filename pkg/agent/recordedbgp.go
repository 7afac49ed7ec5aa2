package agent

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// BGPPeers is the recorded answer, or the part of it about one peer.
func (r *Recorded) BGPPeers(_ context.Context, address string) (control.BGPPeers, error) {
	all, err := recorded[control.BGPPeers](r, control.PartPeers)
	if err != nil || address == "" {
		return all, err
	}
	out := control.BGPPeers{Version: all.Version, Peers: []control.BGPPeer{}, Held: []control.Quarantine{}}
	for _, p := range all.Peers {
		if isPeer(p.Address, address) {
			out.Peers = append(out.Peers, p)
		}
	}
	for _, q := range all.Held {
		if isPeer(q.Peer, address) {
			out.Held = append(out.Held, q)
		}
	}
	if len(out.Peers)+len(out.Held) == 0 {
		return out, fmt.Errorf("peer %.80q is not in the support bundle", address)
	}
	return out, nil
}

// Advertised is a page of the recorded table.
func (r *Recorded) Advertised(_ context.Context, q control.RouteQuery) (control.BGPAdvertised, error) {
	out, err := recorded[control.BGPAdvertised](r, control.PartAdvertised)
	if err != nil {
		return out, err
	}
	after, err := parsePosition(q.After)
	if err != nil {
		return out, err
	}
	page := pager[control.AdvertisedPath]{limit: q.Limit, after: after}
	toOthers := func(s control.SentTo) bool { return q.Peer != "" && s.Peer != q.Peer }
	for _, p := range out.Paths {
		if p.Sent = slices.DeleteFunc(p.Sent, toOthers); len(p.Sent) == 0 {
			out.NotSent++
			continue
		}
		if at := recordedPosition(p.Family, p.NLRI); isWithin(q.Within, at.prefix) {
			page.add(at, func() control.AdvertisedPath { return p })
		}
	}
	out.Total = page.total
	out.Paths, out.Next = page.page()
	return out, nil
}

// Received is a page of the recorded table of what neighbours sent; with rejected of that
// of what was not used.
func (r *Recorded) Received(_ context.Context, q control.RouteQuery, rejected bool) (control.BGPReceived, error) {
	part := control.PartReceived
	if rejected {
		part = control.PartRejected
	}
	out, err := recorded[control.BGPReceived](r, part)
	if err != nil {
		return out, err
	}
	after, err := parsePosition(q.After)
	if err != nil {
		return out, err
	}
	page := pager[control.ReceivedPath]{limit: q.Limit, after: after}
	counts := map[string]int{}
	for _, p := range out.Paths {
		at := recordedPosition(p.Family, p.NLRI)
		if at.peer, at.id = p.Peer, p.PathID; q.Peer != "" && p.Peer != q.Peer || !isWithin(q.Within, at.prefix) {
			continue
		}
		if p.Reason != "" {
			counts[p.Reason]++
		}
		page.add(at, func() control.ReceivedPath { return p })
	}
	if q.Peer != "" || q.Within.IsValid() { // those that were recorded are of the whole table
		out.Reasons = reasonsOf(counts)
	}
	out.Total = page.total
	out.Paths, out.Next = page.page()
	return out, nil
}

// recordedPosition is where a path is in a table, but for its peer and identifier.
func recordedPosition(family object.Family, nlri string) position {
	at := position{family: family}
	if p, err := netip.ParsePrefix(nlri); err == nil && family != object.L2VPNEVPN {
		at.prefix = p
	} else {
		at.nlri = nlri
	}
	return at
}

// reasonsOf sorts counts of reasons, the most first.
func reasonsOf(counts map[string]int) []control.ReasonCount {
	out := []control.ReasonCount{}
	for reason, count := range counts {
		out = append(out, control.ReasonCount{Reason: reason, Count: count})
	}
	sorting.Sort(out, func(a, b control.ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}
