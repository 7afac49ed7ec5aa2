package observe

import (
	"net/netip"
	"path"
)

// Unnumbered are the neighbours on interfaces that the configuration names without an
// address. It is nil in a snapshot for which nobody listened.
type Unnumbered struct {
	// Revision grows with every change.
	Revision uint64 `json:"revision"`
	// Links are the devices of this node that were asked for and are up, by name.
	Links []UnnumberedLink `json:"links"`
}

// UnnumberedLink is a device and the router at its other end.
type UnnumberedLink struct {
	Dev string `json:"dev"`
	// Neighbour is the router's link-local address, without a zone; the zero address until
	// it is known.
	Neighbour netip.Addr `json:"neighbour,omitzero"`
	// Other is a second router that answers on the same link; the zero address if there is none.
	Other netip.Addr `json:"other,omitzero"`
	// Trouble is why nothing can be sent or heard there; empty if it can.
	Trouble string `json:"trouble,omitempty"`
}

// MatchesInterface reports whether a device is one of those that "eth0" or "bond*" stands
// for. The loopback device never is.
func MatchesInterface(pattern, dev string) bool {
	ok, err := path.Match(pattern, dev)
	return ok && err == nil && dev != "lo"
}
