// Package observe says what can be known about the world, as plain immutable
// data: the rows of the OVN Southbound database, some of the Northbound one, the
// local Open_vSwitch database, the devices of this node and the routing tables
// others use. Its subpackages are the sources that fill it in.
//
// It refuses to decide anything (drivers do) and to perform I/O (its
// subpackages do). Relations between rows are methods in lookup.go, so that
// each is written and tested once.
//
// Read next: southbound.go and northbound.go for the rows, lookup.go for the relations, join.go
// for how the parts become one Snapshot.
package observe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// ErrNotSynced is returned by a source before its first complete read.
var ErrNotSynced = errors.New("not synchronised yet")

// Source yields the newest complete, immutable state of one part of the world.
type Source[T any] interface {
	// Changed is closed or signalled when Read may return something new. It
	// carries no payload: whoever is woken reads the whole again.
	Changed() <-chan struct{}
	// Read returns the newest complete state at once, without waiting for
	// I/O; ErrNotSynced (wrapped with what is missing) before the first one.
	Read(ctx context.Context) (T, error)
}

// Snapshot is one consistent, immutable view of everything a driver may know.
// It exists only once every source has reported its initial contents.
type Snapshot struct {
	// Chassis is our system-id, Chassis.name in the Southbound database.
	Chassis string
	// SB are the Southbound rows of one revision.
	SB *Southbound
	// NB are Northbound rows of one revision; nil if they were not asked for.
	NB *Northbound
	// OVS is the local Open_vSwitch database.
	OVS *OpenVSwitch
	// Host is what is known of devices and routing tables of this node.
	Host *Host
	// Learned is what neighbours announce; nil if no speaker was asked.
	Learned *Learned
}

// OpenVSwitch is what we read of the local Open_vSwitch database.
type OpenVSwitch struct {
	// Revision grows with every change.
	Revision uint64 `json:"revision"`
	// SystemID is external_ids:system-id, or the configured override.
	SystemID string `json:"system_id"`
	// Hostname is external_ids:hostname.
	Hostname string `json:"hostname"`
	// Remotes are the entries of external_ids:ovn-remote.
	Remotes []string `json:"remotes"`
	// NBRemotes are the entries of external_ids:ovn-nb-remote.
	NBRemotes []string `json:"nb_remotes,omitempty"`
	// EncapIPs are the addresses of external_ids:ovn-encap-ip, a comma list.
	EncapIPs []netip.Addr `json:"encap_ips"`
	// IntegrationBridge is external_ids:ovn-bridge, br-int by default.
	IntegrationBridge string `json:"integration_bridge"`
	// Mappings are those of external_ids:ovn-bridge-mappings, with the
	// "-<system-id>" form of the key taking precedence.
	Mappings []BridgeMapping `json:"mappings"`
	// Bridges are all rows of table Bridge, by name.
	Bridges []Bridge `json:"bridges"`
	// Problems are entries that could not be read.
	Problems []string `json:"problems"`
	// Stale says why this may be old: empty while connected.
	Stale string `json:"-"`
}

// BridgeMapping is one physnet:bridge item of ovn-bridge-mappings.
type BridgeMapping struct {
	// Position is 1-based among all items of the list, malformed ones counted.
	Position int    `json:"position"`
	Network  string `json:"network"`
	Bridge   string `json:"bridge"`
}

// Bridge is an OVS bridge with what matters of its ports.
type Bridge struct {
	Name string `json:"name"`
	// DatapathType is Bridge.datapath_type: "", "system" or "netdev".
	DatapathType string `json:"datapath_type"`
	// MAC is mac_in_use of the internal port that has the bridge's name; zero
	// while it is not known.
	MAC object.MAC `json:"mac"`
	// Patches are the ports of the bridge that carry
	// external_ids:ovn-localnet-port, by that name.
	Patches []PatchPort `json:"patches"`
	// Made are the ports of the bridge that carry external_ids:bgp-ovn: those
	// that we made, by name.
	Made []MadePort `json:"made,omitempty"`
}

// MadePort is a port of ours on a provider bridge (see object.OVSPort).
type MadePort struct {
	Name string `json:"name"`
	// OFPort is Interface.ofport; 0 while OVS has not assigned one.
	OFPort uint16 `json:"ofport"`
}

// PatchPort connects a localnet port of OVN to a provider bridge.
type PatchPort struct {
	// Localnet is Port.external_ids:ovn-localnet-port, a logical_port.
	Localnet string `json:"localnet"`
	Name     string `json:"name"`
	// OFPort is Interface.ofport on the provider bridge; 0 while OVS has not
	// assigned one (an empty set or -1 in the database).
	OFPort uint16 `json:"ofport"`
}

