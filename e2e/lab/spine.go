package lab

import (
	"context"
	"net/netip"
)

// spineAS is the spine's own.
const spineAS = 65100

// SecondFabricLink leads from a chassis to the second top of rack.
const SecondFabricLink = "fabric1"

// Uplink is the cable from a chassis to a top of rack.
type Uplink struct {
	Tor  *Tor
	Link string // at the chassis

	Addr4, Addr6       netip.Addr // of the chassis
	TorAddr4, TorAddr6 netip.Addr // of the other side
}

// SetUplink cuts or mends one of the chassis' cables, at the other side: the
// chassis sees the carrier go, and keeps its addresses.
func (c *Chassis) SetUplink(u Uplink, up bool) error { return u.Tor.setPort(c, u, up) }

// Uplinks are the cables to the tops of rack, one or two.
func (c *Chassis) Uplinks() []Uplink { return c.uplinks }

// connectTor lays the cable and tells the tor about its neighbour.
func (c *Chassis) connectTor(u Uplink) error {
	err := connect(
		end{node: c.Node, name: u.Link, addrs: []netip.Prefix{netip.PrefixFrom(u.Addr4, 31), netip.PrefixFrom(u.Addr6, 127)}},
		end{node: u.Tor.Node, name: c.Name, addrs: []netip.Prefix{
			netip.PrefixFrom(u.TorAddr4, 31),
			netip.PrefixFrom(u.TorAddr6, 127),
		}}, 1500)
	if err != nil {
		return err
	}
	u.Tor.neighbours = append(u.Tor.neighbours, u.Addr4, u.Addr6)
	c.uplinks = append(c.uplinks, u)
	return u.Tor.AddRoute(netip.PrefixFrom(c.Loopback, 32), u.Addr4)
}

// newSpine makes the second top of rack and the spine above both.
func (l *Lab) newSpine() (err error) {
	if l.Tor2, err = newTor(l, "tor2", "198.51.100.2"); err != nil {
		return err
	}
	node, err := newNode(l, "spine")
	if err != nil {
		return err
	}
	config := bgpConfig{as: spineAS, routerID: "198.51.100.3"}
	for i, t := range []*Tor{l.Tor, l.Tor2} {
		low := 2 * i
		here := []netip.Prefix{prefixf("192.0.2.%d/31", 240+low), prefixf("2001:db8:fd::%x/127", low)}
		there := []netip.Prefix{prefixf("192.0.2.%d/31", 241+low), prefixf("2001:db8:fd::%x/127", low+1)}
		if err := connect(end{node: node, name: t.Name, addrs: here}, end{node: t.Node, name: node.Name, addrs: there},
			1500); err != nil {
			return err
		}
		t.spine = addrsOf(here)
		for _, a := range addrsOf(there) {
			config.neighbours = append(config.neighbours, neighbour{addr: a, as: TorAS, below: true})
		}
	}
	l.Spine = newFRR(node, node.Dir, config.String)
	return nil
}

// startFabric starts all routers at once.
func (l *Lab) startFabric(ctx context.Context) error {
	starts := []func(context.Context) error{l.Tor.Start}
	if l.Spine != nil {
		starts = append(starts, l.Tor2.Start, l.Spine.Start)
	}
	return together(ctx, starts)
}
