package observe

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// Protected is the set of prefixes that this node itself lives on, by prefix and then
// by what they are. A prefix may be there for several reasons. No route of ours may
// take their traffic away: see desired.Guard.
type Protected struct {
	Prefixes []ProtectedPrefix `json:"prefixes"`
}

// ProtectedPrefix is one of them, with what may be done about it all the same.
type ProtectedPrefix struct {
	Prefix netip.Prefix `json:"prefix"`
	// What says what it is to the node: "the address of device eth0".
	What string `json:"what"`
	// Whole says that nothing within it may be routed either: an address that is
	// valid on no network, or what the operator has named.
	Whole bool `json:"whole,omitempty"`
	// Connected says that it is what a device is connected to. Single addresses of it
	// may be those of a provider network that has the same range.
	Connected bool `json:"connected,omitempty"`
	// Database says that it is the server of a database of OVN, and Session that one has
	// an open session with us: whatever leads there now is the way.
	Database bool `json:"database,omitempty"`
	Session  bool `json:"session,omitempty"`
	// Way is the node's own route to it: the most specific prefix in the main table
	// that is not ours. Without one, a route of ours there takes nothing away.
	Way netip.Prefix `json:"way,omitzero"`
}

// Own is what the configuration tells of what the node lives on.
type Own struct {
	// Protect are further prefixes (protect).
	Protect []netip.Prefix
	// Southbound and Northbound are remotes of these databases, beside those that
	// Open_vSwitch names, and OpenVSwitch is that of the local one.
	Southbound, Northbound []string
	OpenVSwitch            string
	// Endpoints are what whoever follows the databases knows of their servers.
	Endpoints []Endpoint
	// Peers are the neighbours.
	Peers []netip.Addr
	// Accept are the prefixes that the operator has named one by one to be learned:
	// if a neighbour announces one of these, it is the way to a database in it.
	Accept []netip.Prefix
}

// Endpoint is where one remote of a database is.
type Endpoint struct {
	// Remote is the remote as it was configured.
	Remote string
	// Addrs are those that its host name was last resolved to; none if it has no name.
	Addrs []netip.Addr
	// Session is the server's end of the open session; the zero address if there is none.
	Session netip.Addr
}

func (e Endpoint) equal(o Endpoint) bool {
	return e.Remote == o.Remote && e.Session == o.Session && slices.Equal(e.Addrs, o.Addrs)
}

// martians are what is valid on no network that a cloud has, and what they are.
var martians = []struct{ prefix, what string }{
	{"0.0.0.0/8", "for this network only (RFC 1122)"},
	{"127.0.0.0/8", "for the loopback device"},
	{"169.254.0.0/16", "link-local"},
	{"224.0.0.0/4", "for multicast"},
	{"240.0.0.0/4", "reserved (RFC 1112)"},
	{"::/128", "the unspecified address"},
	{"::1/128", "for the loopback device"},
	{"::ffff:0.0.0.0/96", "for IPv4-mapped addresses"},
	{"fd53:d91e:400:7f17::/64", "for our own addresses on provider bridges"},
	{"fe80::/10", "link-local"},
	{"ff00::/8", "for multicast"},
}

// Martian reports whether an address is valid on no network that a cloud has, so that no
// node announces it.
func Martian(addr netip.Addr) bool {
	for _, m := range martians {
		if netip.MustParsePrefix(m.prefix).Contains(addr) {
			return true
		}
	}
	return false
}

// Protect collects what the node lives on from what has been read of it, any part of
// which may be missing.
func Protect(snap Snapshot, own Own) *Protected {
	c := collection{host: snap.Host, own: own, seen: map[ProtectedPrefix]bool{}}
	for _, m := range martians {
		c.add(ProtectedPrefix{Prefix: netip.MustParsePrefix(m.prefix), What: m.what, Whole: true})
	}
	for _, p := range own.Protect {
		c.add(ProtectedPrefix{Prefix: p, What: "in the configuration (protect)", Whole: true, Way: c.way(p, true)})
	}
	c.databases(own.Southbound, own.Northbound)
	c.database("the Open_vSwitch database", own.OpenVSwitch)
	for _, a := range own.Peers {
		c.address(a, "the address of BGP neighbour "+a.String())
	}
	if snap.OVS != nil {
		c.openVSwitch(snap.OVS)
	}
	if snap.SB != nil {
		for _, e := range snap.SB.Encaps {
			c.address(e.IP, "the tunnel endpoint of chassis "+e.ChassisName)
		}
	}
	if snap.Host != nil {
		c.network(snap.OVS)
	}
	sorting.Sort(c.out, func(a, b ProtectedPrefix) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()),
			strings.Compare(a.What, b.What))
	})
	return &Protected{Prefixes: c.out}
}

// WithoutWays is the set as it is before any database has been reached: by which of the
// routes in the main table the node reaches them is not known.
func (p *Protected) WithoutWays() *Protected {
	out := &Protected{Prefixes: slices.Clone(p.Prefixes)}
	for i := range out.Prefixes {
		if out.Prefixes[i].Database {
			out.Prefixes[i].Way = netip.Prefix{}
		}
	}
	return out
}

