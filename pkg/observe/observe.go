// Package observe holds what is observed, as plain immutable data: the rows of
// the OVN Southbound database, some of the Northbound one, the local Open_vSwitch
// database, the devices of this node, the routing tables that others use, and
// the routes that neighbours announce. Its subpackages are the sources that read
// it.
//
// It refuses to decide anything (drivers do) and to perform I/O (its
// subpackages do). Relations between rows are methods in lookup.go and
// balancer.go, so that each is written and tested once.
//
// Read next: southbound.go and northbound.go for the rows, lookup.go for the
// relations, join.go for how the parts become one Snapshot.
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

// Source yields the newest complete, immutable state of one of the things that
// are observed.
type Source[T any] interface {
	// Changed is closed or signalled when Read may return something new. It
	// carries no payload: the receiver reads the whole again.
	Changed() <-chan struct{}
	// Read returns the newest complete state at once, without waiting for
	// I/O; ErrNotSynced (wrapped with what is missing) before the first one.
	Read(ctx context.Context) (T, error)
}

// Snapshot is one consistent, immutable view of everything that a driver may
// use. It exists only once every source has reported its initial contents.
type Snapshot struct {
	// Chassis is our system-id, Chassis.name in the Southbound database.
	Chassis string
	// SB are the Southbound rows of one revision.
	SB *Southbound
	// NB are Northbound rows of one revision; nil if they were not asked for.
	NB *Northbound
	// OVS is the local Open_vSwitch database.
	OVS *OpenVSwitch
	// Host are the devices and routing tables of this node; nil in a file that was
	// made from the databases alone.
	Host *Host
	// Learned is what neighbours announce; nil if no speaker was asked.
	Learned *Learned
	// Kube is what the Kubernetes API says; nil if it was not asked.
	Kube *Kube
	// Flows are flows of others on external bridges; nil if they were not asked for.
	Flows *Flows
	// Unnumbered are the neighbours on interfaces; nil if nobody listened for them.
	Unnumbered *Unnumbered
	// Protected is what the node itself lives on. Nil is what Protect makes of the
	// other fields: a file of an older release does not have it.
	Protected *Protected
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
	// RoutingPorts are the entries of external_ids:dynamic-routing-port-mapping.
	RoutingPorts []PortMapping `json:"routing_ports,omitempty"`
	// Bridges are all rows of table Bridge, by name.
	Bridges []Bridge `json:"bridges"`
	// Problems are entries that could not be read, a sentence each.
	Problems []string `json:"problems"`
	// Stale says why this may be out of date; empty while connected.
	Stale string `json:"-"`
}

// BridgeMapping is one physnet:bridge item of ovn-bridge-mappings.
type BridgeMapping struct {
	// Position is 1-based among all items of the list, malformed ones counted. The
	// routing table of the bridge is chosen by it.
	Position int `json:"position"`
	// Network is the physical network, network_name of localnet ports.
	Network string `json:"network"`
	// Bridge is Bridge.name.
	Bridge string `json:"bridge"`
}

// Bridge is an OVS bridge with what matters of its ports.
type Bridge struct {
	Name string `json:"name"`
	// DatapathType is Bridge.datapath_type: "", "system" or "netdev".
	DatapathType string `json:"datapath_type"`
	// MAC is mac_in_use of the internal port that has the bridge's name; zero
	// before ovs-vswitchd has written it.
	MAC object.MAC `json:"mac"`
	// Patches are the ports of the bridge that carry
	// external_ids:ovn-localnet-port, by that name.
	Patches []PatchPort `json:"patches"`
	// Uplinks are the other ports of the bridge that lead out of the node: those that
	// are neither patch ports nor internal ones, by name.
	Uplinks []UplinkPort `json:"uplinks,omitempty"`
	// Made are the ports of the bridge that carry external_ids:bgp-ovn: those
	// that we made, by name.
	Made []MadePort `json:"made,omitempty"`
	// Interfaces are those of the bridge that carry external_ids:iface-id, by that and
	// then by name: the logical ports that are plugged in here.
	Interfaces []LogicalInterface `json:"interfaces,omitempty"`
}

// UplinkPort is a port of a provider bridge that leads out of the node.
type UplinkPort struct {
	Name string `json:"name"`
	// OFPort is Interface.ofport; 0 while OVS has not assigned one.
	OFPort uint16 `json:"ofport"`
}

// LeadsOut reports whether an interface of that type (Interface.type) is one by which
// packets leave the node: neither a patch port nor an internal one.
func LeadsOut(kind string) bool { return kind != "patch" && kind != "internal" }

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

