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

// KindNeigh is a neighbour that is not resolved but told.
const KindNeigh Kind = 7

var neighKind = kindOf[Neigh](traits{
	kind: KindNeigh, name: "neigh", key: neighKey, readKey: readNeighKey, parse: parseNeigh,
})

// Neigh is a neighbour entry (RTM_NEWNEIGH) that the kernel need not resolve.
type Neigh struct {
	// Dev is the device's name.
	Dev string `json:"dev"`
	// Addr is NDA_DST.
	Addr netip.Addr `json:"address"`
	// MAC is NDA_LLADDR.
	MAC MAC `json:"lladdr"`
	// Learned enters it as a control plane does that has learnt it from others
	// (NUD_NOARP, NTF_EXT_LEARNED); otherwise it is permanent (NUD_PERMANENT).
	Learned bool `json:"extern_learn,omitempty"`
}

// Key is device and address.
func (n Neigh) Key() Key {
	return Key{Kind: KindNeigh, Name: n.Dev, Prefix: netip.PrefixFrom(n.Addr, n.Addr.BitLen())}
}

func neighKey(k Key) string { return k.Prefix.Addr().String() + " dev " + k.Name }

func readNeighKey(f *fields) Key { return Key{Prefix: f.host(), Name: f.wordAfter("dev")} }

// Attrs prints the link-layer address and whether it was learnt.
func (n Neigh) Attrs() string {
	if n.Learned {
		return "lladdr " + n.MAC.String() + " extern_learn"
	}
	return "lladdr " + n.MAC.String()
}

// DependsOn names the device.
func (n Neigh) DependsOn() []Key { return []Key{DeviceNeed(n.Dev)} }

func parseNeigh(f *fields) (Value, error) {
	n := Neigh{Addr: f.addr()}
	n.Dev = f.wordAfter("dev")
	f.literal("lladdr")
	n.MAC = f.mac()
	if f.more() {
		f.literal("extern_learn")
		n.Learned = true
	}
	return n, f.end()
}
