package plan

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// carried are the kinds that something that is kept may stand on.
var carried = []object.Kind{
	object.KindRoute, object.KindRule, object.KindFlow, object.KindFDB, object.KindNeigh, object.KindProxyNeigh,
	object.KindAddress, object.KindMaster, object.KindOVSPort, object.KindLink, object.KindSysctl, object.KindDevice,
}

// carry takes out of going, and notes, what something that is kept still
// stands on: a path that could not be withdrawn, or whose row cannot be read,
// must not lose the route that leads there, and that route not its rule, its
// neighbour and its device. What stood on what is told by the values, because
// the needs of what is no longer wanted are not recorded.
func (d *differ) carry(going, kept []object.Item) []object.Item {
	if len(kept) == 0 || len(going) == 0 {
		return going
	}
	c := newCarriers(d.Have, kept)
	// What is found in one pass may stand on more, which the next one finds, until
	// there is no more. So the result does not depend on any order.
	for {
		var more []object.Value
		going = slices.DeleteFunc(going, func(it object.Item) bool {
			k := it.Value.Key()
			if !slices.Contains(carried, k.Kind) {
				return false
			}
			by, carries := c.carrier(it.Value)
			if carries {
				more = append(more, it.Value)
				d.plan.Notes = append(d.plan.Notes, Note{Key: k, Value: it.Value, Why: d.Ledger.Why(k), Block: object.Block{
					Code: object.BlockHeld, Text: by.Text() + ", which stays for now, stands on it",
				}})
			}
			return carries
		})
		if len(more) == 0 {
			return going
		}
		for _, v := range more {
			c.keep(v)
		}
	}
}

// carriers are what is kept, by what it stands on.
type carriers struct {
	have      object.Set
	paths     []object.Key
	tables    map[object.Rule]object.Key // table and family, priority 0
	neighbour map[object.Key]object.Key
	devices   map[string]object.Key
	// vrfs are VRFs by table, bridges those of VNIs, all of whose ports are needed.
	vrfs    map[uint32]object.Key
	bridges map[string]object.Key
	// overlays are the devices of VNIs that are there; nil until asked for.
	overlays map[uint32]object.Overlay
	// prefixes are the paths of type 5, by the table of their VRF.
	prefixes map[uint32][]object.Key
	// stations are MAC addresses that EVPN paths announce.
	stations map[object.MAC]object.Key
	// into are the devices into which routes lead, and where to: flows hand them what
	// comes back.
	into map[wayBack]object.Key
}

// wayBack is what a flow hands to a device: everything, or what comes from a prefix.
type wayBack struct {
	mac  object.MAC
	from netip.Prefix
}

func newCarriers(have object.Set, kept []object.Item) *carriers {
	c := &carriers{
		have: have, tables: map[object.Rule]object.Key{}, neighbour: map[object.Key]object.Key{}, devices: map[string]object.Key{},
		vrfs: map[uint32]object.Key{}, bridges: map[string]object.Key{},
		prefixes: map[uint32][]object.Key{}, stations: map[object.MAC]object.Key{}, into: map[wayBack]object.Key{},
	}
	for _, it := range kept {
		c.keep(it.Value)
	}
	return c
}

// keep enters a value that stays.
func (c *carriers) keep(v object.Value) {
	k := v.Key()
	switch v := v.(type) {
	case object.Path:
		c.paths = append(c.paths, k)
	case object.EVPNPath:
		c.keepEVPN(v)
	case object.Route:
		first(c.tables, object.Rule{Table: v.Table, IPv6: v.Dst.Addr().Is6()}, k)
		first(c.neighbour, object.Neigh{Dev: v.Dev, Addr: v.Dst.Addr()}.Key(), k)
		if v.Via.IsValid() {
			first(c.neighbour, object.Neigh{Dev: v.Dev, Addr: v.Via}.Key(), k)
		}
		if mac := c.macOf(v.Dev); !mac.IsZero() {
			first(c.into, wayBack{mac: mac}, k)
			first(c.into, wayBack{mac, v.Dst}, k)
		}
	case object.Link:
		if v.Type == object.LinkVRF {
			first(c.vrfs, v.Table, k)
		}
		if v.Peer != "" { // either end takes the other with it
			first(c.devices, v.Peer, k)
		}
	}
	for _, need := range v.DependsOn() {
		first(c.devices, need.Name, k)
	}
}

