package lab

import (
	"fmt"
	"net/netip"
	"strings"
)

// Tor is the top of rack: FRR's zebra and bgpd. It peers with every chassis
// over IPv4 and over IPv6, carries both families on either session, and helps
// with graceful restart. It announces to the chassis what it learnt (of which
// they drop what has their own AS) and no default route: that is static there,
// unless there is a spine (see [Options]).
type Tor struct {
	*FRR

	routerID   string
	neighbours []netip.Addr // of chassis
	spine      []netip.Addr // of the spine
	unnumbered []string     // links to chassis that have no addresses
}

func newTor(l *Lab, name, routerID string) (*Tor, error) {
	node, err := newNode(l, name)
	if err != nil {
		return nil, err
	}
	t := &Tor{routerID: routerID}
	t.FRR = newFRR(node, node.Dir, t.bgpConfig)
	return t, nil
}

func (t *Tor) bgpConfig() string {
	c := bgpConfig{as: TorAS, routerID: t.routerID}
	for _, n := range t.neighbours {
		c.neighbours = append(c.neighbours, neighbour{addr: n, as: ChassisAS})
	}
	for _, link := range t.unnumbered {
		c.neighbours = append(c.neighbours, neighbour{link: link})
	}
	for _, n := range t.spine {
		c.neighbours = append(c.neighbours, neighbour{addr: n, as: spineAS})
	}
	return c.String()
}

// bgpConfig is bgpd.conf of a router of the fabric.
type bgpConfig struct {
	as         int
	routerID   string
	neighbours []neighbour
}

type neighbour struct {
	addr netip.Addr
	as   int
	// link takes the place of both, for whoever is at its other end.
	link string
	// below says that it is a top of rack below the spine, which gets a default
	// route; each session carries the family of its address only.
	below bool
}

// String is what the router calls it.
func (n neighbour) String() string {
	if n.link != "" {
		return n.link
	}
	return n.addr.String()
}

func (c bgpConfig) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("router bgp %d", c.as)
	line(" bgp router-id %s", c.routerID)
	line(" bgp log-neighbor-changes") // tests read there when sessions came and went
	line(" no bgp ebgp-requires-policy")
	line(" no bgp default ipv4-unicast")
	line(" no bgp network import-check")
	line(" bgp bestpath as-path multipath-relax")
	for _, n := range c.neighbours {
		if n.link != "" {
			line(" neighbor %s interface remote-as external", n.link)
			line(" neighbor %s ttl-security hops 1", n.link)
			line(" neighbor %s bfd profile quick", n.link)
			line(" neighbor %s timers 30 90", n.link) // what is quick about a dead link is BFD
		} else {
			line(" neighbor %s remote-as %d", n.addr, n.as)
			line(" neighbor %s timers 3 9", n.addr)
		}
		line(" neighbor %s timers connect 1", n)
		line(" neighbor %s graceful-restart-helper", n)
		if n.addr.Is6() {
			line(" neighbor %s capability extended-nexthop", n.addr)
		}
	}
	for _, family := range []Family{IPv4, IPv6} {
		line(" address-family %s unicast", family)
		line("  maximum-paths 16")
		for _, n := range c.neighbours {
			switch same := n.addr.Is4() == (family == IPv4); {
			case !n.below:
				line("  neighbor %s activate", n)
			case same:
				line("  neighbor %s activate", n.addr)
				line("  neighbor %s default-originate", n.addr)
			}
		}
		line(" exit-address-family")
	}
	return b.String()
}

// setPort cuts or mends the cable to a chassis at this side. IPv6 addresses
// vanish from a link that goes down; they are put back.
func (t *Tor) setPort(c *Chassis, up Uplink, on bool) error {
	if err := t.SetLink(c.Name, on); err != nil || !on || !up.TorAddr6.IsValid() {
		return err
	}
	if err := t.addAddrs(c.Name, netip.PrefixFrom(up.TorAddr6, 127)); err != nil {
		return err
	}
	return t.AddRoute(netip.PrefixFrom(c.Loopback, 32), up.Addr4)
}
