package fabric

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

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
	if towards := p.sessionDevices(path.Peer); !slices.Contains(towards, dev) {
		return "", fmt.Sprintf("next hop %s is behind device %s, and the neighbour is reached by %s: "+
			"only next hops on the way to the neighbour are used", addr, dev, listed(towards))
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

// sessionDevices are those by which the traffic for a neighbour's next hops may leave.
// A neighbour several hops away tells of others, so that the devices of all those that
// are directly connected count; without any, that of the node's own route to it.
func (p *pass) sessionDevices(peer string) []string {
	if dev, ok := p.sessionDevice(peer); ok {
		return []string{dev}
	}
	var out []string
	for _, addr := range p.cfg.Peers {
		if dev, ok := p.sessionDevice(addr.String()); ok && !slices.Contains(out, dev) {
			out = append(out, dev)
		}
	}
	addr, err := netip.ParseAddr(peer)
	if len(out) > 0 || err != nil {
		return out
	}
	longest := -1
	for _, g := range p.host.Gateways {
		switch {
		case !g.Dst.Contains(addr) || g.Dst.Bits() < longest:
		case g.Dst.Bits() > longest:
			longest, out = g.Dst.Bits(), []string{g.Dev}
		case !slices.Contains(out, g.Dev):
			out = append(out, g.Dev)
		}
	}
	return out
}

// listed names devices for a message.
func listed(devs []string) string {
	if len(devs) == 0 {
		return "no device"
	}
	return strings.Join(devs, ", ")
}
