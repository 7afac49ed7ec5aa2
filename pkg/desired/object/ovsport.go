package object

import "strconv"

// OVSInternal is Interface.type of a port for which Open vSwitch makes a device
// of the same name. An empty type takes a device that is there.
const OVSInternal = "internal"

// OVSPortMark is the key of Port.external_ids by which a port is known to be
// ours, and OVSPortMarkValue what we write there: the version of what the mark
// promises. Whatever the value is, the port is ours.
const (
	OVSPortMark      = "bgp-ovn"
	OVSPortMarkValue = "1"
)

// KindOVSPort is a port of our own on a bridge of Open vSwitch.
const KindOVSPort Kind = 3

var ovsPortKind = kindOf[OVSPort](traits{
	kind: KindOVSPort, name: "ovsport", key: nameOnly, readKey: readName, parse: parseOVSPort,
	device: true, provides: KindDevice, marked: true,
})

// OVSPort is a port of our own on a bridge of Open vSwitch, with one interface
// of the same name (tables Port and Interface of the Open_vSwitch schema). It
// carries external_ids:bgp-ovn as the mark of ownership.
type OVSPort struct {
	// Name is Port.name and Interface.name, unique in the whole database.
	Name string `json:"name"`
	// Bridge is the bridge that the port belongs to.
	Bridge string `json:"bridge"`
	// Type is Interface.type: empty or OVSInternal.
	Type string `json:"type,omitempty"`
	// Tag makes it an access port of this VLAN (Port.tag), 1 to 4094; 0 is none.
	Tag uint16 `json:"tag,omitempty"`
	// MAC is Interface.mac, which only internal ports have.
	MAC MAC `json:"mac,omitzero"`
}

// Key is the port's name.
func (p OVSPort) Key() Key { return Key{Kind: KindOVSPort, Name: p.Name} }

// Attrs prints bridge, type, VLAN and MAC.
func (p OVSPort) Attrs() string {
	text := "bridge " + p.Bridge
	if p.Type != "" {
		text += " type " + p.Type
	}
	if p.Tag != 0 {
		text += " tag " + strconv.Itoa(int(p.Tag))
	}
	if !p.MAC.IsZero() {
		text += " mac " + p.MAC.String()
	}
	return text
}

// DependsOn names the bridge's device and, unless Open vSwitch makes it, the
// port's own.
func (p OVSPort) DependsOn() []Key {
	if p.Type == OVSInternal {
		return []Key{DeviceNeed(p.Bridge)}
	}
	return []Key{DeviceNeed(p.Bridge), {Kind: KindLink, Name: p.Name}}
}

// SamePort reports whether one can be turned into the other without a new
// device: VLAN and MAC are changed in place.
func (p OVSPort) SamePort(o OVSPort) bool {
	o.Tag, o.MAC = p.Tag, p.MAC
	return p == o
}

// CanBecome is SamePort.
func (p OVSPort) CanBecome(after Value) bool {
	a, ok := after.(OVSPort)
	return ok && p.SamePort(a)
}

// VanishesWith is empty: the row of the database outlives every device.
func (p OVSPort) VanishesWith() []Key { return nil }

func parseOVSPort(f *fields) (Value, error) {
	p := OVSPort{Name: f.word()}
	p.Bridge = f.wordAfter("bridge")
	for f.more() {
		switch w := f.word(); w {
		case "type":
			p.Type = f.word()
		case "tag":
			p.Tag = uint16(f.number(16))
		case "mac":
			p.MAC = f.mac()
		default:
			return nil, f.unknown(w)
		}
	}
	return p, f.err
}
