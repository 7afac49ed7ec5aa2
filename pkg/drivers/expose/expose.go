// Package expose is the common driver API: the building blocks that every
// driver calls on the set it is filling. Each call adds the whole family of
// objects (wiring and advertisement) with its provenance. There is no withdraw
// call: withdrawing is not exposing in the next round.
//
// The families are those of docs/openstack-rules.md: B (bridge), W (wiring of
// an address), S (wiring of a subnet), A (advertisement), F (flows) and T
// (routing tables).
//
// Read next: network.go for what a provider network is to this node, class.go
// for path attributes, export.go for what is not announced.
package expose

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Options are the numbers and choices that all drivers share.
type Options struct {
	// RulePriority is the priority of the one ip rule a bridge table.
	RulePriority uint32
	// TableMin and TableMax bound the routing tables we may take.
	TableMin, TableMax uint32
	// Cookie marks the flows of this driver.
	Cookie uint64
	// FlowPriority is the priority of the flows that hand traffic to the kernel.
	FlowPriority uint16
	// Origin is the ORIGIN attribute of our paths.
	Origin object.Origin
	// HostSysctls lets us set node-wide settings (forwarding, rp_filter).
	HostSysctls bool
	// ProxyAddrs are addresses for which NDP is answered on provider networks,
	// beyond those that the database tells of.
	ProxyAddrs []ProxyAddr
	// ProxyPlainPorts adds NDP proxies for the subnets of ordinary ports, not
	// only for those of gateways and virtual ports.
	ProxyPlainPorts bool
	// Attributes are the path attributes of each class that has some.
	Attributes map[Class]Attributes
	// Export says what may be announced.
	Export Filter
	// Reserved are provider networks that another driver has: they are provider
	// networks still, but nothing is wired to them.
	Reserved []NetworkRef
	// LastResort is what paths get that are withdrawn soon.
	LastResort object.LastResort
}

// ProxyAddr is an IPv6 address that the kernel answers for on one provider
// network: usually its gateway, which the Southbound database does not tell and
// which the kernel's NDP proxy must be given exactly.
type ProxyAddr struct {
	// Network is the physical network (options:network_name of the localnet)
	// and VLAN its tag, 0 for none.
	Network string
	VLAN    uint16
	Addr    netip.Addr
}

// DefaultOptions are those of a fresh installation. Priority and cookie are
// the predecessor's, so that taking over from it changes nothing.
func DefaultOptions() Options {
	return Options{
		RulePriority: 32000, TableMin: 200, TableMax: 252, Cookie: 0x3e7, FlowPriority: 900,
		Origin: object.OriginIncomplete, HostSysctls: true, ProxyPlainPorts: true,
		LastResort: object.LastResort{LocalPref: true},
	}
}

// Exposer fills one set on behalf of one driver.
type Exposer struct {
	*filling
	// class is that of all announcements; empty leaves it to each call.
	class Class
}

// filling is what Exposers of different classes share.
type filling struct {
	driver string
	opts   Options
	out    *parts.Pass
	// subnets are those that are wired, filled in when first asked for.
	subnets *subnets
	// ruled remembers in which turn the rules of a network were added: see [parts.Pass.Turn].
	ruled map[ruled]int
	// seen are the panics whose stacks have been reported.
	seen map[string]bool
}

// ruled are the rules of one family that lead to a network.
type ruled struct {
	n      *Network
	family int
}

// New returns an Exposer that adds to out.
func New(driver string, opts Options, out *object.Set) *Exposer {
	return In(driver, opts, parts.Begin(nil, observe.Snapshot{}, out))
}

// In returns an Exposer that adds in the parts of a pass.
func In(driver string, opts Options, pass *parts.Pass) *Exposer {
	return &Exposer{filling: &filling{driver: driver, opts: opts, out: pass, ruled: map[ruled]int{}}}
}

// As returns an Exposer that adds to the same set and announces everything as
// one class, rather than as what each call is most often used for.
func (e *Exposer) As(class Class) *Exposer { return &Exposer{e.filling, class} }

// classOr is the class to announce as.
func (e *Exposer) classOr(usual Class) Class {
	if e.class != "" {
		return e.class
	}
	return usual
}

