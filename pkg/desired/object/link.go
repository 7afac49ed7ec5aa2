package object

import (
	"fmt"
	"net/netip"
	"strings"
)

// The types of links, as IFLA_INFO_KIND spells them.
const (
	LinkVLAN   = "vlan"
	LinkVRF    = "vrf"
	LinkBridge = "bridge"
	LinkVXLAN  = "vxlan"
	LinkVeth   = "veth"
	LinkDummy  = "dummy"
)

// KindLink is a device of our own (VLAN, VRF, bridge, VXLAN, veth, dummy).
const KindLink Kind = 2

var linkKind = kindOf[Link](traits{
	kind: KindLink, name: "link", key: nameOnly, readKey: readName, parse: parseLink,
	device: true, provides: KindDevice, marked: true,
})

// Link is a network device of our own. It carries our alias (IFLA_IFALIAS) as
// the mark of ownership. Which fields count is up to the type; the others are
// zero.
type Link struct {
	// Name is IFLA_IFNAME, at most 15 bytes.
	Name string `json:"name"`
	// Type is IFLA_INFO_KIND: LinkVLAN and so on.
	Type string `json:"type"`
	// Parent is the name of the device below a VLAN (IFLA_LINK).
	Parent string `json:"parent,omitempty"`
	// VLAN is the 802.1Q identifier, 1 to 4094 (IFLA_VLAN_ID).
	VLAN uint16 `json:"vlan,omitempty"`
	// Table is the routing table of a VRF (IFLA_VRF_TABLE).
	Table uint32 `json:"table,omitempty"`
	// VNI is the VXLAN network identifier, 1 to 16777215 (IFLA_VXLAN_ID).
	VNI uint32 `json:"vni,omitempty"`
	// Local is the address from which a VXLAN device sends: that of our VTEP
	// (IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6).
	Local netip.Addr `json:"local,omitzero"`
	// Port is the UDP port of a VXLAN device (IFLA_VXLAN_PORT).
	Port uint16 `json:"port,omitempty"`
	// Peer is the other end of a veth. Both ends are links of ours, and making
	// or removing one does the same to the other.
	Peer string `json:"peer,omitempty"`
	// MAC is IFLA_ADDRESS of a bridge, VXLAN device or veth; the kernel's choice,
	// and zero here, for the other types.
	MAC MAC `json:"mac,omitzero"`
	// Master is the name of the VRF or bridge that the device belongs to
	// (IFLA_MASTER).
	Master string `json:"master,omitempty"`
	// NoLearning says that no address is learnt from traffic: neither by a VXLAN
	// device (IFLA_VXLAN_LEARNING), which we always make so, nor by the port of a
	// bridge (IFLA_BRPORT_LEARNING).
	NoLearning bool `json:"no_learning,omitempty"`
	// Suppress answers ARP and neighbour solicitations from the bridge's
	// neighbour table instead of flooding them into this port
	// (IFLA_BRPORT_NEIGH_SUPPRESS).
	Suppress bool `json:"neigh_suppress,omitempty"`
	// Up is IFF_UP.
	Up bool `json:"up"`
}

// Key is the device's name.
func (l Link) Key() Key { return Key{Kind: KindLink, Name: l.Name} }

// Attrs prints type, what belongs to it, master and admin state.
func (l Link) Attrs() string {
	var b strings.Builder
	b.WriteString("type " + l.Type)
	switch l.Type {
	case LinkVLAN:
		fmt.Fprintf(&b, " parent %s id %d", l.Parent, l.VLAN)
	case LinkVRF:
		fmt.Fprintf(&b, " table %d", l.Table)
	case LinkVXLAN:
		fmt.Fprintf(&b, " id %d local %s port %d", l.VNI, l.Local, l.Port)
	case LinkVeth:
		b.WriteString(" peer " + l.Peer)
	}
	if !l.MAC.IsZero() {
		b.WriteString(" mac " + l.MAC.String())
	}
	if l.Master != "" {
		b.WriteString(" master " + l.Master)
	}
	if l.NoLearning {
		b.WriteString(" nolearning")
	}
	if l.Suppress {
		b.WriteString(" neigh_suppress")
	}
	b.WriteString(" " + upOrDown(l.Up))
	return b.String()
}

func upOrDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// DependsOn names the device below and the master.
func (l Link) DependsOn() []Key {
	var out []Key
	for _, name := range []string{l.Parent, l.Master} {
		if name != "" {
			out = append(out, DeviceNeed(name))
		}
	}
	return out
}

// SameDevice reports whether the kernel can turn one into the other in place:
// MAC, master, port settings and admin state can be changed, the rest cannot.
func (l Link) SameDevice(o Link) bool {
	o.MAC, o.Master, o.NoLearning, o.Suppress, o.Up = l.MAC, l.Master, l.NoLearning, l.Suppress, l.Up
	return l == o
}

// CanBecome is SameDevice.
func (l Link) CanBecome(after Value) bool {
	a, ok := after.(Link)
	return ok && l.SameDevice(a)
}

// Isolates is the table of a VRF.
func (l Link) Isolates() uint32 {
	if l.Type != LinkVRF {
		return 0
	}
	return l.Table
}

// Place puts a VRF before the bridges in it and a bridge before its ports.
func (l Link) Place() (Kind, int) {
	switch l.Type {
	case LinkVRF:
		return KindLink, 0
	case LinkBridge:
		return KindLink, 1
	default:
		return KindLink, 2
	}
}

// VanishesWith names the device below: a link outlives its master, which releases
// it.
func (l Link) VanishesWith() []Key {
	if l.Parent == "" {
		return nil
	}
	return []Key{DeviceNeed(l.Parent)}
}

// Pair is the other end of a veth.
func (l Link) Pair() (Key, bool) { return Key{Kind: KindLink, Name: l.Peer}, l.Peer != "" }

// DeviceNeed is the need for a device by name, whoever made it: a [Link] or an
// [OVSPort] of ours satisfies it as well as a [Device].
func DeviceNeed(name string) Key { return Key{Kind: KindDevice, Name: name} }

func parseLink(f *fields) (Value, error) {
	l := Link{Name: f.word()}
	l.Type = f.wordAfter("type")
	switch l.Type {
	case LinkVLAN:
		l.Parent = f.wordAfter("parent")
		l.VLAN = uint16(f.numberAfter("id", 16))
	case LinkVRF:
		l.Table = f.uint32After("table")
	case LinkVXLAN:
		l.VNI = f.uint32After("id")
		f.literal("local")
		l.Local = f.addr()
		l.Port = uint16(f.numberAfter("port", 16))
	case LinkVeth:
		l.Peer = f.wordAfter("peer")
	}
	for {
		switch w := f.word(); w {
		case "mac":
			l.MAC = f.mac()
		case "master":
			l.Master = f.word()
		case "nolearning":
			l.NoLearning = true
		case "neigh_suppress":
			l.Suppress = true
		case "up", "down":
			l.Up = w == "up"
			return l, f.end()
		default:
			if f.err != nil {
				return nil, f.err
			}
			return nil, f.unknown(w)
		}
	}
}

// Claims returns what the kernel allows once: a VLAN on its parent, a VRF for a
// table, a VXLAN device for a network identifier.
func (l Link) Claims() []string {
	switch l.Type {
	case LinkVLAN:
		return []string{fmt.Sprintf("vlan %d on %s", l.VLAN, l.Parent)}
	case LinkVRF:
		return []string{fmt.Sprintf("vrf of table %d", l.Table)}
	case LinkVXLAN:
		return []string{fmt.Sprintf("vni %d on port %d", l.VNI, l.Port)}
	default:
		return nil
	}
}
