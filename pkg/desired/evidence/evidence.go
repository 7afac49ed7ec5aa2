// Package evidence decides what the rows of the Southbound database prove about an
// address that is announced and that no driver wants any more: that it is
// elsewhere, that it has ended, or nothing. It is pure.
//
// It refuses to derive: which addresses a row leads to is what drivers know. It looks
// at nothing but the rows that a driver named when it last wanted the address.
//
// Read next: Judge; the times that follow from a class are in package reconcile.
package evidence

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Class is what is proved, the strongest proof first.
type Class uint8

// The classes of evidence.
const (
	// NotRows says that the object does not come from rows: there is nothing to ask.
	NotRows Class = iota
	// Elsewhere says that every row that decides names another chassis that the
	// database knows.
	Elsewhere
	// Ended says that a row that decides, or that lists the address, is deleted or does
	// not list it any more.
	Ended
	// Down says that a row that decides is bound here and not up.
	Down
	// Unbound says that a row that decides is bound to no chassis that the database
	// knows: the node may be registering again, or a VM was stopped.
	Unbound
	// Asked says that the Kubernetes API asks for it: the node is out of service, or no
	// endpoint serves the address here. That is policy, and no doubt about what is known.
	Asked
	// Unexplained says that the rows that decide are as they were. Something else is
	// missing on which the address stands: a localnet port, a router's port, a bridge
	// mapping, all of nat_addresses.
	Unexplained
)

// String is the class as a word of messages and JSON.
func (c Class) String() string {
	return [...]string{"not-rows", "elsewhere", "ended", "down", "unbound", "asked", "unexplained"}[c]
}

// Verdict is what the rows prove, and the row that proves it.
type Verdict struct {
	Class Class
	// Text is a sentence about that row without a full stop; empty for NotRows.
	Text string
}

// Judge says what the rows of snap prove about the object with the key k, which was
// wanted because of why when it was wanted last. A database that is disconnected
// proves nothing.
func Judge(k object.Key, why []object.Source, snap observe.Snapshot) Verdict {
	if !FromRows(why) {
		return Verdict{}
	}
	sb := snap.SB
	switch {
	case sb == nil:
		return Verdict{Unexplained, "the Southbound database has not been read"}
	case sb.Stale != "":
		return Verdict{Unexplained, "Southbound database: " + sb.Stale}
	case snap.OVS.Stale != "": // which tells what this node's name is
		return Verdict{Unexplained, "Open_vSwitch database: " + snap.OVS.Stale}
	}
	c := court{sb: sb, name: snap.Chassis, key: k}
	if me, ok := sb.ChassisByName(snap.Chassis); ok {
		c.me = me.UUID
	}
	if v, ok := c.services(why, snap); ok {
		return v
	}
	return c.judge(why)
}

// FromRows reports whether rows decide about what was wanted because of why, and not the
// configuration or the node itself.
func FromRows(why []object.Source) bool { return slices.ContainsFunc(why, fromRow) }

// fromRow reports whether a source is a row that can prove something.
func fromRow(src object.Source) bool {
	return src.Decides || src.Lists != "" || src.Table == tablePort || src.Table == tableBalancer ||
		src.Table == tableService
}

// The tables whose rows are evidence.
const (
	tablePort     = "Port_Binding"
	tableBalancer = "Load_Balancer"
)

// court looks at the rows behind one object.
type court struct {
	sb   *observe.Southbound
	name string       // of this node's chassis
	me   observe.UUID // its row; zero if it is missing
	key  object.Key
}