// Skips are the conflicts and other trouble met so far.
func (e *Exposer) Skips() []observe.Skip { return e.out.Skips() }

// Skip reports a row that could not be used.
func (e *Exposer) Skip(s observe.Skip) { e.out.Skip(s) }

// Why names a row and the rule of the decision table that applied to it.
func (e *Exposer) Why(rule, table, row string) object.Source {
	return object.Source{Driver: e.driver, Rule: rule, Table: table, Row: row}
}

// add puts an item in the set; losing to an earlier, different value is
// reported against the row that lost.
func (e *Exposer) add(v object.Value, why []object.Source, block *object.Block) {
	e.addItem(object.Item{Value: v, Why: why, Block: block})
}

// announce adds a path on top of everything that the network needs, and of
// after. What the filter keeps back is desired all the same, and blocked, so that
// it can be seen everywhere where something is missing.
func (e *Exposer) announce(class Class, n *Network, prefix netip.Prefix, why []object.Source, after ...object.Key) {
	ipv6 := prefix.Addr().Is6()
	block := e.opts.Export.block(prefix, false)
	if block == nil {
		block = n.announceBlock(ipv6)
	}
	e.addPath(class, prefix, object.Item{Why: why, Block: block, Shared: n.needs(ipv6), After: after})
}

// Originate advertises a prefix on top of nothing, because the operator asked
// for it by name: only bgp.export.deny keeps it back.
func (e *Exposer) Originate(prefix netip.Prefix, why ...object.Source) {
	e.addPath(e.classOr(ClassOriginate), prefix, object.Item{Why: why, Block: e.opts.Export.block(prefix, true)})
}

// addPath adds the path of a class. Paths of two classes for one prefix are one
// announcement, with the attributes of the class that comes first.
func (e *Exposer) addPath(class Class, prefix netip.Prefix, it object.Item) {
	it.Value, it.Rank = e.opts.path(class, prefix), class.rank()
	if len(e.opts.Attributes) > 0 {
		e.reportRank(it)
	}
	e.addItem(it)
}

func (e *Exposer) addItem(it object.Item) bool {
	err := e.out.Add(it)
	if err == nil {
		return true
	}
	why := it.Why
	s := observe.Skip{Code: observe.SkipConflict, Text: err.Error()}
	if len(why) > 0 {
		s.Table, s.Row = why[0].Table, why[0].Row
	}
	e.Skip(s)
	return false
}

// Gateway is what makes an address that of a router port: its MAC, which the
// kernel cannot learn by itself (family W4).
type Gateway struct{ MAC object.MAC }

// ExposeIP makes addr, an address of a port on this node, reachable through
// network n: families W1 to W4 and A1. gw is nil for everything but router
// ports. It is announced as ClassProvider, or with gw as ClassGateway, unless As
// says otherwise. An address that another bridge's table has is left out and reported.
func (e *Exposer) ExposeIP(n *Network, addr netip.Addr, gw *Gateway, why ...object.Source) {
	host := netip.PrefixFrom(addr, addr.BitLen())
	if other, ok := e.taken(n, host); ok {
		e.leaveOut(why, fmt.Sprintf("%s on device %s", addr, n.Dev), "%s", holderText(other))
		return
	}
	route := object.NewRoute(n.Table, host, n.Dev, netip.Addr{})
	keeps := n.keepsOf[familyIndex(addr.Is6())]
	if gw != nil {
		keeps = append(slices.Clip(keeps), object.Neigh{Dev: n.Dev, Addr: addr}.Key())
	}
	if !e.addItem(object.Item{Value: route, Why: why, Block: n.block, Keeps: keeps}) {
		return // the address leads into another network, which announces it
	}
	e.rule(n, addr.Is6(), why)

	if gw == nil {
		e.announce(e.classOr(ClassProvider), n, host, why, route.Key())
		return
	}
	neigh := object.Neigh{Dev: n.Dev, Addr: addr, MAC: gw.MAC}
	e.add(neigh, why, n.block)
	e.announce(e.classOr(ClassGateway), n, host, why, neigh.Key(), route.Key())
}

