package object

import "net/netip"

// KindProxyNeigh is a proxy neighbour (ARP or NDP).
const KindProxyNeigh Kind = 8

var proxyNeighKind = kindOf[ProxyNeigh](traits{
	kind: KindProxyNeigh, name: "proxy", key: neighKey, readKey: readNeighKey, parse: parseProxyNeigh,
})

// ProxyNeigh makes the kernel answer ARP or NDP for an address on a device
// (RTM_NEWNEIGH with NTF_PROXY).
type ProxyNeigh struct {
	// Dev is the device's name.
	Dev string `json:"dev"`
	// Addr is NDA_DST, matched exactly by the kernel.
	Addr netip.Addr `json:"address"`
}

// Key is device and address.
func (p ProxyNeigh) Key() Key {
	return Key{Kind: KindProxyNeigh, Name: p.Dev, Prefix: netip.PrefixFrom(p.Addr, p.Addr.BitLen())}
}

// Attrs is empty: a proxy entry is nothing but its key.
func (p ProxyNeigh) Attrs() string { return "" }

// DependsOn names the device.
func (p ProxyNeigh) DependsOn() []Key { return []Key{DeviceNeed(p.Dev)} }

func parseProxyNeigh(f *fields) (Value, error) {
	p := ProxyNeigh{Addr: f.addr()}
	p.Dev = f.wordAfter("dev")
	return p, f.end()
}
