// Package elsewhere finds what this node announces and somebody else announces, too: a
// pure function of our announcements and of what the neighbours send.
//
// Our own announcements come back from a fabric, and nodes of one AS look alike in AS_PATH.
// So nothing is said of a path that may be our own; see [Survey.Add] for what proves
// that it is not.
//
// It refuses to read anything: package agent does. Nor does it know how long somebody
// else has announced a prefix.
//
// Read next: [Survey].
package elsewhere

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// Node is what must be known of this node to tell its paths from those of others.
type Node struct {
	AS       uint32
	RouterID netip.Addr
	// Addrs are its addresses: next hops of its own paths.
	Addrs map[netip.Addr]bool
	// Chassis are the names of all other chassis, by the addresses of their tunnels.
	Chassis map[netip.Addr]string
	// IBGP are the neighbours of our own AS, by their addresses.
	IBGP map[string]bool
	// Lowered says that all our paths are announced as a last resort, with the community
	// GRACEFUL_SHUTDOWN; see [Survey.Prepended].
	Lowered bool
}

// Path is one unicast path of a neighbour.
type Path struct {
	Peer    string
	Prefix  netip.Prefix
	NextHop netip.Addr
	// ASPath is AS_PATH as text, OriginAS its last number; 0 if it is empty.
	ASPath   string
	OriginAS uint32
	// Originator is ORIGINATOR_ID (RFC 4456), which a route reflector puts in.
	Originator netip.Addr
	// ID is the identifier of several paths for one prefix (RFC 7911).
	ID uint32
	// Communities are those of RFC 1997.
	Communities []string
}

// Finding is a prefix of ours that somebody else announces.
type Finding struct {
	// Prefix is what we announce.
	Prefix netip.Prefix `json:"prefix"`
	// Announced is what the other announces: the same, or a part of it.
	Announced netip.Prefix `json:"announced"`
	NextHop   netip.Addr   `json:"next_hop"`
	// Chassis is the name of the chassis of that next hop; empty if the database knows none.
	Chassis string `json:"chassis,omitempty"`
	// Peer is the neighbour that we have it from.
	Peer   string `json:"peer"`
	ASPath string `json:"as_path"`
	// Paths counts all paths of others for the prefix or a part of it, this one included.
	Paths int `json:"paths"`

	id uint32
}

// Survey is one pass over what neighbours announce.
type Survey struct {
	node Node
	// ours says of our prefixes whether nobody else may announce them; bits are the lengths
	// of those, by whether they are of IPv6.
	ours  map[netip.Prefix]bool
	bits  map[bool][]int
	found findings
	// prepended is how often our AS is prepended to our paths, at least.
	prepended int
}

// findings are what was found, by prefix of ours.
type findings map[netip.Prefix]Finding

// NewSurvey begins a pass: first come all our announcements, then the neighbours' paths.
func NewSurvey(n Node) *Survey {
	return &Survey{node: n, ours: map[netip.Prefix]bool{}, bits: map[bool][]int{}, found: findings{}}
}

// Announce tells of a prefix that we announce. Of what is shared, that is announced by
// several nodes on purpose, nothing is found.
func (s *Survey) Announce(p netip.Prefix, shared bool) {
	s.ours[p] = !shared
	if ipv6 := p.Addr().Is6(); !shared && !slices.Contains(s.bits[ipv6], p.Bits()) {
		s.bits[ipv6] = append(s.bits[ipv6], p.Bits())
	}
}

// Prepended tells how often our AS is prepended to one of our paths. The least of it counts
// for all: a path that we announce no more must not be taken for another node's.
func (s *Survey) Prepended(times int) {
	if len(s.ours) == 1 || times < s.prepended {
		s.prepended = times
	}
}