// ExposeSubnet wires subnet, which is routed through the local gateway address
// via on network n: families S1 and S2. With announce it is advertised as well
// (A2, ClassSubnet), if Options.Export lets subnets pass; otherwise the addresses
// inside are, one by one, by ExposeRemoteIP. It
// returns false, and reports it, if a provider network of this node has addresses of
// the subnet, or if it overlaps one that is wired through another gateway already:
// then nothing inside may be announced on behalf of this one. The route needs that of
// the gateway's address and its neighbour, which ExposeIP adds.
func (e *Exposer) ExposeSubnet(n *Network, subnet netip.Prefix, via netip.Addr, announce bool,
	why ...object.Source,
) bool {
	route := object.NewRoute(n.Table, subnet, n.Dev, via)
	other, taken := e.taken(n, route.Dst)
	conflict := e.subnetConflict(n, route)
	if taken {
		conflict = holderText(other)
	}
	if conflict != "" {
		e.leaveOut(why, fmt.Sprintf("subnet %s via %s on device %s", route.Dst, via, n.Dev), "%s", conflict)
		return false
	}
	neigh := object.Neigh{Dev: n.Dev, Addr: via}.Key()
	keeps := append(slices.Clip(n.keepsOf[familyIndex(via.Is6())]), neigh)
	after := []object.Key{object.NewRoute(n.Table, netip.PrefixFrom(via, via.BitLen()), n.Dev, netip.Addr{}).Key(), neigh}
	if !e.addItem(object.Item{Value: route, Why: why, Block: n.block, Keeps: keeps, After: after}) {
		return false
	}
	e.subnets.add(route.Key())
	e.rule(n, via.Is6(), why)
	if announce {
		e.announce(e.classOr(ClassSubnet), n, subnet, why, subnetNeeds(n, route, via)...)
	}
	return true
}

// ExposeRemoteIP advertises addr, an address of a port on any node that is
// entered through this one: family A1 on top of ExposeSubnet's wiring of the
// same subnet, as ClassTenant. An address that is wired by itself, as one of a
// provider network, is left out and reported.
func (e *Exposer) ExposeRemoteIP(n *Network, addr netip.Addr, subnet netip.Prefix, via netip.Addr,
	why ...object.Source,
) {
	route := object.NewRoute(n.Table, subnet, n.Dev, via)
	host := netip.PrefixFrom(addr, addr.BitLen())
	if holder := e.Holder(n.all, addr); holder != "" {
		e.leaveOut(why, addr.String()+" of subnet "+subnet.String(), "%s", holder)
		return
	}
	e.announce(e.classOr(ClassTenant), n, host, why, subnetNeeds(n, route, via)...)
}

// subnetNeeds are what a path through a tenant gateway needs beside the
// network: the subnet's route and the gateway's neighbour entry.
func subnetNeeds(n *Network, route object.Route, via netip.Addr) []object.Key {
	return []object.Key{route.Key(), object.Neigh{Dev: n.Dev, Addr: via}.Key()}
}

// ProxyNDP answers neighbour solicitations for the network address of an IPv6
// prefix on network n (family W5). It stays as long as one of addrs, which [Exposer.ExposeIP]
// has exposed, is held. IPv4 prefixes are ignored: proxy_arp answers for every address.
func (e *Exposer) ProxyNDP(n *Network, prefix netip.Prefix, addrs []netip.Addr, why ...object.Source) {
	if prefix.Addr().Is4() {
		return
	}
	proxy := object.ProxyNeigh{Dev: n.Dev, Addr: prefix.Masked().Addr()}
	e.add(proxy, why, n.block)
	for _, addr := range addrs {
		if addr.Is6() {
			e.out.Keep(object.NewRoute(n.Table, netip.PrefixFrom(addr, addr.BitLen()), n.Dev, netip.Addr{}).Key(), proxy.Key())
		}
	}
}

// rule adds the one rule of a bridge table and family (B4). It exists as soon
// as the table holds one route.
func (e *Exposer) rule(n *Network, ipv6 bool, why []object.Source) {
	of := ruled{n, familyIndex(ipv6)}
	if e.ruled[of] == e.out.Turn() {
		return // once a network, not once for each of 100,000 addresses
	}
	e.ruled[of] = e.out.Turn()
	e.add(object.NewRule(e.opts.RulePriority, n.Table, ipv6), n.ruleWhy(why), n.block)
}
