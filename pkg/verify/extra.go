package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Self is what tells a path that can be nobody's but this node's, whoever tells of it. The AS
// alone does not: nodes often have one in common.
type Self struct {
	AS       uint32
	RouterID netip.Addr
	// Ends are addresses of this node alone, in order: its ends of sessions and of tunnels.
	Ends []netip.Addr
}

// Equal reports whether two tell the same paths.
func (s Self) Equal(o Self) bool {
	return s.AS == o.AS && s.RouterID == o.RouterID && slices.Equal(s.Ends, o.Ends)
}

func (s Self) end(a netip.Addr) bool {
	_, found := slices.BinarySearchFunc(s.Ends, a, netip.Addr.Compare)
	return found
}

// Sent reports whether a path certainly was sent by this node, and not perhaps by another one:
//
//   - the looking point says (BMP) that it has it from our end of a session and our BGP
//     identifier;
//   - or the next hop is an address of this node, and our AS is the last one of AS_PATH or,
//     within our AS, ORIGINATOR_ID (RFC 4456) is our identifier. A link-local next hop says
//     nothing beyond its link. Of an EVPN route the route distinguisher is this node's, too.
//
// A path whose next hop somebody on the way has replaced is not certain.
func (s Self) Sent(h Held) bool {
	if h.From.IsValid() && h.FromID == s.RouterID && s.end(h.From) {
		return true
	}
	if h.NextHop.IsLinkLocalUnicast() || !s.end(h.NextHop) || h.Originator.IsValid() && h.Originator != s.RouterID {
		return false
	}
	if !IsUnicast(h.NLRI) && !s.distinguishes(h.NLRI.Name) {
		return false
	}
	if len(h.ASPath) == 0 {
		return h.Originator.IsValid() // without one it is the looking point's own
	}
	return h.ASPath[len(h.ASPath)-1] == s.AS
}

// distinguishes reports whether a route distinguisher is made of an address of this node (RFC
// 4364 section 4.2, type 1).
func (s Self) distinguishes(rd string) bool {
	at := strings.LastIndexByte(rd, ':')
	if at < 0 {
		return false
	}
	a, err := netip.ParseAddr(rd[:at])
	return err == nil && (a == s.RouterID || s.end(a))
}

// Extra is what a looking point holds of this node for an NLRI that the node sends to
// nobody; false if that is nothing, or not certain. down is how many sessions of the node are
// not up: their routers may keep what they had (graceful restart, RFC 4724).
func (s Self) Extra(v View, down int) (Result, bool) {
	if v.Blind != "" {
		return Result{}, false
	}
	for _, h := range v.Exact {
		if !s.Sent(h) {
			continue
		}
		text := fmt.Sprintf("%s holds it from this node, which does not send it: next hop %s", v.Name, h.NextHop)
		if h.From.IsValid() {
			text += fmt.Sprintf(", from neighbour %s", h.From)
		}
		if down > 0 {
			text += fmt.Sprintf("; sessions that are not up: %d, whose routers may keep it by graceful restart", down)
		}
		return Result{
			Point: v.Name, State: Extra, NextHop: h.NextHop.String(), ASPath: asText(h.ASPath), Changes: []Change{}, Text: text,
		}, true
	}
	return Result{}, false
}
