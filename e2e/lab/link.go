package lab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// end is one end of a cable.
type end struct {
	node  *Node
	name  string
	mac   net.HardwareAddr // nil for a random one
	addrs []netip.Prefix
}

// connect lays a cable between two nodes and brings both ends up.
func connect(a, b end, mtu int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.HardwareAddr = a.name, mtu, a.mac
	veth := &netlink.Veth{
		LinkAttrs:        attrs,
		PeerName:         b.name,
		PeerHardwareAddr: b.mac,
		PeerNamespace:    netlink.NsFd(int(b.node.ns)),
	}
	if err := a.node.links(func(h *netlink.Handle) error { return h.LinkAdd(veth) }); err != nil {
		return fmt.Errorf("connect %s to %s %s: %w", a.name, b.node.Name, b.name, err)
	}
	for _, e := range []end{a, b} {
		if err := e.node.SetLink(e.name, true); err != nil {
			return err
		}
		if err := e.node.addAddrs(e.name, e.addrs...); err != nil {
			return err
		}
	}
	return nil
}

// addBridge makes a Linux bridge, the plain switch of a lab network.
func (n *Node) addBridge(name string, mtu int) error {
	return n.links(func(h *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = name, mtu
		bridge := &netlink.Bridge{LinkAttrs: attrs}
		if err := h.LinkAdd(bridge); err != nil {
			return fmt.Errorf("add bridge %s: %w", name, err)
		}
		return h.LinkSetUp(bridge)
	})
}

// enslave makes a link a port of a bridge.
func (n *Node) enslave(port, bridge string) error {
	return n.links(func(h *netlink.Handle) error {
		p, err := h.LinkByName(port)
		if err != nil {
			return fmt.Errorf("find %s: %w", port, err)
		}
		b, err := h.LinkByName(bridge)
		if err != nil {
			return fmt.Errorf("find %s: %w", bridge, err)
		}
		return h.LinkSetMaster(p, b)
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func route(dst netip.Prefix, via netip.Addr) *netlink.Route {
	return &netlink.Route{Dst: ipNet(dst), Gw: via.AsSlice()}
}

// anywhere is the default route of an address's family.
func anywhere(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// prefixf parses a formatted prefix, of which this package is sure.
func prefixf(format string, args ...any) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf(format, args...))
}

// addrsOf strips the prefix lengths.
func addrsOf(prefixes []netip.Prefix) []netip.Addr {
	out := make([]netip.Addr, len(prefixes))
	for i, p := range prefixes {
		out[i] = p.Addr()
	}
	return out
}
