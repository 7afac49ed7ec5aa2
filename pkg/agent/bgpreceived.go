package agent

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// Received is a page of what neighbours send; with rejected of what is not used of it.
func (n *Node) Received(ctx context.Context, q control.RouteQuery, rejected bool) (control.BGPReceived, error) {
	out := control.BGPReceived{Version: control.Version, Reasons: []control.ReasonCount{}}
	after, err := parsePosition(q.After)
	if err != nil {
		return out, err
	}
	ours, err := n.speaker.Announcements(ctx, "")
	if err != nil {
		return out, err
	}
	r, _ := n.ctl.Last()
	j := newJudge(r, n.learned.Takes, ours.Paths)
	page := pager[control.ReceivedPath]{limit: q.Limit, after: after}
	counts := map[string]int{}
	err = n.table.Received(ctx, q.Peer, q.Within, func(p *rib.ReceivedPath) {
		reason, text := j.judge(p)
		if reason != "" {
			counts[reason]++
		}
		if rejected && (reason == "" || reason == control.UnusedNotBest) {
			return
		}
		at := position{family: p.Family, prefix: p.Prefix, peer: p.Peer, id: p.ID}
		if !at.prefix.IsValid() {
			at.nlri = p.NLRI
		}
		page.add(at, func() control.ReceivedPath { return receivedPathOf(p, reason, text) })
	})
	if err != nil {
		return out, err
	}
	out.Reasons = reasonsOf(counts)
	out.Total = page.total
	out.Paths, out.Next = page.page()
	return out, nil
}

func receivedPathOf(p *rib.ReceivedPath, reason, text string) control.ReceivedPath {
	out := control.ReceivedPath{
		Peer: p.Peer, Family: p.Family, NLRI: p.NLRI, PathID: p.ID, NextHop: addrText(p.NextHop), ASPath: p.ASPath,
		Origin: p.Origin, MED: numberOf(p.MED), LocalPref: numberOf(p.LocalPref),
		Communities:      append([]string{}, p.Communities...),
		LargeCommunities: append([]string{}, p.LargeCommunities...),
		Since:            p.Since, Stale: p.Stale, Used: reason == "", Reason: reason, Text: text,
	}
	return out
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func numberOf(m object.Metric) *uint32 {
	if !m.Set {
		return nil
	}
	return &m.Value
}

// judge says of paths of neighbours why they are not used.
type judge struct {
	takes   func(netip.Prefix) bool
	ours    object.Set
	learned *observe.Learned
	// blocks are why the route of a prefix does not exist, skips why its next hops cannot
	// be used.
	blocks map[netip.Prefix]object.Block
	skips  map[string]string
}

// learnedTable is what the fabric driver calls the speaker's table in skips.
const learnedTable = "Learned"

func newJudge(r reconcile.Round, takes func(netip.Prefix) bool, ours object.Set) *judge {
	j := &judge{
		takes: takes, ours: ours, learned: r.Snapshot.Learned,
		blocks: map[netip.Prefix]object.Block{}, skips: map[string]string{},
	}
	if j.learned == nil {
		j.learned = &observe.Learned{}
	}
	for _, note := range r.Plan.Notes {
		if note.Key.Kind == object.KindRoute && note.Key.Num == object.TableMain {
			j.blocks[note.Key.Prefix] = note.Block
		}
	}
	for _, s := range r.Skipped {
		if s.Table == learnedTable {
			j.skips[s.Row] = s.Text
		}
	}
	return j
}

// judge returns the code and the words; no code says that the path is used.
func (j *judge) judge(p *rib.ReceivedPath) (code, text string) {
	switch {
	case p.Loop:
		return control.UnusedLoop, "our own AS is in its AS_PATH"
	case p.NoNextHop:
		return control.UnusedNextHop, "the speaker cannot use its next hop"
	case p.Family == object.L2VPNEVPN:
		return j.evpn(p)
	case j.ours.Has(object.NewPath(p.Prefix, 0).Key()):
		return control.UnusedOurs, "this node announces the prefix itself"
	case !j.takes(p.Prefix):
		if observe.Martian(p.Prefix.Addr()) && p.Prefix.Bits() > 0 {
			return control.UnusedMartian, "valid on no network"
		}
		return control.UnusedNotAccepted, "learn.accept does not have it"
	case !j.isBest(p):
		return control.UnusedNotBest, "another path for the prefix is better"
	}
	if text, bad := j.skips[p.Prefix.String()]; bad && !j.blocked(p.Prefix) {
		return control.UnusedNextHop, text
	}
	if b, blocked := j.blocks[p.Prefix]; blocked {
		if b.Code == object.BlockProtected {
			return control.UnusedProtected, b.Text
		}
		return control.UnusedBlocked, b.Code + ": " + b.Text
	}
	return "", ""
}

func (j *judge) blocked(p netip.Prefix) bool { _, ok := j.blocks[p]; return ok }

// isBest looks the path up among the best ones, which are sorted by prefix.
func (j *judge) isBest(p *rib.ReceivedPath) bool {
	i, _ := slices.BinarySearchFunc(j.learned.Paths, p.Prefix, func(l observe.LearnedPath, want netip.Prefix) int {
		return cmp.Or(l.Prefix.Addr().Compare(want.Addr()), cmp.Compare(l.Prefix.Bits(), want.Bits()))
	})
	for ; i < len(j.learned.Paths) && j.learned.Paths[i].Prefix == p.Prefix; i++ {
		l := j.learned.Paths[i]
		if l.Peer == p.Peer && (l.NextHop == p.NextHop || l.LinkLocal == p.NextHop) {
			return true
		}
	}
	return false
}

// evpn is about next hops alone: what is imported is shown by bgp-ovn evpn.
func (j *judge) evpn(p *rib.ReceivedPath) (code, text string) {
	if _, without := slices.BinarySearchFunc(j.learned.NoRoute, p.NextHop, netip.Addr.Compare); without {
		return control.UnusedNextHop, "no route of this node leads to " + p.NextHop.String()
	}
	return "", ""
}
