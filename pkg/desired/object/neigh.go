package object

import (
	"fmt"
	"net"
	"net/netip"
)

// MAC is an Ethernet address in a comparable form.
type MAC [6]byte

// ParseMAC reads the usual colon form.
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != 6 {
		return MAC{}, fmt.Errorf("%q is not an Ethernet address", s)
	}
	return MAC(hw), nil
}

// String prints the colon form in lower case.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// MarshalText is String for JSON.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// IsZero reports whether the address is unset.
func (m MAC) IsZero() bool { return m == MAC{} }

// Neigh is a permanent neighbour entry (RTM_NEWNEIGH, NUD_PERMANENT).
type Neigh struct {
	// Dev is the device's name.
	Dev string `json:"dev"`
	// Addr is NDA_DST.
	Addr netip.Addr `json:"address"`
	// MAC is NDA_LLADDR.
	MAC MAC `json:"lladdr"`
}

// Key is device and address.
func (n Neigh) Key() Key {
	return Key{Kind: KindNeigh, Name: n.Dev, Prefix: netip.PrefixFrom(n.Addr, n.Addr.BitLen())}
}

func neighKey(k Key) string { return k.Prefix.Addr().String() + " dev " + k.Name }

// Attrs prints the link-layer address.
func (n Neigh) Attrs() string { return "lladdr " + n.MAC.String() }

// DependsOn names the device.
func (n Neigh) DependsOn() []Key { return []Key{DeviceNeed(n.Dev)} }

func parseNeigh(f *fields) (Value, error) {
	n := Neigh{Addr: f.addr()}
	n.Dev = f.wordAfter("dev")
	var err error
	if n.MAC, err = ParseMAC(f.wordAfter("lladdr")); err != nil && f.err == nil {
		f.err = err
	}
	return n, f.end()
}
