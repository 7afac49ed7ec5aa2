package object

import "net/netip"

// KindAddress is an address on a device.
const KindAddress Kind = 6

var addressKind = kindOf[Address](traits{
	kind: KindAddress, name: "address", key: addressKey, readKey: readAddressKey, parse: parseAddress,
})

// Address is an IP address on a device (RTM_NEWADDR).
type Address struct {
	// Dev is the device's name.
	Dev string `json:"dev"`
	// Prefix is IFA_LOCAL with its prefix length, not masked.
	Prefix netip.Prefix `json:"address"`
}

// Key is device, address and length: the kernel lets the same address stand
// with two lengths.
func (a Address) Key() Key { return Key{Kind: KindAddress, Name: a.Dev, Prefix: a.Prefix} }

func addressKey(k Key) string { return k.Prefix.String() + " dev " + k.Name }

func readAddressKey(f *fields) Key { return Key{Prefix: f.prefix(), Name: f.wordAfter("dev")} }

// Attrs is empty: an address is nothing but its key.
func (a Address) Attrs() string { return "" }

// DependsOn names the device.
func (a Address) DependsOn() []Key { return []Key{DeviceNeed(a.Dev)} }

func parseAddress(f *fields) (Value, error) {
	a := Address{Prefix: f.prefix()}
	a.Dev = f.wordAfter("dev")
	return a, f.end()
}