// judge weighs: where the address is counts before that it has ended, and that before
// that nobody has it.
func (c court) judge(why []object.Source) Verdict {
	deciders := c.deciders(why)
	var states []Verdict
	for _, name := range deciders {
		states = append(states, c.binding(name))
	}
	elsewhere := func(v Verdict) bool { return v.Class == Elsewhere }
	if gone, ok := c.advertised(why); ok {
		// Every port that decides is needed: the router's, and the one whose chassis
		// attracts the traffic.
		if i := slices.IndexFunc(states, elsewhere); i >= 0 {
			return states[i]
		}
		states = append(states, gone)
	}
	if len(states) > 0 && !slices.ContainsFunc(states, func(v Verdict) bool { return !elsewhere(v) }) {
		return states[0]
	}
	states = append(states, c.listing(why), c.balancers(why))
	for _, class := range []Class{Ended, Down, Unbound, Unexplained} {
		if i := slices.IndexFunc(states, func(v Verdict) bool { return v.Class == class && v.Text != "" }); i >= 0 {
			return states[i]
		}
	}
	return Verdict{Unexplained, c.unexplained(why)}
}

// deciders are the ports whose bindings decide. That of a floating IP stands in the
// entry of nat_addresses, which may name another port by now.
func (c court) deciders(why []object.Source) []string {
	var recorded, now []string
	for _, src := range why {
		if src.Decides {
			recorded = append(recorded, src.Row)
		}
		if src.Lists != object.ListsOthers || src.Table != tablePort {
			continue
		}
		if p, ok := c.sb.Port(src.Row); ok {
			for _, nat := range p.NAT {
				if nat.Resident != "" && c.contains(nat.Addrs) {
					now = append(now, nat.Resident)
				}
			}
		}
	}
	if len(now) > 0 {
		return now
	}
	return recorded
}

// binding is what a port that decides proves.
func (c court) binding(name string) Verdict {
	p, ok := c.sb.Port(name)
	switch {
	case !ok && !c.sb.Gone(name):
		return Verdict{Unbound, c.unseen(name)}
	case !ok:
		return Verdict{Ended, "Port_Binding " + name + " is deleted"}
	case p.Type == observe.PortL3Gateway:
		return c.gatewayRouter(p)
	case !c.me.IsZero() && p.Chassis == c.me:
		if p.Down {
			return Verdict{Down, "Port_Binding " + name + " is down"}
		}
		return Verdict{Class: Unexplained}
	}
	switch other := c.sb.ChassisName(p.Chassis); {
	case other != "" && other != c.name:
		return Verdict{Elsewhere, fmt.Sprintf("Port_Binding %s is bound to chassis %s", name, other)}
	case p.Chassis.IsZero():
		return Verdict{Unbound, "Port_Binding " + name + " is bound to no chassis"}
	default:
		return Verdict{Unbound, "Port_Binding " + name + " is bound to a chassis that is not in the database"}
	}
}

// unseen says that a port is not among the rows that were asked for, which proves neither
// that it is deleted nor that another chassis has it.
func (court) unseen(name string) string {
	return "Port_Binding " + name + " is deleted, or no longer among the rows that are read (ovn_sb_scope: local)"
}

// gatewayRouter is what a port of a gateway router proves, whose chassis is an option.
func (c court) gatewayRouter(p *observe.PortBinding) Verdict {
	name := p.Options["l3gateway-chassis"]
	_, known := c.sb.ChassisByName(name)
	switch {
	case known && name != c.name:
		return Verdict{Elsewhere, fmt.Sprintf("Port_Binding %s belongs to chassis %s", p.LogicalPort, name)}
	case known:
		return Verdict{Class: Unexplained}
	default:
		return Verdict{Unbound, "Port_Binding " + p.LogicalPort + " belongs to no chassis that is in the database"}
	}
}

