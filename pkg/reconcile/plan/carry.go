package plan

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// carry takes out of going, and notes, what something that is kept still
// stands on: a path that could not be withdrawn, or whose row cannot be read,
// must not lose the route that leads there, and that route not its rule, its
// neighbour and its device. What stood on what is told by the values, because
// the needs of what is no longer wanted are not recorded.
func (d *differ) carry(going, kept []object.Item) []object.Item {
	if len(kept) == 0 || len(going) == 0 {
		return going
	}
	c := newCarriers(kept)
	// In this order whatever stands on a value has been looked at before it.
	for _, kind := range []object.Kind{
		object.KindRoute, object.KindRule, object.KindFDB, object.KindNeigh, object.KindAddress, object.KindMaster,
		object.KindOVSPort,
		// A port, its bridge, the bridge's VRF: links stand on links, three deep.
		object.KindLink, object.KindLink, object.KindLink,
		object.KindSysctl, object.KindDevice,
	} {
		going = slices.DeleteFunc(going, func(it object.Item) bool {
			k := it.Value.Key()
			if k.Kind != kind {
				return false
			}
			by, carries := c.carrier(it.Value)
			if carries {
				c.keep(it.Value)
				d.plan.Notes = append(d.plan.Notes, Note{Key: k, Value: it.Value, Why: d.Ledger.Why(k), Block: object.Block{
					Code: object.BlockHeld, Text: by.Text() + ", which stays for now, stands on it",
				}})
			}
			return carries
		})
	}
	return going
}

// carriers are what is kept, by what it stands on.
type carriers struct {
	paths     []object.Key
	tables    map[object.Rule]object.Key // table and family, priority 0
	neighbour map[object.Key]object.Key
	devices   map[string]object.Key
}

func newCarriers(kept []object.Item) *carriers {
	c := &carriers{
		tables: map[object.Rule]object.Key{}, neighbour: map[object.Key]object.Key{}, devices: map[string]object.Key{},
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
	case object.Route:
		first(c.tables, object.Rule{Table: v.Table, IPv6: v.Dst.Addr().Is6()}, k)
		first(c.neighbour, object.Neigh{Dev: v.Dev, Addr: v.Dst.Addr()}.Key(), k)
		if v.Via.IsValid() {
			first(c.neighbour, object.Neigh{Dev: v.Dev, Addr: v.Via}.Key(), k)
		}
	}
	for _, need := range v.DependsOn() {
		first(c.devices, need.Name, k)
	}
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
		return c.pathThrough(v.Dst)
	case object.Rule:
		by, ok := c.tables[object.Rule{Table: v.Table, IPv6: v.IPv6}]
		return by, ok
	case object.Neigh:
		by, ok := c.neighbour[v.Key()]
		return by, ok
	case object.Link:
		by, ok := c.devices[v.Name]
		return by, ok
	case object.Device:
		by, ok := c.devices[v.Name]
		return by, ok
	default: // what sits on a device stays while something else on it does
		for _, need := range v.DependsOn() {
			if by, ok := c.devices[need.Name]; ok {
				return by, true
			}
		}
		return object.Key{}, false
	}
}

func (c *carriers) pathThrough(dst netip.Prefix) (object.Key, bool) {
	var by object.Key
	for _, k := range c.paths {
		if dst.Bits() <= k.Prefix.Bits() && dst.Contains(k.Prefix.Addr()) && (by.Kind == 0 || k.Compare(by) < 0) {
			by = k
		}
	}
	return by, by.Kind != 0
}
