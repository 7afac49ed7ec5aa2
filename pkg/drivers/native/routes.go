package native

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// This file sorts the EVPN routes of others by what they are about. There may be many of them, and mostly
// one has changed: what is as it was before is the same in memory, so that nothing is derived again from it.

// announced are the routes as the speaker lists them.
type announced []observe.EVPNRoute

// EqualTo reports whether the routes are the same ones.
func (l announced) EqualTo(other any) bool {
	o, ok := other.(announced)
	return ok && slices.Equal(l, o)
}

// routes are those of others that can be those of a segment.
type routes struct {
	list  []*observe.EVPNRoute
	byVNI map[uint32][]*observe.EVPNRoute
}

// EqualTo reports whether the routes are the same in memory.
func (rs *routes) EqualTo(other any) bool {
	o, ok := other.(*routes)
	return ok && slices.Equal(rs.list, o.list)
}

// routes takes over what is listed. Of the routes before, those up to the first difference and from the last
// one on stay what they are.
func (p *pass) routes(former *routes) *routes {
	n := len(p.learned.EVPN)
	now := func(i int) observe.EVPNRoute {
		r := p.learned.EVPN[i]
		r.NextHop = r.NextHop.Unmap()
		return r
	}
	rs := &routes{list: make([]*observe.EVPNRoute, n), byVNI: map[uint32][]*observe.EVPNRoute{}}
	var was []*observe.EVPNRoute
	if former != nil {
		was = former.list
	}
	head, tail, more := 0, 0, n-len(was)
	for ; head < min(n, len(was)) && *was[head] == now(head); head++ {
		rs.list[head] = was[head]
	}
	for tail = n; tail > head+max(more, 0) && *was[tail-1-more] == now(tail-1); tail-- {
		rs.list[tail-1] = was[tail-1-more]
	}
	for i := head; i < tail; i++ {
		r := now(i)
		rs.list[i] = &r
	}
	for _, r := range rs.list {
		if r.NextHop.IsValid() && r.EthernetTag == 0 {
			rs.byVNI[r.VNI] = append(rs.byVNI[r.VNI], r)
		}
	}
	return rs
}

// wanted are routes of a VNI, and which of them a segment takes in: all but its own with its targets.
type wanted struct {
	vtep    netip.Addr
	imports []string
	routes  []*observe.EVPNRoute
}

// EqualTo reports whether the same routes are taken in.
func (w *wanted) EqualTo(other any) bool {
	o, ok := other.(*wanted)
	return ok && w.vtep == o.vtep && slices.Equal(w.imports, o.imports) && slices.Equal(w.routes, o.routes)
}

// imported reports whether one of the route targets is taken in.
func (w *wanted) imported(targets object.Words) bool {
	return slices.ContainsFunc(targets.List(), func(have string) bool {
		return slices.ContainsFunc(w.imports, func(want string) bool {
			number, any := strings.CutPrefix(want, "*:")
			_, of, _ := strings.Cut(have, ":")
			return have == want || any && of == number
		})
	})
}

// others is what others announce for a segment.
type others struct {
	// vteps are those that take part in flooding.
	vteps       []netip.Addr
	macs, addrs []*subject
}

// EqualTo reports whether it is the same in memory.
func (o *others) EqualTo(other any) bool {
	x, ok := other.(*others)
	return ok && slices.Equal(o.vteps, x.vteps) && slices.Equal(o.macs, x.macs) && slices.Equal(o.addrs, x.addrs)
}

// subject is a MAC or an address, with the routes for it, the best first.
type subject struct {
	text   string
	routes []*observe.EVPNRoute
}

func (s *subject) name() string { return s.text }

// sorted sorts the routes that are taken in.
func (w *wanted) sorted(former *others) *others {
	if former == nil {
		former = &others{}
	}
	o := &others{}
	macs, addrs, targets := map[object.MAC]*subject{}, map[netip.Addr]*subject{}, map[object.Words]bool{}
	for _, r := range w.routes {
		taken, known := targets[r.Targets]
		if !known {
			taken = w.imported(r.Targets)
			targets[r.Targets] = taken
		}
		switch {
		case !taken || r.NextHop == w.vtep:
		case r.Type == object.EVPNMulticast:
			o.vteps = append(o.vteps, r.NextHop)
		case r.Type == object.EVPNMacIP && usable(r.MAC):
			o.macs = enter(o.macs, macs, r.MAC, r)
			if r.Prefix.IsValid() {
				o.addrs = enter(o.addrs, addrs, r.Prefix.Addr(), r)
			}
		}
	}
	slices.SortFunc(o.vteps, netip.Addr.Compare)
	o.vteps = slices.Compact(o.vteps)
	inOrder(former.macs, o.macs)
	inOrder(former.addrs, o.addrs)
	return o
}

// enter adds a route to those for a MAC or an address.
func enter[K interface {
	comparable
	fmt.Stringer
}](all []*subject, by map[K]*subject, of K, r *observe.EVPNRoute) []*subject {
	s := by[of]
	if s == nil {
		s = &subject{text: of.String()}
		by[of], all = s, append(all, s)
	}
	s.routes = append(s.routes, r)
	return all
}

// inOrder puts subjects in order, and their routes. Those that are as before stay what they are.
func inOrder(former, now []*subject) {
	slices.SortFunc(now, func(a, b *subject) int { return strings.Compare(a.text, b.text) })
	for i, s := range now {
		slices.SortStableFunc(s.routes, compareRoutes)
		for len(former) > 0 && former[0].text < s.text {
			former = former[1:]
		}
		if len(former) > 0 && former[0].text == s.text && slices.Equal(former[0].routes, s.routes) {
			now[i] = former[0]
		}
	}
}

// compareRoutes puts better routes first, and otherwise orders by what they are.
func compareRoutes(a, b *observe.EVPNRoute) int {
	return cmp.Or(a.Rank.Compare(b.Rank), a.NextHop.Compare(b.NextHop), strings.Compare(a.RD, b.RD),
		bytes.Compare(a.MAC[:], b.MAC[:]), object.ComparePrefix(a.Prefix, b.Prefix), strings.Compare(a.Peer, b.Peer))
}
