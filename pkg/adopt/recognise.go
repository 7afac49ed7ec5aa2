package adopt

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// The predecessor marks nothing of its own but flows. What is its own is told by
// values that only it makes: rules at its priority that select one destination,
// addresses of its two ranges, the tables that its rules lead to, VLAN devices that
// bear its address or its settings and nothing else. This file has all such
// judgements; each errs on the side of another owner.
//
// Its addresses are of two forms. Up to release 4 a bridge has 169.254.I.J/32, in
// which I and J are the position of its mapping divided by 256 and the rest, and
// fd53:d91e:400:7f17::POSITION, and VLAN devices have none. From release 5 on a bridge
// has 169.254.POSITION.POSITION and ::POSITION:POSITION, a VLAN device has its tag in
// the last place. Ours are those of the second form.

// reservedTables are those of the kernel: unspecified, default, main, local. No
// file can make them a bridge's.
var reservedTables = []uint32{0, 253, object.TableMain, 255}

// findTables sorts out the routing tables: ours are those that are wanted and
// those that rt_tables names after a mapped bridge. The predecessor's are these,
// and those that a rule of it leads to and that have routes to our devices and
// to no others.
func (a *adoption) findTables() {
	a.ours, a.tables = map[uint32]bool{}, map[uint32]bool{}
	for k, it := range a.want.AllOf(object.KindRoute) {
		if r, ok := it.Value.(object.Route); ok && r.Protocol == 0 { // others are in tables that OVN has, too
			a.ours[k.Num] = true
		}
	}
	if a.host != nil {
		for _, t := range a.host.Tables {
			if slices.Contains(a.mapped, t.Name) {
				a.ours[t.ID] = true
			}
		}
	}
	foreign := map[uint32]bool{}
	for _, r := range a.old.Routes {
		foreign[r.Table] = foreign[r.Table] || !a.ourDevice(r.Dev)
	}
	for id, has := range foreign {
		a.tables[id] = !has
	}
	for id := range a.ours {
		a.tables[id] = true
	}
	for _, reserved := range reservedTables {
		delete(a.ours, reserved)
		delete(a.tables, reserved)
	}
}

// findLeaving finds the VLAN devices that the predecessor made and nobody wants.
func (a *adoption) findLeaving() {
	a.leaving = map[string]bool{}
	for _, v := range a.old.VLANs {
		if !a.isOurs(v.Key()) && !a.want.Has(v.Key()) && madeVLAN(v) {
			a.leaving[v.Name] = true
		}
	}
}

// isOurs reports whether the planner knows the object as ours without our help.
func (a *adoption) isOurs(k object.Key) bool {
	have, there := a.have.Get(k)
	return there && have.Marked || a.ledger.Owned(k)
}

// claimUnmarked finds what has no mark and is the predecessor's: what equals ours,
// the addresses that only it gives, and the neighbours and proxies of an address
// that a rule of it names. What is on a device that leaves goes with it: the
// address on it is what shows whose the device is, so it must not go first.
func (a *adoption) claimUnmarked() {
	for _, it := range a.have.Sorted() {
		k := it.Value.Key()
		if a.isOurs(k) {
			continue
		}
		want, wanted := a.want.Get(k)
		switch {
		case wanted && it.Value == want.Value && takenByLedger(k.Kind):
			a.have.Put(object.Item{Value: unmarked{it.Value}, Marked: true})
		case wanted && k.Kind == object.KindNeigh, !wanted && a.madeByPredecessor(it.Value):
			a.have.Put(object.Item{Value: it.Value, Marked: true})
		}
	}
}

// takenByLedger lists the kinds in which another's object becomes ours by an
// entry in the ledger. A setting does not: it is as wanted, and the value from
// before anybody changed it is not known.
func takenByLedger(k object.Kind) bool {
	return k == object.KindAddress || k == object.KindNeigh || k == object.KindProxyNeigh
}

// madeByPredecessor reports whether an unwanted object on one of our devices can
// only be the predecessor's.
func (a *adoption) madeByPredecessor(v object.Value) bool {
	switch v := v.(type) {
	case object.Address:
		tag, ok := a.deviceTag(v.Dev)
		return ok && !a.leaving[v.Dev] && (madeAddress(v.Prefix, tag) || tag == 0 && a.madeBefore5(v))
	case object.Neigh:
		return a.staying(v.Dev) && slices.ContainsFunc(a.old.Rules, func(r legacy.Rule) bool {
			return r.To.IsSingleIP() && r.To.Addr() == v.Addr
		})
	case object.ProxyNeigh:
		// The predecessor's is the first address of a subnet, which no host has.
		network := netip.PrefixFrom(v.Addr, 64)
		return a.staying(v.Dev) && v.Addr.Is6() && network == network.Masked() &&
			slices.ContainsFunc(a.old.Rules, func(r legacy.Rule) bool { return network.Contains(r.To.Addr()) })
	default:
		return false
	}
}