// Bridge returns the bridge of that name.
func (o *OpenVSwitch) Bridge(name string) (Bridge, bool) {
	for _, b := range o.Bridges {
		if b.Name == name {
			return b, true
		}
	}
	return Bridge{}, false
}

// Patch returns the patch port of a localnet on this bridge.
func (b Bridge) Patch(localnet string) (PatchPort, bool) {
	for _, p := range b.Patches {
		if p.Localnet == localnet {
			return p, true
		}
	}
	return PatchPort{}, false
}

// MadePort returns the port of ours of that name on this bridge.
func (b Bridge) MadePort(name string) (MadePort, bool) {
	for _, p := range b.Made {
		if p.Name == name {
			return p, true
		}
	}
	return MadePort{}, false
}

// Host is what is known of the node's own network stack. It is nil in a
// snapshot file that was taken elsewhere: drivers then assume that the devices
// which OVS names exist.
type Host struct {
	// Revision grows with every change.
	Revision uint64 `json:"revision"`
	// Links are the devices of our network namespace, by name.
	Links []Link `json:"links"`
	// Addresses are those of devices, but for link-local ones and, on other
	// devices than lo and that of our VTEP, host prefixes: nothing is connected
	// through them. They are by device and family, and otherwise in the
	// kernel's order.
	Addresses []DeviceAddress `json:"addresses,omitempty"`
	// Tables are routing tables that have a name in rt_tables or hold routes
	// that are not ours, by number.
	Tables []RoutingTable `json:"tables"`
}

// Link is a network device (rtnetlink RTM_NEWLINK).
type Link struct {
	Name  string     `json:"name"`
	Index int        `json:"index"`
	MAC   object.MAC `json:"mac"`
	Up    bool       `json:"up"` // as its administrator wants it
	MTU   int        `json:"mtu"`
	// NoCarrier says that it is up and that nothing answers at its other end.
	NoCarrier bool `json:"no_carrier,omitempty"`
	// Table is the routing table of a VRF device (IFLA_VRF_TABLE); 0 for others.
	Table uint32 `json:"table,omitempty"`
	// Ours says that it carries our alias.
	Ours bool `json:"ours,omitempty"`
}

// Link returns the device of that name.
func (h *Host) Link(name string) (Link, bool) {
	for _, l := range h.Links {
		if l.Name == name {
			return l, true
		}
	}
	return Link{}, false
}

// RoutingTable says why a table number may not be free.
type RoutingTable struct {
	ID uint32 `json:"id"`
	// Name is what /etc/iproute2/rt_tables and rt_tables.d call it; may be empty.
	Name string `json:"name"`
	// Foreign says that it holds routes that are not ours and none of ours.
	Foreign bool `json:"foreign"`
}

// RowError reports a row that could not be used, and why. What the row last
// led to is held until it can be read again.
type RowError struct {
	Table string
	Row   string
	Err   error
}

// Error reads "Port_Binding vm-a: ...".
func (e *RowError) Error() string { return fmt.Sprintf("%s %s: %v", e.Table, e.Row, e.Err) }

// Unwrap returns what is wrong with the row.
func (e *RowError) Unwrap() error { return e.Err }

// Skip is something that a driver could not use as it stands: a row that
// cannot be read, a conflict that it lost, a bridge that is not there.
type Skip struct {
	Table string `json:"table"`
	Row   string `json:"row"`
	// Code is stable and meant for scripts.
	Code string `json:"code"`
	Text string `json:"text"`
	// VNI is the VXLAN network identifier whose part was skipped, if it is known.
	VNI uint32 `json:"vni,omitempty"`
	// Hold keeps what the row last led to, because the row is unreadable and
	// not gone, or what decides about it is not known.
	Hold bool `json:"hold"`
	// Driver is set where a driver panicked. With Hold and without a Row, all that it
	// last led to is kept, whatever rows that came from.
	Driver string `json:"driver,omitempty"`
	// Stack is that of the panic, for the log; empty where an earlier skip has one of
	// the same place. Package desired takes it out of what it returns.
	Stack string `json:"-"`
}

// The codes of skips.
const (
	SkipUnreadable = "unreadable" // a value in the row cannot be parsed
	SkipConflict   = "conflict"   // another row wants something else under the same key
	SkipDegraded   = "degraded"   // the node lacks something that the row needs
	SkipUnknown    = "unknown"    // what else decides about the row is not known
	SkipOutranked  = "outranked"  // the address is announced with the attributes of another class
	// SkipPanic is a defect of a driver; see package isolate.
	SkipPanic = "driver-panic"
)

// String reads "Port_Binding vm-a: unreadable: ...", without the row where a driver
// was skipped as a whole.
func (s Skip) String() string {
	if s.Table == "" {
		return s.Code + ": " + s.Text
	}
	return s.Table + " " + s.Row + ": " + s.Code + ": " + s.Text
}
