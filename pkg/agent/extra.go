package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// codeExtra is the problem that a looking point holds of this node what it does not send.
const codeExtra = "stale-outside"

// mostEnds bounds how many addresses of this node are remembered as ends of its sessions.
const mostEnds = 256

// self is what tells that a path can be nobody's but this node's. Ends of sessions that are
// not up any more stay: what left with them may be held still.
func (o *outside) self(a *bgp.Announcements) verify.Self {
	n := o.node
	if n.speaker.Others().Paths > 0 {
		return verify.Self{} // paths of other programs in our speaker leave as ours do
	}
	ends, _ := a.Ends()
	r, _ := n.ctl.Last()
	chassis := map[netip.Addr]string{}
	if r.Snapshot.SB != nil && r.Snapshot.Host != nil {
		who := n.whoWeAre(r.Snapshot, rib.Tally{})
		chassis = who.Chassis
		for _, kind := range []object.Kind{object.KindPath, object.KindEVPN} {
			for _, it := range a.Paths.AllOf(kind) {
				if hop := nextHopOf(it.Value); who.Addrs[hop] {
					ends = append(ends, hop)
				}
			}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range ends {
		i, known := slices.BinarySearchFunc(o.ends, e, netip.Addr.Compare)
		if !known && len(o.ends) < mostEnds {
			o.ends = slices.Insert(slices.Clone(o.ends), i, e)
		}
	}
	self := verify.Self{AS: n.settings.BGP.AS, RouterID: n.id, Ends: o.ends}
	if others := func(e netip.Addr) bool { return chassis[e] != "" }; slices.ContainsFunc(self.Ends, others) {
		self.Ends = slices.DeleteFunc(slices.Clone(self.Ends), others)
	}
	return self
}

// nextHopOf is the next hop that a path of ours names itself; invalid if it names none.
func nextHopOf(v object.Value) netip.Addr {
	switch v := v.(type) {
	case object.Path:
		return v.NextHop.Addr
	case object.EVPNPath:
		return v.NextHop
	}
	return netip.Addr{}
}

// extra is what looking points hold of this node for an NLRI that it does not announce.
type extra struct {
	nlri    verify.NLRI
	vni     uint32
	results []verify.Result
}

// extras lists that, in order.
func (o *outside) extras(a *bgp.Announcements) []extra {
	self := o.self(a)
	_, down := a.Ends()
	found := map[verify.NLRI]*extra{}
	for _, s := range o.sessions() {
		_, point := s.view()
		s.Extra(func(n verify.NLRI, held []verify.Held) {
			if _, announced := a.Paths.Get(n); announced {
				return // since a moment ago
			}
			r, ok := self.Extra(verify.View{Point: point, Exact: held}, down)
			if !ok {
				return
			}
			e := found[n]
			if e == nil {
				e = &extra{nlri: n, vni: held[0].Overlay.VNI}
				found[n] = e
			}
			e.results = append(e.results, r)
		})
	}
	out := make([]extra, 0, len(found))
	for _, e := range found {
		out = append(out, *e)
	}
	sorting.Sort(out, func(x, y extra) int { return x.nlri.Compare(y.nlri) })
	return out
}

// orExtra replaces what is said of a path that leaves on no session, where a looking point
// holds it all the same.
func orExtra(self verify.Self, results []verify.Result, views []verify.View, down int) []verify.Result {
	for i, v := range views {
		if r, ok := self.Extra(v, down); ok {
			results[i] = r
		}
	}
	return results
}

// sinceWhen adds since when each is as it is, from how it was.
func sinceWhen(old map[verify.NLRI]loss, found map[verify.NLRI]verify.Result, now time.Time) map[verify.NLRI]loss {
	out := make(map[verify.NLRI]loss, len(found))
	for k, r := range found {
		l := loss{r, now}
		if before, ok := old[k]; ok {
			l.since = before.since
		}
		out[k] = l
	}
	return out
}

// longer lists those that have been so for at least hold: their number, and the first ones.
func longer(all map[verify.NLRI]loss, hold time.Duration, now time.Time) (int, []control.LostPrefix) {
	var list []verify.NLRI
	for k, l := range all {
		if now.Sub(l.since) >= hold {
			list = append(list, k)
		}
	}
	verify.Sort(list)
	out := []control.LostPrefix{}
	for _, k := range list[:min(len(list), outsideListed)] {
		l := all[k]
		out = append(out, control.LostPrefix{
			Family: familyOf(k), NLRI: verify.Text(k), Prefix: k.Prefix, Result: l.Result, Since: l.since,
		})
	}
	return len(list), out
}

// tellExtra writes a line of the log when that begins, and when it ends.
func (o *outside) tellExtra(out control.Outside) {
	switch {
	case out.Extra > 0 && !o.toldExtra:
		first := out.ExtraPrefixes[0]
		o.log.Warn("a looking point holds of this node what it does not announce", "code", codeExtra, "prefixes", out.Extra,
			"first", first.NLRI, "why", first.Result.Text, "remedy", extraTry(first))
	case out.Extra == 0 && o.toldExtra:
		o.log.Info("the looking points hold nothing of this node that it does not announce any more", "code", codeExtra)
	}
	o.toldExtra = out.Extra > 0
}

// extraTry shows who holds it, and how a router is made to forget.
func extraTry(p control.LostPrefix) string {
	return "bgp-ovn verify " + targetOf(p) + "; then have the neighbour that holds it ask for everything again (route " +
		"refresh), or end its session with this node"
}

// extra tells of what looking points hold of this node that it does not announce: traffic
// comes here for it.
func (s *statusReport) extra(found control.Outside) {
	if found.Extra == 0 {
		return
	}
	first := found.ExtraPrefixes[0]
	f := s.problem("stale-outside", fmt.Sprintf("%s is not announced and seen outside all the same: %s", lostText(first),
		first.Result.Text), extraTry(first))
	f.Since, f.Count = first.Since, found.Extra
	if first.Prefix.IsValid() {
		f.Object = problem.Object{Kind: problem.KindAddress, Name: first.Prefix.Addr().String()}
	}
}
