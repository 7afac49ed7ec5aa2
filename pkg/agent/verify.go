package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// codeOutside is the problem that a looking point does not have what is announced.
const codeOutside = "not-seen-outside"

var errNoPoint = errors.New("no looking point is configured: set bgp.verify.points")

// Verify compares what is announced with what the looking points have.
func (n *Node) Verify(ctx context.Context, q control.RouteQuery, all bool) (control.Verify, error) {
	out := control.Verify{Version: control.Version, At: time.Now(), Points: n.outside.points()}
	if len(out.Points) == 0 {
		return out, errNoPoint
	}
	after, err := parsePosition(q.After)
	if err != nil {
		return out, err
	}
	a, err := n.speaker.Announcements(ctx, "")
	if err != nil {
		return out, err
	}
	var list []netip.Prefix
	for _, p := range prefixesOf(a.Paths) {
		if isWithin(q.Within, p) || q.Within.IsSingleIP() && p.Contains(q.Within.Addr()) {
			list = append(list, p)
		}
	}
	r, _ := n.ctl.Last()
	since := n.outside.since()
	page := pager[control.VerifiedPath]{limit: q.Limit, after: after}
	counts := map[verify.State]int{}
	n.outside.compare(a, list, func(p netip.Prefix, path object.Path, sent []bgp.Sent, results []verify.Result) {
		worst := verify.Worst(results)
		counts[worst.State]++
		if !all && worst.State == verify.Found {
			return
		}
		k := path.Key()
		page.add(positionOf(k), func() control.VerifiedPath {
			wanted, _ := r.Want.Get(k)
			v := control.VerifiedPath{
				NLRI: p.String(), State: worst.State, Sent: []control.SentTo{}, Results: results,
				Objects: append([]object.Source{}, wanted.Why...),
			}
			for _, s := range sent {
				v.Sent = append(v.Sent, control.SentTo{Peer: s.Peer, NextHop: s.NextHop.String()})
			}
			if worst.State.Lost() {
				v.Since = since[p]
			}
			return v
		})
	})
	out.Counts, out.Total = stateCounts(counts), page.total
	out.Paths, out.Next = page.page()
	out.Names = map[string]string{}
	book := names.Of(r.Snapshot)
	for _, p := range out.Paths {
		for _, o := range p.Objects {
			book.Collect(out.Names, o.Row)
		}
	}
	return out, nil
}

// stateCounts lists counts, those of the worst state first.
func stateCounts(counts map[verify.State]int) []control.StateCount {
	out := []control.StateCount{}
	for state, count := range counts {
		out = append(out, control.StateCount{State: state, Count: count})
	}
	sorting.Sort(out, func(a, b control.StateCount) int {
		if a.State.Worse(b.State) {
			return -1
		}
		return 1
	})
	return out
}

// since is when each lost prefix was seen to be lost.
func (o *outside) since() map[netip.Prefix]time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[netip.Prefix]time.Time, len(o.lost))
	for p, l := range o.lost {
		out[p] = l.since
	}
	return out
}

// report is what status says, and the log's line about it.
func (o *outside) report(now time.Time) control.Outside {
	out := control.Outside{Points: o.points(), Prefixes: []control.LostPrefix{}}
	o.mu.Lock()
	defer o.mu.Unlock()
	out.Counts = stateCounts(o.counts)
	for p, l := range o.lost {
		if now.Sub(l.since) >= o.want.Hold {
			out.Prefixes = append(out.Prefixes, control.LostPrefix{Prefix: p, Result: l.Result, Since: l.since})
		}
	}
	out.Lost = len(out.Prefixes)
	slices.SortFunc(out.Prefixes, func(a, b control.LostPrefix) int { return verify.ByPrefix(a.Prefix, b.Prefix) })
	out.Prefixes = out.Prefixes[:min(out.Lost, outsideListed)]
	switch {
	case out.Lost > 0 && !o.told:
		first := out.Prefixes[0]
		o.log.Warn("a looking point does not have what this node announces", "code", codeOutside, "prefixes", out.Lost,
			"first", first.Prefix, "why", first.Result.Text, "remedy", outsideTry(first.Prefix))
	case out.Lost == 0 && o.told:
		o.log.Info("the looking points have all that this node announces again", "code", codeOutside)
	}
	o.told = out.Lost > 0
	return out
}

// hold is how long a prefix may be missing.
func (o *outside) hold() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.want.Hold
}

// observe brings the metrics up to date.
func (o *outside) observe(now control.Outside) {
	up, states := map[string]bool{}, map[string]int{}
	for _, p := range now.Points {
		up[p.Address] = p.Established
	}
	for _, c := range now.Counts {
		states[string(c.State)] = c.Count
	}
	o.node.metrics.Verified(up, states)
}

// outsideTry shows where a prefix was lost, and what to look at then.
func outsideTry(p netip.Prefix) string {
	return "bgp-ovn verify " + textOf(p) + " ; then compare the neighbour's policy for what this node announces"
}

// textOf is an address for a prefix that is one.
func textOf(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// of is what has become of the longest prefix of ours that has the address, at the looking
// point where it is worst; nil if there is no looking point.
func (o *outside) of(ctx context.Context, addr netip.Addr, now time.Time) *reconcile.Outside {
	if len(o.points()) == 0 {
		return nil
	}
	a, err := o.node.speaker.Announcements(ctx, "")
	if err != nil {
		return nil
	}
	var best netip.Prefix
	for _, p := range prefixesOf(a.Paths) {
		if p.Contains(addr) && p.Bits() >= best.Bits() {
			best = p
		}
	}
	if !best.IsValid() {
		return nil
	}
	out := reconcile.Outside{}
	o.compare(a, []netip.Prefix{best}, func(_ netip.Prefix, _ object.Path, _ []bgp.Sent, results []verify.Result) {
		out.Result = verify.Worst(results)
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	if l, ok := o.lost[best]; ok && out.State.Lost() && now.Sub(l.since) >= o.want.Hold {
		out.Lost, out.Code, out.Since, out.Try = true, codeOutside, l.since.Format(time.RFC3339), outsideTry(best)
	}
	return &out
}

// outside tells of what looking points do not have, and of those that cannot be looked at.
func (s *statusReport) outside(found control.Outside, hold time.Duration, now time.Time) {
	s.Outside = found
	for _, p := range found.Points {
		if p.Established || now.Sub(p.Since) < hold {
			continue
		}
		f := s.problem("looking-point-down", fmt.Sprintf("looking point %s is not connected: %s", p.Address, p.Error),
			"compare bgp.verify.points with the configuration of the router; ping "+p.Address)
		f.Object, f.Since = problem.Object{Kind: problem.KindPeer, Name: p.Address}, p.Since
	}
	if found.Lost == 0 {
		return
	}
	first := found.Prefixes[0]
	f := s.problem("not-seen-outside", fmt.Sprintf("%s is announced and not seen outside: %s", textOf(first.Prefix),
		first.Result.Text), outsideTry(first.Prefix))
	f.Object, f.Since = problem.Object{Kind: problem.KindAddress, Name: first.Prefix.Addr().String()}, first.Since
	f.Count = found.Lost
}
