package native

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// nextHop is the next hop of a prefix: invalid for ourselves. Missing says why there is
// none (N-17).
func (p *pass) nextHop(c *candidate) (hop netip.Addr, missing string) {
	if hop, ok := p.prefixNextHop(c); ok {
		return hop, ""
	}
	if fixed, ok := p.cfg.NextHopOf[c.router.name]; ok {
		if c.prefix.Addr().Is6() && fixed.Is4() {
			return netip.Addr{}, fmt.Sprintf("native.nexthop of router %s is %s, which cannot carry an IPv6 prefix",
				c.router.name, fixed)
		}
		return fixed, ""
	}
	switch p.cfg.NextHop {
	case NextHopSelf:
		return netip.Addr{}, ""
	case NextHopLRP:
	default:
		if !c.router.onRedirect {
			return netip.Addr{}, ""
		}
	}
	return c.portAddress()
}

// prefixNextHop is what the router itself is told to use. A value that cannot be read is
// reported and left out.
func (p *pass) prefixNextHop(c *candidate) (netip.Addr, bool) {
	key := optNextHop4
	if c.prefix.Addr().Is6() {
		key = optNextHop6
	}
	text := c.router.datapath.ExternalIDs[key]
	if text == "" {
		return netip.Addr{}, false
	}
	hop, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil || hop.Zone() != "" || hop.Is4() && c.prefix.Addr().Is6() {
		p.report(tableDatapath, c.router.name, codeUnreadableCell, "%s: %q is not a next hop for it; it is left out",
			key, cut(text))
		return netip.Addr{}, false
	}
	return hop, true
}

// portAddress is the first address of the prefix's family of the bound port, for IPv4
// else its IPv6 address (RFC 8950). The row's own port counts only if it is bound here: it
// may be an internal one.
func (c *candidate) portAddress() (netip.Addr, string) {
	ports := c.router.bound
	if l := c.router.boundPort(c.port.LogicalPort); l != nil {
		ports = append([]*lrp{l}, ports...)
	}
	for _, is4 := range []bool{true, false} {
		if is4 && c.prefix.Addr().Is6() {
			continue
		}
		for _, l := range ports {
			for _, a := range l.addresses() {
				if a.Addr().Is4() == is4 {
					return a.Addr(), ""
				}
			}
		}
	}
	return netip.Addr{}, fmt.Sprintf("no bound port of router %s (%s) has an address that could be the next hop of %s; "+
		"set native.nexthop to self, or give the port one", c.router.name, names(c.router.bound), c.prefix)
}

// addresses are those of a port with the lengths of their networks, in its own order.
func (l *lrp) addresses() []netip.Prefix {
	var out []netip.Prefix
	for _, row := range []*observe.PortBinding{l.row, l.dynamic} {
		if row == nil {
			continue
		}
		for _, el := range row.Addresses {
			out = append(out, el.Addrs...)
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

// onRedirectPort reports whether the sessions run on the router's own redirect port,
// where the port's address is what neighbours must send to. Before the release that has
// this option in the Southbound database, the address is the sessions' source already.
func (p *pass) onRedirectPort(r *router) bool {
	devices := p.peerDevices()
	for _, l := range r.bound {
		name := l.option(optRedirect)
		if name == "" || len(devices) == 0 {
			continue
		}
		dev, ok := p.ovs.InterfaceOf(name)
		if !ok {
			continue
		}
		only := true
		for _, d := range devices {
			only = only && d == dev
		}
		if only {
			return true
		}
	}
	return false
}

// peerDevices are the devices of the configured neighbours, as far as they are known.
func (p *pass) peerDevices() []string {
	var out []string
	for _, a := range p.cfg.Peers {
		if a.Zone() != "" {
			out = append(out, a.Zone())
		} else if p.host != nil {
			if dev, ok := p.host.Connected(a); ok {
				out = append(out, dev)
			}
		}
	}
	return out
}
