package expose

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// All bridge tables of a node are one address space: the kernel asks one after the
// other, and which one has an address first must not depend on the order in which the
// rules were made. So a prefix is wired once. What is asked for first stands, and
// drivers ask in an order that the snapshot gives.

// Holder says what an address leads to that is wired by itself, in whichever table of
// a provider bridge; empty if none is.
func (e *Exposer) Holder(ns *Networks, addr netip.Addr) string {
	for _, b := range ns.bridges {
		host := netip.PrefixFrom(addr, addr.BitLen())
		it, ok := e.out.Get(object.NewRoute(b.Table, host, "", netip.Addr{}).Key())
		if r, isRoute := it.Value.(object.Route); ok && isRoute && r.Steers().Direct {
			return holderText(it)
		}
	}
	return ""
}

// Leads reports whether an address leads into the network, by a route of its own.
func (e *Exposer) Leads(n *Network, addr netip.Addr) bool {
	route := object.NewRoute(n.Table, netip.PrefixFrom(addr, addr.BitLen()), n.Dev, netip.Addr{})
	it, ok := e.out.Get(route.Key())
	return ok && it.Value == route
}

// Wired reports whether an address leads into the network as that of a gateway does:
// with a neighbour entry.
func (e *Exposer) Wired(n *Network, addr netip.Addr) bool {
	return e.Leads(n, addr) && e.out.Has(object.Neigh{Dev: n.Dev, Addr: addr}.Key())
}

// taken returns what is wired for a prefix in the table of another bridge.
func (e *Exposer) taken(n *Network, prefix netip.Prefix) (object.Item, bool) {
	for _, b := range n.all.bridges {
		if b.Table == n.Table {
			continue
		}
		if it, ok := e.out.Get(object.NewRoute(b.Table, prefix, "", netip.Addr{}).Key()); ok {
			return it, true
		}
	}
	return object.Item{}, false
}

// leaveOut reports a row whose prefix something else has.
func (e *Exposer) leaveOut(why []object.Source, what, format string, args ...any) {
	s := observe.Skip{Code: observe.SkipConflict, Text: what + " is left out: " + fmt.Sprintf(format, args...)}
	if len(why) > 0 {
		s.Table, s.Row = why[0].Table, why[0].Row
	}
	e.Skip(s)
}

// holderText names what stands and the first row that it stands for.
func holderText(it object.Item) string {
	text := fmt.Sprintf("%s %s", it.Value.Key().Prefix, it.Value.Attrs())
	if len(it.Why) > 0 {
		text += " of " + it.Why[0].RowRef()
	}
	return text + " comes first"
}

// subnetConflict says what keeps a subnet out: a provider network of this node has its
// range, or another router's subnet overlaps it; empty if nothing does.
func (e *Exposer) subnetConflict(n *Network, route object.Route) string {
	for _, r := range n.all.ranges() {
		if r.prefix.Overlaps(route.Dst) {
			return fmt.Sprintf("it overlaps %s of provider network %s", r.prefix, r.localnet)
		}
	}
	if e.subnets == nil {
		e.subnets = e.standingSubnets(n.all)
	}
	for _, key := range e.subnets.overlapping(route.Dst) {
		it, ok := e.out.Get(key)
		if !ok {
			continue // taken back after a panic
		}
		// Within one router longer prefixes win, as they do in the kernel.
		have, ok := it.Value.(object.Route)
		if ok && (have.Table != route.Table || have.Dev != route.Dev || have.Via != route.Via) {
			return holderText(it)
		}
	}
	return ""
}

// standingSubnets are those that are wired already, by another driver for instance.
func (e *Exposer) standingSubnets(ns *Networks) *subnets {
	s := &subnets{lengths: map[int]bool{}, exact: map[netip.Prefix][]object.Key{}}
	for k, it := range e.out.Standing().AllOf(object.KindRoute) {
		r, ok := it.Value.(object.Route)
		if ok && r.Via.IsValid() && slices.Contains(ns.Tables(), r.Table) {
			s.add(k)
		}
	}
	return s
}

// subnets are keys of routes, found by what they overlap.
type subnets struct {
	// sorted has the keys by prefix; lengths are the prefix lengths in use, and exact
	// the keys of each prefix.
	sorted  []object.Key
	lengths map[int]bool
	exact   map[netip.Prefix][]object.Key
}