// keepEVPN enters what an EVPN path stands on: its VXLAN device and what that is
// in, and what leads to the destination.
func (c *carriers) keepEVPN(p object.EVPNPath) {
	k := p.Key()
	if p.Type == object.EVPNMacIP {
		first(c.stations, p.MAC, k)
	}
	if c.overlays == nil {
		c.overlays = object.Overlays(c.have)
	}
	o, ok := c.overlays[p.VNI]
	if !ok {
		return
	}
	first(c.bridges, o.Bridge.Name, k)
	if p.Type == object.EVPNPrefix {
		c.prefixes[o.VRF.Table] = append(c.prefixes[o.VRF.Table], k)
	}
}

func (c *carriers) link(name string) (object.Link, bool) {
	it, ok := c.have.Get(object.Link{Name: name}.Key())
	if !ok {
		return object.Link{}, false
	}
	l, ok := it.Value.(object.Link)
	return l, ok
}

// macOf is the MAC address of a leg of ours; zero for other devices.
func (c *carriers) macOf(dev string) object.MAC {
	if l, ok := c.link(dev); ok && l.Type == object.LinkVeth {
		return l.MAC
	}
	if it, ok := c.have.Get(object.OVSPort{Name: dev}.Key()); ok {
		if p, ok := it.Value.(object.OVSPort); ok {
			return p.MAC
		}
	}
	return object.MAC{}
}

// first keeps the lowest key, so that notes do not depend on map order.
func first[K comparable](m map[K]object.Key, at K, k object.Key) {
	if have, ok := m[at]; !ok || k.Compare(have) < 0 {
		m[at] = k
	}
}

// carrier names what is kept and stands on v.
func (c *carriers) carrier(v object.Value) (object.Key, bool) {
	switch v := v.(type) {
	case object.Route:
		return c.routeCarrier(v)
	case object.Rule:
		by, ok := c.tables[object.Rule{Table: v.Table, IPv6: v.IPv6}]
		return by, ok
	case object.Neigh:
		by, ok := c.neighbour[v.Key()]
		return by, ok
	case object.Flow:
		by, ok := c.into[wayBack{v.Into(), v.From()}]
		return by, ok
	case object.Link:
		return c.linkCarrier(v)
	case object.OVSPort:
		by, ok := c.devices[v.Name]
		return by, ok
	case object.Device:
		by, ok := c.devices[v.Name]
		return by, ok
	case object.ProxyNeigh:
		// On a bridge it answers for what stands in the database now; on the leg of
		// a VRF it goes with that.
		by, ok := c.devices[v.Dev]
		return by, ok && !c.macOf(v.Dev).IsZero()
	case object.FDB:
		if l, ok := c.link(v.Dev); ok && l.Type == object.LinkVXLAN {
			break // a router MAC does not tell who needs it
		}
		by, ok := c.stations[v.MAC]
		return by, ok
	}
	// What sits on a device stays while something else on it does.
	for _, need := range v.DependsOn() {
		if by, ok := c.devices[need.Name]; ok {
			return by, true
		}
	}
	return object.Key{}, false
}

func (c *carriers) linkCarrier(l object.Link) (object.Key, bool) {
	by, ok := c.devices[l.Name]
	if !ok {
		by, ok = c.bridges[l.Name]
	}
	if !ok && l.Master != "" {
		by, ok = c.bridges[l.Master]
	}
	return by, ok
}

// routeCarrier names the path that a route leads to, or the VRF whose traffic an
// unreachable default keeps from getting out.
func (c *carriers) routeCarrier(r object.Route) (object.Key, bool) {
	if r.Unreachable {
		if by, ok := c.vrfs[r.Table]; ok {
			return by, true
		}
	}
	if _, imported := c.bridges[r.Dev]; !imported && r.Dev != "" {
		if by, ok := within(r.Dst, c.prefixes[r.Table]); ok {
			return by, true
		}
	}
	return within(r.Dst, c.paths)
}

// within returns the lowest of the paths whose prefix is in dst.
func within(dst netip.Prefix, paths []object.Key) (object.Key, bool) {
	var by object.Key
	for _, k := range paths {
		if dst.Bits() <= k.Prefix.Bits() && dst.Contains(k.Prefix.Addr()) && (by.Kind == 0 || k.Compare(by) < 0) {
			by = k
		}
	}
	return by, by.Kind != 0
}
