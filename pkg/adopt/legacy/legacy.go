// Package legacy reads and changes what the predecessor, ovn-bgp-agent, leaves
// in the kernel: one ip rule for each address, routes without a mark of their
// own, VLAN devices, and the devices that existed for FRR only.
//
// It is not part of the kernel backend because it does what the backend must never
// do: it puts our protocol on a route of another owner, and deletes what does not
// carry our mark. Only package adopt uses it. What is the predecessor's is decided
// there; this package says what exists, and refuses every write about an object of
// any other type than it has read.
//
// Addresses, neighbours and proxies are not here: the backend shows those of
// others on our devices and can delete them. Flows carry the same cookie as
// ours and need no taking over.
//
// Read next: read.go, write.go.
package legacy

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// RulePriority is where the predecessor puts its rules; it cannot be configured.
const RulePriority = 32000

// Rule sends one destination to a table. It is an [object.Value] of kind rule
// that is never wanted, so that a plan can delete it.
type Rule struct {
	To       netip.Prefix `json:"to"`
	Table    uint32       `json:"table"`
	Priority uint32       `json:"priority"`
	protocol uint8
}

// Key has the destination in its name: no rule of ours has one.
func (r Rule) Key() object.Key {
	family := "inet"
	if r.To.Addr().Is6() {
		family = "inet6"
	}
	return object.Key{Kind: object.KindRule, Name: family + " to " + r.To.String(), Num: r.Table, Aux: r.Priority}
}

// Attrs is empty: a rule is nothing but its key.
func (r Rule) Attrs() string { return "" }

// DependsOn is empty.
func (r Rule) DependsOn() []object.Key { return nil }

// Route is a FIB entry with the protocol of another owner. It has the key of the
// route that it is, so that a wanted one under that key is an update.
type Route struct {
	object.Route
	Protocol uint8 `json:"protocol"`
}

// AsMade is a route with the protocol with which the predecessor makes its own.
func AsMade(r object.Route) Route { return Route{r, unix.RTPROT_BOOT} }

// Attrs are those of the route and its protocol.
func (r Route) Attrs() string { return r.Route.Attrs() + " proto " + protocolName(r.Protocol) }

// DependsOn is empty: that one of the predecessor's routes must be kept is no
// reason to keep all others on the same device.
func (r Route) DependsOn() []object.Key { return nil }

// Unmarked reports whether the route has a protocol that the predecessor's
// routes have: that of ip(8) and of a netlink library without an opinion.
func (r Route) Unmarked() bool {
	return r.Protocol == unix.RTPROT_BOOT || r.Protocol == unix.RTPROT_STATIC || r.Protocol == unix.RTPROT_UNSPEC
}

// Learned is a route of the main table that FRR has learned by BGP. It has the key of the route that
// it is, and is never wanted, so that a plan can delete it.
type Learned struct{ object.Route }

// Attrs are those of the route, and whose it is.
func (l Learned) Attrs() string { return l.Route.Attrs() + " proto bgp" }

// DependsOn is empty: it exists.
func (l Learned) DependsOn() []object.Key { return nil }

// protocolName is the word for a protocol that ip(8) knows without a file, or else
// its number.
func protocolName(p uint8) string {
	switch p {
	case unix.RTPROT_BOOT:
		return "boot"
	case unix.RTPROT_STATIC:
		return "static"
	default:
		return strconv.Itoa(int(p))
	}
}

// VLAN is a VLAN device on one of our bridges, with what shows who made it.
type VLAN struct {
	object.Link
	Alias string
	// Addrs are the addresses on it that the kernel did not make by itself.
	Addrs []netip.Prefix
	// Proxies is set if it answers for the addresses of others, by ARP and by neighbour
	// discovery. New devices do neither.
	Proxies bool
	// Used is set if it is the port of another device, or has devices on it, or if a
	// route outside of the tables that were read leads to it.
	Used bool
}

// Released is a device of ours that is handed back: it has lost our alias, and nothing
// else.
type Released struct{ object.Link }

// Attrs are those of the device.
func (r Released) Attrs() string { return r.Link.Attrs() + " without alias" }

// DependsOn is empty: it exists.
func (r Released) DependsOn() []object.Key { return nil }

// Device is a device that existed for FRR: the dummy that bore the announced
// addresses, or its VRF.
type Device struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Addrs is how many addresses there are on it.
	Addrs int `json:"addresses"`
}

// Key is the device's name.
func (d Device) Key() object.Key { return object.Key{Kind: object.KindLink, Name: d.Name} }

// Attrs prints what it is and what it bears.
func (d Device) Attrs() string { return fmt.Sprintf("type %s with %d addresses", d.Type, d.Addrs) }

// DependsOn is empty.
func (d Device) DependsOn() []object.Key { return nil }

// Kernel is the kernel of the calling thread's network namespace.
type Kernel struct{ nl *netlink.Handle }

// Open opens the socket.
func Open() (*Kernel, error) {
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	return &Kernel{nl}, nil
}

// Close releases the socket.
func (k *Kernel) Close() error {
	k.nl.Close()
	return nil
}
