package ovsport

import (
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// otherInterfaces is put for Interface.type where a port has other interfaces
// than the one of its name. No port that we want is like that.
const otherInterfaces = "bond"

// portState is a port as it is in the database.
type portState struct {
	value object.OVSPort
	ours  bool
	// The UUIDs of its rows; iface is empty if there is no interface of its name
	// alone, and bridge if no bridge has the port.
	port, iface, bridge string
	// lost says that its device is gone, whether or not another one has the name, see lostDevice.
	lost string
}

// inspectTables finds the ports that are ours and those of others under the names.
func inspectTables(t vswitch.Tables, names map[string]bool) map[string]portState {
	out := make(map[string]portState)
	for uuid, br := range t.Bridges {
		for _, port := range br.Ports {
			if p := t.Ports[port]; p != nil && (names[p.Name] || isOurs(p)) {
				h := fromRows(t, p)
				h.value.Bridge, h.port, h.bridge = br.Name, port, uuid
				out[p.Name] = h
			}
		}
	}
	if len(names) == 0 {
		return out
	}
	// An interface of that name in a bond is in the way as well.
	for _, i := range t.Interfaces {
		if _, found := out[i.Name]; !found && names[i.Name] {
			out[i.Name] = portState{value: object.OVSPort{Name: i.Name, Type: i.Type}}
		}
	}
	return out
}

func isOurs(p *vswitch.Port) bool {
	_, marked := p.ExternalIDs[object.OVSPortMark]
	return marked
}

func fromRows(t vswitch.Tables, p *vswitch.Port) portState {
	h := portState{value: object.OVSPort{Name: p.Name}, ours: isOurs(p)}
	if p.Tag != nil {
		h.value.Tag = uint16(*p.Tag)
	}
	i := t.InterfaceOf(p)
	if i == nil || len(p.Interfaces) != 1 {
		h.value.Type = otherInterfaces
		return h
	}
	h.iface, h.value.Type = p.Interfaces[0], i.Type
	h.lost = lostDevice(i)
	if i.MAC != nil {
		// What is not a MAC differs from every one that we want.
		h.value.MAC, _ = object.ParseMAC(*i.MAC)
	}
	return h
}

// check refuses what the database would take and never give back equal.
func check(p object.OVSPort) error {
	switch {
	case p.Type != "" && p.Type != object.OVSInternal:
		return fmt.Errorf("interfaces of type %q are not supported", p.Type)
	case p.Tag > 4094:
		return fmt.Errorf("tag %d is not a VLAN from 1 to 4094", p.Tag)
	case p.Type == "" && !p.MAC.IsZero():
		return fmt.Errorf("only an internal port can be given a MAC")
	}
	return nil
}
