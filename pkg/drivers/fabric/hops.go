package fabric

import (
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// way is a next hop that leads somewhere, and who announced it.
type way struct {
	hop  object.Hop
	peer string
}

// ways finds those of a prefix. A device without a carrier loses what is sent to
// it, and the session over it ends only with its hold time: its next hops are
// left out, but not the last ones, which a carrier that comes back makes good.
func (p *pass) ways(prefix netip.Prefix, paths []observe.LearnedPath) []way {
	var all, alive []way
	for _, path := range paths {
		hop, problem := p.hop(path)
		if problem != "" {
			p.skip(tableLearned, prefix.String(), observe.SkipDegraded, "peer %s: %s", path.Peer, problem)
			continue
		}
		all = append(all, way{hop, path.Peer})
		if link, _ := p.host.Link(hop.Dev); !link.NoCarrier {
			alive = append(alive, way{hop, path.Peer})
		}
	}
	if len(alive) == 0 || len(alive) == len(all) {
		return all
	}
	for _, w := range all {
		if link, _ := p.host.Link(w.hop.Dev); link.NoCarrier {
			p.skip(tableLearned, prefix.String(), observe.SkipDegraded,
				"peer %s: next hop %s is behind device %s, which has no carrier", w.peer, w.hop.Via, w.hop.Dev)
		}
	}
	return alive
}

// hop finds the way to a path's next hop, or says why there is none. Of the two
// next hops of an IPv6 session the global one is taken if it is connected.
func (p *pass) hop(path observe.LearnedPath) (object.Hop, string) {
	problem := "the path has no next hop"
	for _, addr := range []netip.Addr{path.NextHop, path.LinkLocal} {
		if !addr.IsValid() {
			continue
		}
		dev, trouble := p.device(addr, path)
		if trouble == "" {
			return object.Hop{Via: addr.WithZone(""), Dev: dev}, ""
		}
		problem = trouble
	}
	return object.Hop{}, problem
}

// device names the device that a next hop is behind: the one whose connected
// prefix contains it, or for a link-local one that of the session.
func (p *pass) device(addr netip.Addr, path observe.LearnedPath) (dev, problem string) {
	if addr.Is4() && path.Prefix.Addr().Is6() {
		return "", fmt.Sprintf("next hop %s cannot carry an IPv6 prefix", addr)
	}
	ok := false
	if addr.Is6() && addr.IsLinkLocalUnicast() {
		dev, ok = p.sessionDevice(path.Peer)
	} else {
		dev, ok = p.host.Connected(addr)
	}
	if !ok {
		return "", fmt.Sprintf("next hop %s is not on a prefix that is connected to this node", addr)
	}
	if link, known := p.host.Link(dev); !known || !link.Up {
		return "", fmt.Sprintf("next hop %s is behind device %s, which is down or gone", addr, dev)
	}
	return dev, ""
}

// sessionDevice is the device through which a directly connected neighbour is
// reached: the zone of its address, or whose prefix contains it.
func (p *pass) sessionDevice(peer string) (string, bool) {
	addr, err := netip.ParseAddr(peer)
	if err != nil {
		return "", false
	}
	if addr.Zone() != "" {
		return addr.Zone(), true
	}
	return p.host.Connected(addr)
}