// Add takes in a path of a neighbour. It is announced by others if its next hop is none of ours
// and
//
//   - is the tunnel address of another chassis,
//   - or the path begins in another AS,
//   - or it begins in our own AS and came over IBGP, where next hops stay as they are, and
//     ORIGINATOR_ID is not ours.
//
// A path of our AS that came over EBGP with the next hop of a router may be our own: routers
// return paths to those that they have them from. While ours are a last resort, that tells
// them from those of others; a last resort of another one is no help.
func (s *Survey) Add(p Path) {
	ours, ok := s.covered(p.Prefix)
	if !ok || s.node.Addrs[p.NextHop] || s.node.RouterID.IsValid() && p.Originator == s.node.RouterID {
		return
	}
	_, chassis := s.node.Chassis[p.NextHop]
	if s.node.Lowered {
		if !s.lowered(p) {
			s.found.add(s.findingOf(ours, p))
		}
		return
	}
	if chassis || p.OriginAS != s.node.AS && (p.OriginAS != 0 || s.node.IBGP[p.Peer]) {
		s.found.add(s.findingOf(ours, p))
	}
}

// gracefulShutdown is the community of what will be withdrawn soon (RFC 8326).
const gracefulShutdown = "65535:0"

// lowered reports whether a path is the last resort of a node that is drained, such as we
// are. A router on the way may have removed the community, and not AS_PATH.
func (s *Survey) lowered(p Path) bool {
	if slices.Contains(p.Communities, gracefulShutdown) {
		return true
	}
	us, times := strconv.FormatUint(uint64(s.node.AS), 10), 0
	for _, as := range strings.Fields(p.ASPath) {
		if as == us {
			times++
		}
	}
	return s.prepended > 0 && times > s.prepended
}

// covered is our prefix that has p in it: p itself, or the longest one around it.
func (s *Survey) covered(p netip.Prefix) (netip.Prefix, bool) {
	if exclusive, same := s.ours[p]; same {
		return p, exclusive
	}
	best := -1
	for _, bits := range s.bits[p.Addr().Is6()] {
		if bits >= p.Bits() || bits <= best {
			continue
		}
		if around, err := p.Addr().Prefix(bits); err == nil && s.ours[around] {
			best = bits
		}
	}
	if best < 0 {
		return netip.Prefix{}, false
	}
	around, err := p.Addr().Prefix(best)
	return around, err == nil
}

func (s *Survey) findingOf(ours netip.Prefix, p Path) Finding {
	return Finding{
		Prefix: ours, Announced: p.Prefix, NextHop: p.NextHop, Peer: p.Peer, ASPath: p.ASPath, Paths: 1, id: p.ID,
		Chassis: cmp.Or(s.node.Chassis[p.NextHop], s.node.Chassis[p.Originator]),
	}
}

// add counts a finding, and keeps the first of those for one prefix.
func (s findings) add(f Finding) {
	if have, ok := s[f.Prefix]; ok {
		paths := have.Paths + f.Paths
		if before(have, f) {
			f = have
		}
		f.Paths = paths
	}
	s[f.Prefix] = f
}

// before orders what is found of one prefix, so that the same paths give the same finding
// in whatever order they come.
func before(a, b Finding) bool {
	return cmp.Or(order(a.Chassis == "", b.Chassis == ""), cmp.Compare(a.Announced.Bits(), b.Announced.Bits()),
		a.Announced.Addr().Compare(b.Announced.Addr()), strings.Compare(a.Peer, b.Peer), a.NextHop.Compare(b.NextHop),
		cmp.Compare(a.id, b.id)) <= 0
}

// order puts what is not before what is.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Findings ends the pass: what was found, by prefix.
func (s *Survey) Findings() []Finding {
	out := make([]Finding, 0, len(s.found))
	for _, f := range s.found {
		out = append(out, f)
	}
	sorting.Sort(out, func(a, b Finding) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	return out
}

// By names who announces it: the chassis, or its next hop.
func (f Finding) By() string {
	if f.Chassis != "" {
		return "chassis " + f.Chassis + " (" + f.NextHop.String() + ")"
	}
	return f.NextHop.String()
}

// Text says in one phrase who announces what.
func (f Finding) Text() string {
	text := "announced by " + f.By() + ", too"
	if f.Announced != f.Prefix {
		text = "a part of it, " + f.Announced.String() + ", announced by " + f.By()
	}
	return text + "; heard from peer " + f.Peer + " with AS_PATH " + strconv.Quote(f.ASPath)
}
