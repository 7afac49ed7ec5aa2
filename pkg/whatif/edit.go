package whatif

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Row is a column of a row that an event changes.
type Row struct {
	Table, Row, Column string
	// Before and After are the values for people.
	Before, After string
}

// Apply changes a snapshot as events would, one after the other. The snapshot that it was
// given stays as it is.
//
// A port that moves is bound to the new chassis and up, its additional chassis are dropped,
// and the ports that have it as their parent (VLAN-aware ports) or as virtual parent go along
// with it. A chassis that is gone loses its rows in Chassis and Encap. Its ports of VMs are
// bound to nobody and down; gateway ports (chassisredirect) go to the chassis of the highest
// priority that is left of their HA_Chassis_Group or Gateway_Chassis rows, or to nobody. A
// peer that is down takes along what was learned from it.
func Apply(snap observe.Snapshot, edits []Edit) (observe.Snapshot, []Row, error) {
	var rows []Row
	sb := *snap.SB
	snap.SB = &sb
	for _, e := range edits {
		var more []Row
		var err error
		switch e.Event {
		case Move:
			more, err = move(&sb, e)
		case ChassisGone:
			more, err = chassisGone(&sb, e)
		default:
			snap.Learned = unlearned(snap.Learned, e)
		}
		if err != nil {
			return snap, nil, err
		}
		rows = append(rows, more...)
	}
	return snap, rows, nil
}

// chassisOf finds a chassis by its system-id, its host name or the first label of that; nil if
// there is none.
func chassisOf(sb *observe.Southbound, name string) *observe.Chassis {
	for _, of := range []func(*observe.Chassis) string{
		func(c *observe.Chassis) string { return c.Name },
		func(c *observe.Chassis) string { return c.Hostname },
		func(c *observe.Chassis) string { first, _, _ := strings.Cut(c.Hostname, "."); return first },
	} {
		if i := slices.IndexFunc(sb.Chassis, func(c *observe.Chassis) bool { return of(c) == name }); i >= 0 && name != "" {
			return sb.Chassis[i]
		}
	}
	return nil
}

// nameOf is what people call the chassis with a UUID.
func nameOf(sb *observe.Southbound, id observe.UUID) string {
	if id.IsZero() {
		return "nobody"
	}
	for _, c := range sb.Chassis {
		if c.UUID == id {
			return label(sb, c.Name)
		}
	}
	return id.String()
}

func move(sb *observe.Southbound, e Edit) ([]Row, error) {
	to := chassisOf(sb, e.Chassis)
	if to == nil {
		return nil, fmt.Errorf("%s: there is no chassis %q in the Southbound rows", e, e.Chassis)
	}
	var port *observe.PortBinding
	for p := range sb.Ports.All() {
		if p.LogicalPort == e.Port || p.ExternalIDs["neutron:port_name"] == e.Port && port == nil {
			port = p
		}
		if p.LogicalPort == e.Port {
			break
		}
	}
	if port == nil {
		return nil, fmt.Errorf("%s: there is no port %q in the Southbound rows", e, e.Port)
	}
	if port.Type == observe.PortLocalnet || port.Type == observe.PortPatch {
		return nil, fmt.Errorf("%s: a port of type %s is bound to no chassis", e, port.Type)
	}
	return rebind(sb, func(p *observe.PortBinding) (observe.UUID, bool) {
		goes := p == port || p.ParentPort == port.LogicalPort || p.VirtualParent == port.LogicalPort
		return to.UUID, goes
	}), nil
}

// rebind binds the ports that to says to another chassis; a zero one unbinds them.
func rebind(sb *observe.Southbound, to func(*observe.PortBinding) (observe.UUID, bool)) []Row {
	var rows []Row
	names := *sb
	var edits []rowlist.Edit[*observe.PortBinding]
	for p := range sb.Ports.All() {
		id, goes := to(p)
		if !goes || id == p.Chassis && len(p.AdditionalChassis) == 0 && p.Down == id.IsZero() {
			continue
		}
		other := *p
		other.Chassis, other.AdditionalChassis = id, nil
		if p.Type != observe.PortChassisRedirect { // ovn-northd keeps these up
			other.Down = id.IsZero()
		}
		edits = append(edits, rowlist.Edit[*observe.PortBinding]{Row: p, Remove: true},
			rowlist.Edit[*observe.PortBinding]{Row: &other})
		if id != p.Chassis {
			rows = append(rows, Row{"Port_Binding", p.LogicalPort, "chassis", nameOf(&names, p.Chassis), nameOf(&names, id)})
		}
		if other.Down != p.Down {
			rows = append(rows, Row{"Port_Binding", p.LogicalPort, "up", fmt.Sprint(!p.Down), fmt.Sprint(!other.Down)})
		}
	}
	sb.Ports = sb.Ports.With(edits, observe.ComparePorts)
	return rows
}

func chassisGone(sb *observe.Southbound, e Edit) ([]Row, error) {
	c := chassisOf(sb, e.Chassis)
	if c == nil {
		return nil, fmt.Errorf("%s: there is no such chassis in the Southbound rows", e)
	}
	rows := []Row{{"Chassis", label(sb, c.Name), "", "there", "deleted"}}
	rows = append(rows, rebind(sb, func(p *observe.PortBinding) (observe.UUID, bool) {
		switch {
		case p.Chassis != c.UUID:
			return observe.UUID{}, false
		case p.Type == observe.PortChassisRedirect:
			return successor(sb, p, c.UUID), true
		case len(p.AdditionalChassis) > 0: // a live migration that ends by it
			return p.AdditionalChassis[0], true
		default:
			return observe.UUID{}, true
		}
	})...)
	sb.Chassis = slices.DeleteFunc(slices.Clone(sb.Chassis), func(o *observe.Chassis) bool { return o.UUID == c.UUID })
	sb.Encaps = slices.DeleteFunc(slices.Clone(sb.Encaps), func(o *observe.Encap) bool { return o.ChassisName == c.Name })
	return rows, nil
}

// candidate is a chassis that may have a gateway port.
type candidate struct {
	chassis  observe.UUID
	priority int
}

// successor is the chassis that takes a gateway port over from one that is gone; zero if none
// is left.
func successor(sb *observe.Southbound, p *observe.PortBinding, from observe.UUID) observe.UUID {
	var left []candidate
	for _, g := range sb.HAGroups {
		if g.UUID != p.HAGroup {
			continue
		}
		for _, m := range sb.HAChassis {
			if slices.Contains(g.Members, m.UUID) {
				left = append(left, candidate{m.Chassis, m.Priority})
			}
		}
	}
	for _, g := range sb.GWChassis {
		if slices.Contains(p.GWChassis, g.UUID) {
			left = append(left, candidate{g.Chassis, g.Priority})
		}
	}
	left = slices.DeleteFunc(left, func(c candidate) bool {
		return c.chassis == from || c.chassis.IsZero() || !slices.ContainsFunc(sb.Chassis, func(o *observe.Chassis) bool {
			return o.UUID == c.chassis
		})
	})
	if len(left) == 0 {
		return observe.UUID{}
	}
	return slices.MaxFunc(left, func(a, b candidate) int { return cmp.Compare(a.priority, b.priority) }).chassis
}

// unlearned is what is learned without a neighbour.
func unlearned(l *observe.Learned, e Edit) *observe.Learned {
	if l == nil {
		return nil
	}
	out := *l
	out.Paths = slices.DeleteFunc(slices.Clone(l.Paths), func(p observe.LearnedPath) bool {
		return sameAddress(p.Peer, e.Peer)
	})
	return &out
}