// listing is what the rows prove that list the address. One that still does is enough;
// that a row which lists addresses of others is gone, or lists nothing at all, tells
// of none of them that it has ended.
func (c court) listing(why []object.Source) Verdict {
	var ended, unexplained Verdict
	for _, src := range why {
		if src.Lists == "" || src.Table != tablePort {
			continue
		}
		p, ok := c.sb.Port(src.Row)
		others := src.Lists == object.ListsOthers
		switch {
		case !ok && others:
			unexplained = Verdict{Unexplained, "Port_Binding " + src.Row + ", which listed it in nat_addresses, is gone"}
		case !ok && !c.sb.Gone(src.Row):
			return Verdict{Unbound, c.unseen(src.Row)}
		case !ok:
			ended = Verdict{Ended, "Port_Binding " + src.Row + " is deleted"}
		case others && len(p.NAT) == 0:
			unexplained = Verdict{Unexplained, "Port_Binding " + src.Row + " lists nothing in nat_addresses any more"}
		case !c.listed(p):
			ended = Verdict{Ended, fmt.Sprintf("Port_Binding %s does not list %s any more", src.Row, c.key.Prefix.Addr())}
		case p.Type == observe.PortVIF && p.Chassis.IsZero():
			return Verdict{Unbound, "Port_Binding " + src.Row + " is bound to no chassis"}
		default:
			return Verdict{}
		}
	}
	if unexplained.Text != "" {
		return unexplained
	}
	return ended
}

// advertised is what rows prove by which ovn-northd says what a router, or a switch with
// a VNI, is to announce: without one of them that has ended. False where there is none
// among the sources.
func (c court) advertised(why []object.Source) (Verdict, bool) {
	found := false
	for _, src := range why {
		var there bool
		switch src.Table {
		case observe.TableAdvertisedRoute:
			there = slices.ContainsFunc(c.sb.Advertised, func(r *observe.AdvertisedRoute) bool {
				return r.UUID.String() == src.Row
			})
		case observe.TableAdvertisedMAC:
			there = slices.ContainsFunc(c.sb.MACs, func(r *observe.AdvertisedMAC) bool { return r.UUID.String() == src.Row })
		default:
			continue
		}
		if found = true; there {
			return Verdict{}, true
		}
	}
	return Verdict{Ended, "the row by which OVN advertised it is deleted"}, found
}

// balancers is what the rows of load balancers prove: without one that has the name
// of a source its address has ended.
func (c court) balancers(why []object.Source) Verdict {
	for _, src := range why {
		named := func(lb *observe.LoadBalancer) bool { return lb.Name == src.Row }
		if src.Table == tableBalancer && src.Lists != "" && !slices.ContainsFunc(c.sb.Balancers, named) {
			return Verdict{Ended, "Load_Balancer " + src.Row + " is deleted"}
		}
	}
	return Verdict{}
}

// listed reports whether a port lists the address of the object: in column mac or
// nat_addresses, or where mac has no address in neutron:cidrs. It is true of objects
// without an address, or with a subnet.
func (c court) listed(p *observe.PortBinding) bool {
	if !c.key.Prefix.IsValid() || !c.key.Prefix.IsSingleIP() || len(p.Problems) > 0 {
		return true
	}
	addr := c.key.Prefix.Addr()
	has := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(x netip.Prefix) bool { return x.Addr() == addr })
	}
	own := func(el observe.PortAddress) bool { return len(el.Addrs) > 0 }
	return has(p.CIDRs()) && !slices.ContainsFunc(p.Addresses, own) ||
		slices.ContainsFunc(p.Addresses, func(el observe.PortAddress) bool { return has(el.Addrs) }) ||
		slices.ContainsFunc(p.NAT, func(nat observe.NATAddress) bool { return slices.Contains(nat.Addrs, addr) })
}

// contains reports whether a list has the address of the object.
func (c court) contains(list []netip.Addr) bool {
	return c.key.Prefix.IsValid() && c.key.Prefix.IsSingleIP() && slices.Contains(list, c.key.Prefix.Addr())
}

// unexplained names a row on which the address stood and that is gone, if there is one.
func (c court) unexplained(why []object.Source) string {
	for _, src := range why {
		if _, ok := c.sb.Port(src.Row); src.Table == tablePort && !ok {
			return "Port_Binding " + src.Row + ", on which it stands, is gone"
		}
	}
	return "the rows that it comes from are as they were"
}