func (s *subnets) add(k object.Key) {
	if slices.Contains(s.exact[k.Prefix], k) {
		return
	}
	i, _ := slices.BinarySearchFunc(s.sorted, k, compareSubnets)
	s.sorted = slices.Insert(s.sorted, i, k)
	s.lengths[k.Prefix.Bits()] = true
	s.exact[k.Prefix] = append(s.exact[k.Prefix], k)
}

func compareSubnets(a, b object.Key) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()), a.Compare(b))
}

// overlapping are those that contain a prefix or lie in it, the widest first.
func (s *subnets) overlapping(p netip.Prefix) []object.Key {
	var out []object.Key
	for bits := range p.Bits() {
		if s.lengths[bits] {
			wider, _ := p.Addr().Prefix(bits) // bits is in range
			out = append(out, s.exact[wider]...)
		}
	}
	first, _ := slices.BinarySearchFunc(s.sorted, object.Key{Prefix: p}, compareSubnets)
	for _, k := range s.sorted[first:] {
		if !p.Contains(k.Prefix.Addr()) {
			break
		}
		out = append(out, k)
	}
	return out
}

// providerRange is a subnet of a provider network that this node reaches.
type providerRange struct {
	prefix   netip.Prefix
	localnet string
}

// ranges are those of all provider networks that this node reaches, as their ports
// have them: routers' ports, and neutron:cidrs of all others.
func (ns *Networks) ranges() []providerRange {
	if ns.known == nil {
		var found []providerRange
		for p := range ns.sb.Ports.All() {
			found = append(append(found, ns.rangesOf(p)...), ns.rangesOfRouter(ns.sb, p)...)
		}
		ns.know(found)
	}
	return *ns.known
}

// Ranges finds out what [Exposer.ExposeSubnet] needs to know of provider networks, in a phase of
// the pass. What is derived with that is given the result.
func (e *Exposer) Ranges(phase string, ns *Networks) any {
	found := slices.Collect(maps.Keys(parts.Tally(e.out, "ranges", ns, ns.rangesOf)))
	patches := e.out.Select(observe.PortPatch, IsPatch)
	found = append(found, parts.Value(e.out, phase, []any{ns, patches}, func() []providerRange {
		var found []providerRange
		for _, p := range patches {
			found = append(found, ns.rangesOfRouter(e.out, p)...)
		}
		return found
	})...)
	ns.know(found)
	return *ns.known
}

// IsPatch selects the ports between switches and routers.
func IsPatch(p *observe.PortBinding) bool { return p.Type == observe.PortPatch }

// rangesOf are the ranges of a provider network that one of its ports has.
func (ns *Networks) rangesOf(p *observe.PortBinding) []providerRange {
	n, ok := ns.byDatapath[p.Datapath]
	if !ok {
		return nil
	}
	return n.rangesIn(p.CIDRs())
}

// rangesOfRouter are those that the router's port behind one of its ports has.
func (ns *Networks) rangesOfRouter(in observe.Ports, p *observe.PortBinding) []providerRange {
	n, ok := ns.byDatapath[p.Datapath]
	if !ok || p.Type != observe.PortPatch {
		return nil
	}
	lrp, ok := in.Port(p.Options["peer"])
	if !ok {
		return nil
	}
	var out []providerRange
	for _, el := range lrp.Addresses {
		out = append(out, n.rangesIn(el.Addrs)...)
	}
	return out
}

func (n *Network) rangesIn(prefixes []netip.Prefix) []providerRange {
	var out []providerRange
	for _, c := range prefixes {
		if c = c.Masked(); c.Bits() > 0 {
			out = append(out, providerRange{c, n.Localnet})
		}
	}
	return out
}

// know takes over the ranges: each prefix once, of the localnet that comes first.
func (ns *Networks) know(found []providerRange) {
	sorting.Sort(found, func(a, b providerRange) int {
		return cmp.Or(
			a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()),
			cmp.Compare(a.localnet, b.localnet),
		)
	})
	found = slices.CompactFunc(found, func(a, b providerRange) bool { return a.prefix == b.prefix })
	ns.known = &found
}
