package agent

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// wayOf is how an address is wired, from what a path of it needs; false if it is not
// announced from here as an address or subnet of a provider bridge.
func wayOf(r reconcile.Round, addr netip.Addr) (reach.Way, bool) {
	for bits := addr.BitLen(); bits > 0; bits-- {
		prefix, err := addr.Prefix(bits)
		if err != nil {
			return reach.Way{}, false
		}
		k := object.NewPath(prefix, object.OriginIncomplete).Key()
		it, wanted := r.Want.Get(k)
		if !wanted {
			if it, wanted = r.Have.Get(k); !wanted {
				continue
			}
		}
		return wayOfPath(r, it, addr)
	}
	return reach.Way{}, false
}

// waysOf are all ways to an address that is announced: by the uplinks, and by VNIs.
func waysOf(r reconcile.Round, addr netip.Addr) []reach.Way {
	ways := overlayWaysOf(r, addr)
	if w, ok := wayOf(r, addr); ok {
		ways = slices.Insert(ways, 0, w)
	}
	return ways
}

// wayOfPath is the way to an address within a path.
func wayOfPath(r reconcile.Round, path object.Item, addr netip.Addr) (reach.Way, bool) {
	if path.Value.Key().Kind == object.KindEVPN {
		return overlayWay(r, path, addr)
	}
	w := reach.Way{Addr: addr}
	for _, k := range path.Needs() {
		if flowIsOf(k, addr) {
			w = flowOf(w, r, k)
		}
		if it, ok := r.Want.Get(k); ok && k.Kind == object.KindRoute {
			w = withRoute(w, it.Value.(object.Route))
		}
	}
	if w.Dev == "" { // of a path that is held nothing is known but what is there
		var found bool
		if w, found = heldRoute(r, w); !found {
			return w, false
		}
	}
	for _, set := range []object.Set{r.Want, r.Have} {
		for _, it := range set.AllOf(object.KindRule) {
			if rule := it.Value.(object.Rule); rule.Table == w.Table && rule.IPv6 == addr.Is6() {
				w.Priority = rule.Priority
			}
		}
	}
	w.Port = portOf(r.Snapshot, path.Why)
	return w, true
}

// flowIsOf reports whether an object is a flow of the family.
func flowIsOf(k object.Key, addr netip.Addr) bool {
	protocol := "ip,"
	if addr.Is6() {
		protocol = "ipv6,"
	}
	return k.Kind == object.KindFlow && strings.HasPrefix(k.Sub, protocol)
}

// flowOf takes the bridge and the patch port of a flow.
func flowOf(w reach.Way, r reconcile.Round, k object.Key) reach.Way {
	w.Bridge = k.Name
	if it, ok := r.Want.Get(k); ok {
		w.Cookies = []uint64{it.Value.(object.Flow).Cookie}
	}
	_, rest, _ := strings.Cut(k.Sub, "in_port=")
	w.Patch, _, _ = strings.Cut(rest, ",")
	return w
}

func withRoute(w reach.Way, r object.Route) reach.Way {
	w.Table, w.Route, w.Dev, w.Via = r.Table, r.Dst, r.Dev, r.Via
	return w
}

// heldRoute finds the route of ours to an address among those that are there, the most
// specific one.
func heldRoute(r reconcile.Round, w reach.Way) (reach.Way, bool) {
	found := false
	for _, it := range r.Have.AllOf(object.KindRoute) {
		route := it.Value.(object.Route)
		if !it.Marked || object.TableReserved(route.Table) || !route.Dst.Contains(w.Addr) {
			continue
		}
		if !found || route.Dst.Bits() > w.Route.Bits() {
			w, found = withRoute(w, route), true
		}
	}
	return w, found
}

// portOf is the logical port on this node that a path leads to; empty if it is none that
// is plugged in.
func portOf(snap observe.Snapshot, why []object.Source) string {
	if snap.SB == nil {
		return ""
	}
	us, ok := snap.SB.ChassisByName(snap.Chassis)
	if !ok {
		return ""
	}
	for _, src := range why {
		if src.Table != "Port_Binding" {
			continue
		}
		p, ok := snap.SB.Port(src.Row)
		if ok && p.Type == observe.PortVIF && p.Chassis == us.UUID && p.ParentPort == "" {
			return p.LogicalPort
		}
	}
	return ""
}

// uplinks are the devices by which the peers are reached, and the addresses of the peers
// behind them: by the networks that they are connected through, and by the gateways of the
// main table otherwise.
func uplinks(host *observe.Host, peers []netip.Addr, mapped func(dev string) bool) map[netip.Addr]string {
	out := map[netip.Addr]string{}
	if host == nil {
		return out
	}
	for _, peer := range peers {
		if zone := peer.Zone(); zone != "" {
			out[peer] = zone
			continue
		}
		for _, a := range host.Addresses {
			if a.Net.Bits() < a.Addr.BitLen() && a.Net.Contains(peer) && !mapped(a.Dev) {
				out[peer] = a.Dev
			}
		}
		if out[peer] != "" {
			continue
		}
		best := -1
		for _, g := range host.Gateways {
			if g.Dst.Contains(peer) && g.Dst.Bits() > best && !mapped(g.Dev) {
				best, out[peer] = g.Dst.Bits(), g.Dev
			}
		}
	}
	return out
}

// deviceNames are the devices of uplinks, in order.
func deviceNames(of map[netip.Addr]string) []string {
	var names []string
	for _, dev := range of {
		if !slices.Contains(names, dev) {
			names = append(names, dev)
		}
	}
	slices.Sort(names)
	return names
}