// Host is the node's own network stack, as far as drivers need it. It is nil in
// a file that was made from the databases alone: drivers then assume that the
// devices which OVS names exist.
type Host struct {
	// Revision grows with every change.
	Revision uint64 `json:"revision"`
	// Links are the devices of our network namespace, by name.
	Links []Link `json:"links"`
	// Addresses are those of devices, without link-local ones. Host prefixes are
	// there for lo and the device of our VTEP only: nothing is connected through
	// them. The order is by device and family, then the kernel's, in which the
	// first is the primary one.
	Addresses []DeviceAddress `json:"addresses,omitempty"`
	// Gateways are the routes of others in the main table that lead to a next hop, by
	// destination; of very many only some, the default routes among them.
	Gateways []Gateway `json:"gateways,omitempty"`
	// Tables are routing tables that have a name in rt_tables or hold routes
	// that are not ours, by number.
	Tables []RoutingTable `json:"tables"`
	// Watched are routes of others in the routing tables that ovn-controller watches, by
	// table and destination: what leads to a next hop, and what it wrote itself. Of very
	// many only some.
	Watched []TableRoute `json:"watched,omitempty"`
	// Unread are tables of these that could not be read: their routes in Watched may be out of date.
	Unread []uint32 `json:"unread,omitempty"`
}

// Link is a network device (rtnetlink RTM_NEWLINK).
type Link struct {
	Name  string     `json:"name"`
	Index int        `json:"index"`
	MAC   object.MAC `json:"mac"`
	// Up is the administrative state (IFF_UP).
	Up  bool `json:"up"`
	MTU int  `json:"mtu"` // bytes
	// NoCarrier says that it is up and has no carrier (IFF_LOWER_UP is missing): a
	// cable is out, or the other end of a veth pair is down.
	NoCarrier bool `json:"no_carrier,omitempty"`
	// Table is the routing table of a VRF device (IFLA_VRF_TABLE); 0 for others.
	Table uint32 `json:"table,omitempty"`
	// Ours says that it carries our alias.
	Ours bool `json:"ours,omitempty"`
	// Master is the index of the bridge or VRF that it belongs to; 0 if there is none.
	Master int `json:"master,omitempty"`
}

// Gateway is one next hop of a route of others in the main table.
type Gateway struct {
	Dst netip.Prefix `json:"dst"`
	Via netip.Addr   `json:"via"`
	Dev string       `json:"dev"`
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

// RoutingTable is a table whose number may not be free.
type RoutingTable struct {
	ID uint32 `json:"id"`
	// Name is that of /etc/iproute2/rt_tables and rt_tables.d; may be empty.
	Name string `json:"name"`
	// Foreign says that it holds routes that are not ours and none of ours.
	Foreign bool `json:"foreign"`
}

// RowError is a row that could not be read at all. The objects that were derived
// from it before are held until it can be read again.
type RowError struct {
	Table string
	// Row is the name of the row, or its UUID where it has no name.
	Row string
	// Err names the column and what is wrong with its value.
	Err error
}

// Error reads "Port_Binding vm-a: ...".
func (e *RowError) Error() string { return fmt.Sprintf("%s %s: %v", e.Table, e.Row, e.Err) }

// Unwrap returns what is wrong with the row.
func (e *RowError) Unwrap() error { return e.Err }

// Skip is a row that a driver could not use as it is: it cannot be read, it lost
// a conflict, or something that it needs is missing on this node.
type Skip struct {
	Table string `json:"table"`
	Row   string `json:"row"`
	// Code is one of the constants below, stable for scripts.
	Code string `json:"code"`
	// Text says what is wrong, with the column, and what to do.
	Text string `json:"text"`
	// VNI is the VXLAN network identifier that the row is skipped for; 0 if the skip
	// is not about one.
	VNI uint32 `json:"vni,omitempty"`
	// Hold keeps the objects that were derived from the row before: the row exists
	// and is unreadable, or something else that decides about it cannot be read.
	Hold bool `json:"hold"`
	// Driver is set where a driver panicked. With Hold and without a Row, all objects
	// of the driver are kept, whatever rows they came from.
	Driver string `json:"driver,omitempty"`
	// Stack is that of the panic, for the log; empty where an earlier skip has one of
	// the same place. Package desired takes it out of what it returns.
	Stack string `json:"-"`
}

// The codes of skips; docs/glossary.md says what to do about each.
const (
	SkipUnreadable = "unreadable" // a value in the row cannot be parsed
	SkipConflict   = "conflict"   // another row leads to something else under the same key
	SkipDegraded   = "degraded"   // the node lacks something that the row needs
	SkipUnknown    = "unknown"    // another row or database that decides about it cannot be read
	// SkipNoNeighbour is an interface on which no neighbour is known, SkipSecondRouter one
	// with two routers, of which one is the neighbour.
	SkipNoNeighbour  = "no-neighbour"
	SkipSecondRouter = "second-router"

	SkipOutranked = "outranked" // the address is announced with the attributes of another class
	// SkipPanic is a defect of a driver; see package isolate.
	SkipPanic = "driver-panic"
)

// String reads "Port_Binding vm-a: unreadable: ...", without the row where it is about no
// single one, and without the table too where a driver was skipped as a whole.
func (s Skip) String() string {
	if s.Table == "" {
		return s.Code + ": " + s.Text
	}
	if s.Row == "" {
		return s.Table + ": " + s.Code + ": " + s.Text
	}
	return s.Table + " " + s.Row + ": " + s.Code + ": " + s.Text
}
