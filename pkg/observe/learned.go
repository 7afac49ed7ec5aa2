package observe

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Learned are the paths that neighbours announce to our speaker, as far as they
// are accepted. It is nil in a snapshot that was taken without a speaker.
type Learned struct {
	// Revision grows with every change.
	Revision uint64 `json:"revision"`
	// Paths are the best paths of each prefix, by prefix and next hop.
	Paths []LearnedPath `json:"paths"`
	// EVPN are the paths of family l2vpn-evpn, the best of each NLRI, by route
	// type, route distinguisher, MAC, prefix and next hop.
	EVPN []EVPNRoute `json:"evpn,omitempty"`
	// NoRoute are next hops of EVPN to which no route of this node leads, in
	// order: what they announce cannot be used.
	NoRoute []netip.Addr `json:"no_route,omitempty"`
	// Unsettled says why paths may be missing: the sessions are not up yet
	// after a start, or the speaker does not answer. Empty once the list is
	// complete: a path that is not in it is not announced.
	Unsettled string `json:"unsettled,omitempty"`
}

// LearnedPath is one of the best paths of a prefix.
type LearnedPath struct {
	Prefix netip.Prefix `json:"prefix"`
	// NextHop may be of the other family (RFC 8950), LinkLocal is the second
	// one that IPv6 has (RFC 2545).
	NextHop   netip.Addr `json:"next_hop"`
	LinkLocal netip.Addr `json:"link_local,omitzero"`
	// Peer is the neighbour's address as configured, with its zone if it is
	// link-local.
	Peer string `json:"peer"`
	// Dev is the device that the session runs on, where the peer does not say it.
	Dev string `json:"dev,omitempty"`
	// Stale is set while graceful restart keeps the path of a lost session.
	Stale bool `json:"stale,omitempty"`
}

// PrefixRange is a prefix and those within it up to a length.
type PrefixRange struct {
	Prefix  netip.Prefix
	Longest int
}

// ParsePrefixRange reads "PREFIX" or "PREFIX le LENGTH".
func ParsePrefixRange(text string) (PrefixRange, error) {
	words := strings.Fields(text)
	if len(words) != 1 && (len(words) != 3 || words[1] != "le") {
		return PrefixRange{}, fmt.Errorf("%q: use PREFIX or PREFIX le LENGTH", text) // as FRR's prefix lists
	}
	p, err := netip.ParsePrefix(words[0])
	if err != nil || p != p.Masked() {
		return PrefixRange{}, fmt.Errorf("%q: %s is not a prefix without host bits", text, words[0])
	}
	r := PrefixRange{p, p.Bits()}
	if len(words) == 3 {
		r.Longest, err = strconv.Atoi(words[2])
		if err != nil || r.Longest < p.Bits() || r.Longest > p.Addr().BitLen() {
			return PrefixRange{}, fmt.Errorf("%q: the length must be %d to %d", text, p.Bits(), p.Addr().BitLen())
		}
	}
	return r, nil
}

// String is the form that ParsePrefixRange reads.
func (r PrefixRange) String() string {
	if r.Exact() {
		return r.Prefix.String()
	}
	return r.Prefix.String() + " le " + strconv.Itoa(r.Longest)
}

// Exact reports whether the range is one prefix.
func (r PrefixRange) Exact() bool { return r.Longest == r.Prefix.Bits() }

// Contains reports whether the prefix is in the range.
func (r PrefixRange) Contains(p netip.Prefix) bool {
	return p.Bits() >= r.Prefix.Bits() && p.Bits() <= r.Longest && r.Prefix.Contains(p.Addr())
}

// DeviceAddress is an address of a device of this node.
type DeviceAddress struct {
	Dev  string     `json:"dev"`
	Addr netip.Addr `json:"addr"`
	// Net is what is directly connected through it, masked.
	Net netip.Prefix `json:"net"`
}

// Connected returns the device whose directly connected prefix contains the
// address; of several, that of the longest.
func (h *Host) Connected(addr netip.Addr) (dev string, ok bool) {
	longest := -1
	for _, a := range h.Addresses {
		if a.Net.Contains(addr) && a.Addr != addr && a.Net.Bits() > longest {
			dev, longest = a.Dev, a.Net.Bits()
		}
	}
	return dev, longest >= 0
}
