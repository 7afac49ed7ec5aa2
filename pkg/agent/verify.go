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
	asked := func(k verify.NLRI) bool {
		return isWithin(q.Within, k.Prefix) || q.Within.IsSingleIP() && k.Prefix.Contains(q.Within.Addr())
	}
	list := slices.DeleteFunc(nlriOf(a.Paths), func(k verify.NLRI) bool { return !asked(k) })
	r, _ := n.ctl.Last()
	since := n.outside.since()
	page := pager[control.VerifiedPath]{limit: q.Limit, after: after}
	counts := map[verify.State]int{}
	n.outside.compare(a, list, func(k verify.NLRI, path object.Value, sent []bgp.Sent, results []verify.Result) {
		worst := verify.Worst(results)
		counts[worst.State]++
		if !all && worst.State == verify.Found {
			return
		}
		page.add(positionOf(k), func() control.VerifiedPath {
			wanted, _ := r.Want.Get(k)
			v := control.VerifiedPath{
				Family: familyOf(k), NLRI: verify.Text(k), State: worst.State, Sent: []control.SentTo{}, Results: results,
				Objects: append([]object.Source{}, wanted.Why...),
			}
			if e, ok := path.(object.EVPNPath); ok {
				v.VNI = e.VNI
			}
			for _, s := range sent {
				v.Sent = append(v.Sent, control.SentTo{Peer: s.Peer, NextHop: s.NextHop.String()})
			}
			v.Since = since[k]
			return v
		})
	})
	for _, e := range n.outside.extras(a) {
		if !asked(e.nlri) {
			continue
		}
		counts[verify.Extra]++
		page.add(positionOf(e.nlri), func() control.VerifiedPath {
			return control.VerifiedPath{
				Family: familyOf(e.nlri), NLRI: verify.Text(e.nlri), VNI: e.vni, State: verify.Extra, Sent: []control.SentTo{},
				Results: e.results, Objects: []object.Source{}, Since: since[e.nlri],
			}
		})
	}
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

// since is when each path was first seen to be lost, or to be held and not sent.
func (o *outside) since() map[verify.NLRI]time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[verify.NLRI]time.Time, len(o.lost)+len(o.extra))
	for _, m := range []map[verify.NLRI]loss{o.lost, o.extra} {
		for k, l := range m {
			out[k] = l.since
		}
	}
	return out
}

// report is what status says, and the log's line about it.
func (o *outside) report(now time.Time) control.Outside {
	out := control.Outside{Points: o.points(), Prefixes: []control.LostPrefix{}}
	o.mu.Lock()
	defer o.mu.Unlock()
	out.Counts = stateCounts(o.counts)
	out.Lost, out.Prefixes = longer(o.lost, o.want.Hold, now)
	out.ExtraPrefixes = []control.LostPrefix{}
	if o.down == 0 { // else a router may keep it on purpose
		out.Extra, out.ExtraPrefixes = longer(o.extra, o.want.Hold, now)
	}
	o.tellExtra(out)
	switch {
	case out.Lost > 0 && !o.told:
		first := out.Prefixes[0]
		o.log.Warn("a looking point does not have what this node announces", "code", codeOutside, "prefixes", out.Lost,
			"first", first.NLRI, "why", first.Result.Text, "remedy", outsideTry(first))
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

// outsideTry shows where a path was lost, and what to look at then.
func outsideTry(p control.LostPrefix) string {
	return "bgp-ovn verify " + targetOf(p) + "; then compare the neighbour's policy for what this node announces"
}

// targetOf is what verify is asked for; empty for a MAC alone.
func targetOf(p control.LostPrefix) string {
	if !p.Prefix.IsValid() {
		return ""
	}
	return textOf(p.Prefix) + " "
}

// lostText names a path that is lost.
func lostText(p control.LostPrefix) string {
	if p.Family == object.L2VPNEVPN {
		return "EVPN route " + p.NLRI
	}
	return textOf(p.Prefix)
}

// textOf is an address for a prefix that is one.
func textOf(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// of is what has become of the longest prefixes of ours that have the address, where it is
// worst; nil if there is no looking point. An address of a tenant is in several of EVPN.
func (o *outside) of(ctx context.Context, addr netip.Addr, now time.Time) *reconcile.Outside {
	if len(o.points()) == 0 {
		return nil
	}
	a, err := o.node.speaker.Announcements(ctx, "")
	if err != nil {
		return nil
	}
	var list []verify.NLRI
	longest := 0
	for _, k := range nlriOf(a.Paths) {
		if !k.Prefix.Contains(addr) || k.Kind == object.KindEVPN && k.Num == uint32(object.EVPNMulticast) {
			continue
		}
		if bits := k.Prefix.Bits(); bits > longest {
			list, longest = list[:0], bits
		}
		if k.Prefix.Bits() == longest {
			list = append(list, k)
		}
	}
	out := reconcile.Outside{}
	if len(list) == 0 {
		for _, e := range o.extras(a) {
			if e.nlri.Prefix.IsSingleIP() && e.nlri.Prefix.Addr() == addr {
				return &reconcile.Outside{Result: e.results[0]}
			}
		}
		return nil
	}
	o.compare(a, list, func(k verify.NLRI, _ object.Value, _ []bgp.Sent, results []verify.Result) {
		worst := verify.Worst(results)
		if out.Point != "" && !worst.State.Worse(out.State) {
			return
		}
		out = reconcile.Outside{Result: worst}
		o.mu.Lock()
		defer o.mu.Unlock()
		if l, ok := o.lost[k]; ok && out.State.Lost() && now.Sub(l.since) >= o.want.Hold {
			out.Lost, out.Code, out.Since = true, codeOutside, l.since.Format(time.RFC3339)
			out.Try = outsideTry(control.LostPrefix{Prefix: k.Prefix})
		}
	})
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
	s.extra(found)
	if found.Lost == 0 {
		return
	}
	first := found.Prefixes[0]
	f := s.problem("not-seen-outside", fmt.Sprintf("%s is announced and not seen outside: %s", lostText(first),
		first.Result.Text), outsideTry(first))
	f.Object, f.Since = problem.Object{Kind: problem.KindAddress, Name: first.Prefix.Addr().String()}, first.Since
	if !first.Prefix.IsValid() {
		f.Object = problem.Object{}
	}
	f.Count = found.Lost
}