// collection is one run of Protect.
type collection struct {
	host *Host // nil if nothing is known of the node
	own  Own
	out  []ProtectedPrefix
	seen map[ProtectedPrefix]bool
}

func (c *collection) add(p ProtectedPrefix) {
	if !c.seen[p] {
		c.seen[p] = true
		c.out = append(c.out, p)
	}
}

// address adds an address of the fabric, which is the one to tell where it is: only
// where it is connected must it stay there.
func (c *collection) address(a netip.Addr, what string) {
	if a = a.WithZone(""); a.IsValid() {
		p := netip.PrefixFrom(a, a.BitLen())
		c.add(ProtectedPrefix{Prefix: p, What: what, Way: c.way(p, false)})
	}
}

// database adds the address of a remote, tcp:HOST:PORT or ssl:HOST:PORT; of a host name
// those that it was last resolved to.
func (c *collection) database(what, remote string) {
	_, rest, _ := strings.Cut(remote, ":")
	var at Endpoint
	for _, e := range c.own.Endpoints {
		if e.Remote == strings.TrimSpace(remote) {
			at = e
		}
	}
	if literal, err := netip.ParseAddrPort(rest); err == nil {
		at.Addrs = []netip.Addr{literal.Addr().Unmap().WithZone("")}
	}
	for _, a := range at.Addrs {
		c.server(a, fmt.Sprintf("the address of %s %s", what, remote), a == at.Session)
	}
}

// server adds an address of a database.
func (c *collection) server(a netip.Addr, what string, session bool) {
	p := ProtectedPrefix{Prefix: netip.PrefixFrom(a, a.BitLen()), What: what, Database: true, Session: session}
	named := func(accepted netip.Prefix) bool { return accepted.Bits() > 0 && accepted.Contains(a) }
	if !slices.ContainsFunc(c.own.Accept, named) {
		p.Way = c.way(p.Prefix, true)
	}
	c.add(p)
}

// databases adds the remotes of both databases of OVN.
func (c *collection) databases(southbound, northbound []string) {
	for _, r := range southbound {
		c.database("the Southbound database", r)
	}
	for _, r := range northbound {
		c.database("the Northbound database", r)
	}
}

func (c *collection) openVSwitch(o *OpenVSwitch) {
	c.databases(o.Remotes, o.NBRemotes)
	for _, a := range o.EncapIPs {
		c.address(a, "the tunnel endpoint of this node")
	}
}

// network adds what the node has itself: its addresses, what its devices are
// connected to, and the routers by which it reaches the rest.
func (c *collection) network(o *OpenVSwitch) {
	for _, a := range c.host.Addresses {
		if c.foreign(a.Dev) || a.Addr.IsLoopback() {
			continue
		}
		self := netip.PrefixFrom(a.Addr, a.Addr.BitLen())
		c.add(ProtectedPrefix{Prefix: self, What: "an address of device " + a.Dev, Whole: true})
		if !a.Net.IsSingleIP() && !providerDevice(o, a.Dev) {
			c.add(ProtectedPrefix{Prefix: a.Net, What: "connected to device " + a.Dev, Connected: true})
		}
	}
	for _, g := range c.host.Gateways {
		if !c.foreign(g.Dev) {
			c.address(g.Via, fmt.Sprintf("the next hop of %s in the main table", g.Dst))
		}
	}
}

// foreign reports whether what a device has is not the node's own: it is a device of
// ours, or in a VRF, which is an address space of its own.
func (c *collection) foreign(dev string) bool {
	l, ok := c.host.Link(dev)
	if !ok {
		return false
	}
	return l.Ours || slices.ContainsFunc(c.host.Links, func(m Link) bool {
		return l.Master != 0 && m.Index == l.Master && m.Table != 0
	})
}

// providerDevice reports whether a device is a provider bridge or a VLAN device on
// one, by the name that such devices have.
func providerDevice(o *OpenVSwitch, dev string) bool {
	if o == nil {
		return false
	}
	return slices.ContainsFunc(o.Mappings, func(m BridgeMapping) bool {
		return dev == m.Bridge || strings.HasPrefix(dev, fmt.Sprintf("%.10s.", m.Bridge))
	})
}

// way is the most specific prefix by which the node reaches all of p without us: what
// is connected, and with gateways the routes of others, default routes among them.
func (c *collection) way(p netip.Prefix, gateways bool) (best netip.Prefix) {
	if c.host == nil {
		return best
	}
	try := func(q netip.Prefix) {
		if q.Bits() <= p.Bits() && q.Contains(p.Addr()) && (!best.IsValid() || q.Bits() > best.Bits()) {
			best = q
		}
	}
	for _, a := range c.host.Addresses {
		if !c.foreign(a.Dev) {
			try(a.Net)
		}
	}
	for _, g := range c.host.Gateways {
		if gateways {
			try(g.Dst)
		}
	}
	return best
}