// madeBefore5 recognises the IPv4 address that release 4 or an earlier one gives to a
// bridge: its number is the position of a mapping of the bridge, or that of the IPv6
// address beside it, which nobody else has.
func (a *adoption) madeBefore5(v object.Address) bool {
	if !v.Prefix.IsSingleIP() || v.Prefix.Addr().Is6() {
		return false
	}
	b := v.Prefix.Addr().As4()
	six := netip.MustParseAddr("fd53:d91e:400:7f17::").As16()
	six[14], six[15] = b[2], b[3]
	beside := object.Address{Dev: v.Dev, Prefix: netip.PrefixFrom(netip.AddrFrom16(six), 128)}
	return b[0] == 169 && b[1] == 254 && b[2]|b[3] != 0 &&
		(a.have.Has(beside.Key()) || slices.Contains(a.positions[v.Dev], int(b[2])<<8|int(b[3])))
}

// madeAddress recognises 169.254.i.i/32 on a bridge, 169.254.i.tag/32 on a VLAN
// device, and fd53:d91e:400:7f17::i:j/128.
func madeAddress(p netip.Prefix, tag uint16) bool {
	if !p.IsSingleIP() {
		return false
	}
	if p.Addr().Is6() {
		return netip.MustParsePrefix("fd53:d91e:400:7f17::/64").Contains(p.Addr())
	}
	b := p.Addr().As4()
	last := b[2]
	if tag != 0 {
		last = byte(tag)
	}
	return b[0] == 169 && b[1] == 254 && b[3] == last
}

// deviceTag returns the tag of a VLAN device on a mapped bridge, 0 for a mapped
// bridge, and false for all other devices.
func (a *adoption) deviceTag(name string) (uint16, bool) {
	for _, v := range a.old.VLANs {
		if v.Name == name {
			return v.VLAN, true
		}
	}
	return 0, slices.Contains(a.mapped, name)
}

func (a *adoption) ourDevice(name string) bool {
	_, ok := a.deviceTag(name)
	return ok
}

func (a *adoption) staying(name string) bool { return a.ourDevice(name) && !a.leaving[name] }

// claimRoutes puts the predecessor's routes, with their protocol, in the place of
// what the backend shows.
func (a *adoption) claimRoutes() {
	for _, r := range a.old.Routes {
		have, there := a.have.Get(r.Key())
		if (!there || !have.Marked) && r.Unmarked() && a.ourDevice(r.Dev) && a.tables[r.Table] {
			a.have.Put(object.Item{Value: r, Marked: true})
		}
	}
}

// claimLinks takes over VLAN devices that are as wanted but for the admin state,
// and lets go of those that leave, and of FRR's if that was asked for. Others are
// the operator's.
func (a *adoption) claimLinks() {
	for _, v := range a.old.VLANs {
		as := v.Link
		as.Up = true
		want, wanted := a.want.Get(v.Key())
		switch {
		case a.isOurs(v.Key()): // nothing to take over
		case wanted && want.Value == object.Value(as):
			a.have.Put(object.Item{Value: unmarked{v.Link}, Marked: true})
		case a.leaving[v.Name]:
			a.have.Put(object.Item{Value: v.Link, Marked: true})
		}
	}
	for _, d := range a.old.Devices {
		if a.removeFRR {
			a.have.Put(object.Item{Value: d, Marked: true})
		}
	}
}

// bridgePart is how much of a bridge's name is in the names of its VLAN devices.
const bridgePart = 10

// madeVLAN recognises a VLAN device by its name and the address on it or, where there
// is none at all, as up to release 4, by the settings that the predecessor makes and
// that nobody else uses it: a VLAN device of an operator has an address, is a port, or
// is routed to.
func madeVLAN(v legacy.VLAN) bool {
	name := fmt.Sprintf("%s.%d", v.Parent[:min(bridgePart, len(v.Parent))], v.VLAN)
	if v.Name != name || v.Alias != "" {
		return false
	}
	return len(v.Addrs) == 0 && v.Proxies && !v.Used ||
		slices.ContainsFunc(v.Addrs, func(p netip.Prefix) bool { return madeAddress(p, v.VLAN) })
}
