package story

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// routes are what neighbours announce.
type routes struct {
	// evpn is by NLRI: a route replaces one with the same route distinguisher and
	// destination, whatever its next hop (RFC 7432 section 7).
	evpn map[object.Key]observe.EVPNRoute
	// noRoute are next hops that cannot be reached.
	noRoute map[netip.Addr]bool
	// unsettled is observe.Learned.Unsettled.
	unsettled string
}

// routes returns the learned routes and makes them exist: from then on the story
// has a speaker.
func (s *Story) routes() *routes {
	if s.learned == nil {
		s.learned = &routes{evpn: map[object.Key]observe.EVPNRoute{}, noRoute: map[netip.Addr]bool{}}
	}
	return s.learned
}

// learned adds, replaces or withdraws a route: its NLRI, then its attributes or
// "gone". Attributes that are not given are those of a plain EBGP route.
func learned(s *Story, r *reader) {
	if r.more() && r.words[0] == "nothing" {
		r.word()
		s.learned = nil
		s.routes()
		return
	}
	e := observe.EVPNRoute{Rank: observe.Rank{Preference: 100, Length: 1, External: true}, Peer: "192.0.2.254"}
	readNLRI(&e, r)
	key := keyOf(e)
	if r.gone() {
		delete(s.routes().evpn, key)
		return
	}
	for r.more() {
		readAttribute(&e, r)
	}
	s.routes().evpn[key] = e
}

// keyOf is the NLRI of a route, as the key of our own paths has it.
func keyOf(e observe.EVPNRoute) object.Key {
	return object.EVPNPath{Type: e.Type, RD: e.RD, MAC: e.MAC, Prefix: e.Prefix}.Key()
}

// readNLRI reads the type, the destination and the route distinguisher, as
// object.EVPNPath prints them. Only a MAC/IP route may do without an address.
func readNLRI(e *observe.EVPNRoute, r *reader) {
	switch w := r.word(); w {
	case object.EVPNMacIP.String():
		e.Type, e.MAC = object.EVPNMacIP, r.mac()
		if r.more() && r.words[0] != "rd" {
			e.Prefix = r.host()
		}
	case object.EVPNMulticast.String():
		e.Type, e.Prefix = object.EVPNMulticast, r.host()
	case object.EVPNPrefix.String():
		var err error
		e.Type = object.EVPNPrefix
		e.Prefix, err = netip.ParsePrefix(r.word())
		r.check(err)
	default:
		r.fail("unknown word %q", w)
	}
	r.literal("rd")
	e.RD = r.word()
}

// readAttribute reads a path attribute, or the part of a route that is not of its
// key.
func readAttribute(e *observe.EVPNRoute, r *reader) {
	switch w := r.word(); w {
	case "next-hop":
		e.NextHop = r.addr()
	case "vni":
		e.VNI = uint32(r.number(32))
	case "rt":
		var err error
		e.Targets, err = object.RouteTargetsOf(strings.Split(r.word(), ",")...)
		r.check(err)
	case "router-mac":
		e.RouterMAC = r.mac()
	case "mobility":
		e.Mobility = object.MetricOf(uint32(r.number(32)))
	case "sticky":
		e.Sticky = true
	case "tag":
		e.EthernetTag = uint32(r.number(32))
	case "segment":
		e.Segment = r.word()
	case "gateway":
		e.Gateway = r.addr()
	case "local-pref":
		e.Rank.Preference = uint32(r.number(32))
	case "as-path":
		e.Rank.Length = int(r.number(16))
	case "peer":
		e.Peer = r.word()
	default:
		r.fail("unknown word %q", w)
	}
}

// noRoute says which next hops cannot be reached or, with "gone" before them, can
// be reached again.
func noRoute(s *Story, r *reader) {
	gone := r.gone()
	for r.more() {
		if a := r.addr(); gone {
			delete(s.routes().noRoute, a)
		} else {
			s.routes().noRoute[a] = true
		}
	}
}

// learnedPaths is nil for a story without a speaker. Routes are in the order of
// their keys, as those of a speaker are.
func (s *Story) learnedPaths() *observe.Learned {
	if s.learned == nil {
		return nil
	}
	l := &observe.Learned{Revision: s.revision, Unsettled: s.learned.unsettled}
	for _, k := range slices.SortedFunc(maps.Keys(s.learned.evpn), object.Key.Compare) {
		l.EVPN = append(l.EVPN, s.learned.evpn[k])
	}
	l.Paths = s.native.pathList()
	l.NoRoute = slices.SortedFunc(maps.Keys(s.learned.noRoute), netip.Addr.Compare)
	return l
}

// lines describe the learned routes. The first one withdraws all others, so that
// they mean the same wherever they are added.
func (l *routes) lines() []string {
	if l == nil {
		return nil
	}
	out := []string{"learned nothing"}
	for _, k := range slices.SortedFunc(maps.Keys(l.evpn), object.Key.Compare) {
		out = append(out, "learned "+k.String()+attributes(l.evpn[k]))
	}
	for _, a := range slices.SortedFunc(maps.Keys(l.noRoute), netip.Addr.Compare) {
		out = append(out, "noroute "+a.String())
	}
	if l.unsettled != "" {
		out = append(out, "unsettled "+quote(l.unsettled))
	}
	return out
}

// attributes are those that readAttribute reads, without the ones that have their
// zero value.
func attributes(e observe.EVPNRoute) string {
	text := fmt.Sprintf(" next-hop %s vni %d rt %s local-pref %d as-path %d peer %s",
		e.NextHop, e.VNI, e.Targets, e.Rank.Preference, e.Rank.Length, e.Peer)
	if !e.RouterMAC.IsZero() {
		text += " router-mac " + e.RouterMAC.String()
	}
	if e.Mobility.Set {
		text += " mobility " + e.Mobility.String()
	}
	if e.Sticky {
		text += " sticky"
	}
	if e.EthernetTag != 0 {
		text += fmt.Sprintf(" tag %d", e.EthernetTag)
	}
	if e.Segment != "" {
		text += " segment " + e.Segment
	}
	if e.Gateway.IsValid() {
		text += " gateway " + e.Gateway.String()
	}
	return text
}

func (r *reader) addr() netip.Addr {
	a, err := netip.ParseAddr(r.word())
	r.check(err)
	return a
}

// host reads an address as a host prefix.
func (r *reader) host() netip.Prefix {
	a := r.addr()
	return netip.PrefixFrom(a, a.BitLen())
}
