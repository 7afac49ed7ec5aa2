package state

import (
	"fmt"
	"net/netip"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// upgrade completes a file of an older version, in one transaction; one that is opened for reading
// only is completed in memory. What version 1 does not say, what entries need and keep, is worked
// out from the values, once, and the entries written anew.
//
// This is the only place that guesses relations from values. What it gets wrong is
// put right by the first round in which the object is wanted (plan.Outdated).
func (db *DB) upgrade(version int) error {
	if version >= Version {
		return nil
	}
	entries := db.complete()
	if db.bolt.IsReadOnly() {
		return nil
	}
	err := db.update(func(tx *bbolt.Tx) error {
		if err := putEntries(tx, entries); err != nil {
			return err
		}
		return put(tx.Bucket(bucketMeta), keyVersion, Version)
	})
	if err != nil {
		return fmt.Errorf("rewrite it from schema version %d to %d: %w; the file is as it was", version, Version, err)
	}
	return nil
}

// complete adds what a file of version 1 does not say, and returns the entries that it changed. Those
// of later versions say it themselves: what they need is known, and not guessed.
func (c *contents) complete() []Entry {
	if c.version >= 2 {
		return nil
	}
	entries := reconstruct(c.ledger.all())
	for _, e := range entries {
		c.ledger.enter(e)
	}
	return entries
}

// reconstruct returns all entries with the relations that their values suggest.
func reconstruct(all []Entry) []Entry {
	g := guesser{overlays: map[uint32]overlay{}, legs: map[string]object.MAC{}, vrfs: map[uint32]bool{}}
	for _, e := range all {
		g.set.Put(e.item())
	}
	g.survey()
	sorting.Sort(all, func(a, b Entry) int { return a.Value.Key().Compare(b.Value.Key()) })
	for i := range all {
		all[i].Relations = g.relations(all[i].Value)
	}
	return all
}

// overlay are the devices of a VNI; vrf is zero where it is bridged only.
type overlay struct{ vxlan, bridge, vrf object.Link }

// guesser works out relations from the values of a whole ledger.
type guesser struct {
	set      object.Set
	overlays map[uint32]overlay
	// legs are devices that lead from a VRF to a provider bridge, with their MACs.
	legs map[string]object.MAC
	// vrfs are the tables of VRFs: tenants may have the same prefixes in them.
	vrfs map[uint32]bool
}

// survey finds the devices of VNIs and the legs.
func (g *guesser) survey() {
	links := map[string]object.Link{}
	for _, l := range object.Of[object.Link](g.set) {
		links[l.Name] = l
		if l.Type == object.LinkVeth {
			g.legs[l.Name] = l.MAC
		}
		if l.Type == object.LinkVRF {
			g.vrfs[l.Table] = true
		}
	}
	for _, p := range object.Of[object.OVSPort](g.set) {
		if !p.MAC.IsZero() {
			g.legs[p.Name] = p.MAC
		}
	}
	for _, l := range object.Of[object.Link](g.set) { // in order of names: the first one counts
		if _, have := g.overlays[l.VNI]; l.Type == object.LinkVXLAN && !have {
			bridge := links[l.Master]
			g.overlays[l.VNI] = overlay{l, bridge, links[bridge.Master]}
		}
	}
}

func (g *guesser) relations(v object.Value) object.Relations {
	var r object.Relations
	switch v := v.(type) {
	case object.Path:
		r.After = g.covering(v.Prefix, func(o object.Route) bool { return o.Table != object.TableMain && !g.vrfs[o.Table] })
	case object.EVPNPath:
		r.After = g.evpnNeeds(v)
	case object.Route:
		r.Keeps = g.routeKeeps(v)
	case object.Link:
		r.Keeps = g.linkKeeps(v)
	case object.OVSPort:
		r.Keeps = g.onDevice(v.Name)
	case object.Device:
		r.Keeps = g.onDevice(v.Name)
	}
	return r
}

// covering are the routes that lead to a prefix, of those that pass.
func (g *guesser) covering(dst netip.Prefix, pass func(object.Route) bool) []object.Key {
	var out []object.Key
	for k, it := range g.set.AllOf(object.KindRoute) {
		r, ok := it.Value.(object.Route)
		if ok && !r.Unreachable && pass(r) && r.Dst.Bits() <= dst.Bits() && r.Dst.Contains(dst.Addr()) {
			out = append(out, k)
		}
	}
	return sorted(out)
}

// evpnNeeds are the devices of the path's VNI and, of an IP Prefix route, the way to
// the destination in the table of its own tenant; of a MAC address where it is. A
// VNI whose devices are not recorded is asked for by the usual name, so that its
// paths are not announced before it is there.
func (g *guesser) evpnNeeds(p object.EVPNPath) []object.Key {
	o, ok := g.overlays[p.VNI]
	if !ok {
		return []object.Key{object.Link{Name: fmt.Sprintf("vxlan-%d", p.VNI)}.Key()}
	}
	var out []object.Key
	for _, l := range []object.Link{o.vxlan, o.bridge, o.vrf} {
		if l.Name != "" {
			out = append(out, l.Key())
		}
	}
	switch {
	case p.Type == object.EVPNPrefix && o.vrf.Table != 0:
		out = append(out, g.covering(p.Prefix, func(r object.Route) bool {
			imported := r.Dev == o.bridge.Name || !r.Hops.Empty()
			return r.Table == o.vrf.Table && !imported
		})...)
	case p.Type == object.EVPNMacIP:
		for _, d := range object.Of[object.FDB](g.set) {
			if _, leg := g.legs[d.Dev]; leg && d.MAC == p.MAC {
				out = append(out, d.Key())
			}
		}
	}
	return sorted(out)
}

// routeKeeps are the rule that leads to the route's table, the neighbours that it
// sends to with where they are, and, through a leg, the flows that lead back.
func (g *guesser) routeKeeps(r object.Route) []object.Key {
	if r.Unreachable || r.Table == object.TableMain {
		return nil
	}
	var out []object.Key
	for k := range g.set.AllOf(object.KindRule) {
		if k.Num == r.Table && (k.Name == "inet6") == r.Dst.Addr().Is6() {
			out = append(out, k)
		}
	}
	for _, hop := range r.NextHops() {
		to := hop.Via
		if !to.IsValid() {
			to = r.Dst.Addr()
		}
		out = append(out, g.neighbour(hop.Dev, to)...)
	}
	if mac, ok := g.legs[r.Dev]; ok {
		for k, it := range g.set.AllOf(object.KindFlow) {
			f, ok := it.Value.(object.Flow)
			if ok && f.Into() == mac && (!f.From().IsValid() || f.From() == r.Dst) {
				out = append(out, k)
			}
		}
	}
	return sorted(out)
}

// neighbour is the entry of an address and, if it was learned, those of its MAC
// address in forwarding databases.
func (g *guesser) neighbour(dev string, addr netip.Addr) []object.Key {
	it, ok := g.set.Get(object.Neigh{Dev: dev, Addr: addr}.Key())
	if !ok {
		return nil
	}
	out := []object.Key{it.Value.Key()}
	n, ok := it.Value.(object.Neigh)
	if !ok || !n.Learned {
		return out
	}
	for _, d := range object.Of[object.FDB](g.set) {
		vxlan, _ := g.set.Get(object.Link{Name: d.Dev}.Key())
		if l, ok := vxlan.Value.(object.Link); ok && l.Master == dev && d.MAC == n.MAC {
			out = append(out, d.Key())
		}
	}
	return out
}

// linkKeeps are what is on a link and what it is of no use without: the unreachable
// defaults of a VRF, the ports of a VNI's bridge, the port of a leg in Open vSwitch.
func (g *guesser) linkKeeps(l object.Link) []object.Key {
	out := g.onDevice(l.Name)
	switch l.Type {
	case object.LinkVRF:
		for k, it := range g.set.AllOf(object.KindRoute) {
			if r, ok := it.Value.(object.Route); ok && r.Unreachable && r.Table == l.Table {
				out = append(out, k)
			}
		}
	case object.LinkBridge:
		for _, port := range object.Of[object.Link](g.set) {
			if port.Master == l.Name {
				out = append(out, port.Key())
			}
		}
	case object.LinkVeth:
		if k := (object.OVSPort{Name: l.Peer}).Key(); g.set.Has(k) {
			out = append(out, k)
		}
	}
	return sorted(out)
}

// onDevice are the addresses and settings of a device, its place in a VRF, and the
// answers that a leg gives for others.
func (g *guesser) onDevice(dev string) []object.Key {
	var out []object.Key
	_, leg := g.legs[dev]
	kinds := []object.Kind{object.KindAddress, object.KindSysctl}
	if leg {
		kinds = append(kinds, object.KindProxyNeigh)
	}
	for _, kind := range kinds {
		for k, it := range g.set.AllOf(kind) {
			if slices.Contains(it.Value.DependsOn(), object.DeviceNeed(dev)) {
				out = append(out, k)
			}
		}
	}
	if k := (object.Master{Dev: dev}).Key(); g.set.Has(k) {
		out = append(out, k)
	}
	return sorted(out)
}

func sorted(keys []object.Key) []object.Key {
	slices.SortFunc(keys, object.Key.Compare)
	return slices.Compact(keys)
}
