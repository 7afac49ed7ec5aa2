package object

import "fmt"

// Link is a network device of our own. It carries our alias (IFLA_IFALIAS) as
// the mark of ownership.
type Link struct {
	// Name is IFLA_IFNAME, at most 15 bytes.
	Name string `json:"name"`
	// Type is IFLA_INFO_KIND; "vlan" is the only one so far.
	Type string `json:"type"`
	// Parent is the name of the device below (IFLA_LINK).
	Parent string `json:"parent"`
	// VLAN is the 802.1Q identifier, 1 to 4094 (IFLA_VLAN_ID).
	VLAN uint16 `json:"vlan"`
	// Up is IFF_UP.
	Up bool `json:"up"`
}

// Key is the device's name.
func (l Link) Key() Key { return Key{Kind: KindLink, Name: l.Name} }

// Attrs prints type, parent, VLAN and admin state.
func (l Link) Attrs() string {
	state := "down"
	if l.Up {
		state = "up"
	}
	return fmt.Sprintf("type %s parent %s id %d %s", l.Type, l.Parent, l.VLAN, state)
}

// DependsOn names the parent.
func (l Link) DependsOn() []Key { return []Key{DeviceNeed(l.Parent)} }

// DeviceNeed is the need for a device by name, whoever made it: a [Link] of
// ours satisfies it as well as a [Device].
func DeviceNeed(name string) Key { return Key{Kind: KindDevice, Name: name} }

func parseLink(f *fields) (Value, error) {
	l := Link{Name: f.word()}
	l.Type = f.wordAfter("type")
	l.Parent = f.wordAfter("parent")
	l.VLAN = uint16(f.numberAfter("id", 16))
	l.Up = f.oneOf("up", "down") == "up"
	return l, f.end()
}

// Claimer is implemented by values that exclude others under different keys:
// of two VLAN devices on one parent only one can have a given identifier.
type Claimer interface {
	Value
	// Claims returns a name for each thing that is taken.
	Claims() []string
}

// Claims returns parent and identifier: the kernel allows a VLAN once a parent.
func (l Link) Claims() []string {
	return []string{fmt.Sprintf("vlan %d on %s", l.VLAN, l.Parent)}
}
