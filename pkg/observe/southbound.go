package observe

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// UUID is a row's identity (RFC 7047 section 3.1).
type UUID [16]byte

// ParseUUID reads the usual 8-4-4-4-12 form.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, fmt.Errorf("%q is not a UUID", s)
	}
	digits := strings.ReplaceAll(s, "-", "")
	if _, err := hex.Decode(u[:], []byte(digits)); err != nil || len(digits) != 32 {
		return UUID{}, fmt.Errorf("%q is not a UUID", s)
	}
	return u, nil
}

// String prints the usual form.
func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// MarshalText is String for JSON.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText is ParseUUID for JSON.
func (u *UUID) UnmarshalText(b []byte) (err error) {
	*u, err = ParseUUID(string(b))
	return err
}

// Compare orders UUIDs by their bytes.
func (u UUID) Compare(o UUID) int { return bytes.Compare(u[:], o[:]) }

// IsZero reports whether the reference is empty.
func (u UUID) IsZero() bool { return u == UUID{} }

// Southbound holds the rows of one revision of the OVN Southbound database.
// Every slice is sorted by the row's name and then UUID; rows are shared
// between revisions and never changed.
type Southbound struct {
	// Revision grows with every transaction applied; it is ours, not OVN's.
	Revision uint64
	// Stale says why these rows may be out of date; empty while connected.
	Stale string
	// Tables lists the tables that are read and that the schema has.
	Tables []string

	Chassis   []*Chassis
	Encaps    []*Encap
	Datapaths []*Datapath
	Ports     rowlist.List[*PortBinding] // by LogicalPort
	Balancers []*LoadBalancer
	DPGroups  []*DatapathGroup // by UUID
	HAChassis []*HAChassis
	HAGroups  []*HAChassisGroup
	GWChassis []*GatewayChassis
	Templates []*TemplateVars   // by Chassis
	Monitors  []*ServiceMonitor // by IP
	// Advertised, Learned and MACs are OVN's dynamic routing, each by UUID; empty where
	// the schema is older.
	Advertised []*AdvertisedRoute
	Learned    []*LearnedRoute
	MACs       []*AdvertisedMAC
	Global     map[string]string // SB_Global.options
	BadRows    []*RowError       // rows that could not be read at all
	// Asked says by what ports were asked for; nil if all were.
	Asked *Asked
	// Lacks are columns such as ColumnLRGroup that the schema does not have.
	Lacks []string
}

// Chassis is a row of table Chassis.
type Chassis struct {
	UUID        UUID
	Name        string // the system-id
	Hostname    string
	OtherConfig map[string]string
	ExternalIDs map[string]string
}

// Text names the chassis by its system-id, and by its host name where that says more.
func (c *Chassis) Text() string {
	if c.Hostname != "" && c.Hostname != c.Name {
		return c.Name + " (" + c.Hostname + ")"
	}
	return c.Name
}

// Encap is a row of table Encap.
type Encap struct {
	UUID        UUID
	Type        string
	IP          netip.Addr
	ChassisName string
}

// Datapath is a row of table Datapath_Binding.
type Datapath struct {
	UUID        UUID
	TunnelKey   int
	Type        string // logical-switch or logical-router; empty before OVN 25.09
	ExternalIDs map[string]string
}

// Name is what people call the datapath: name2 of Neutron, else name, else
// the UUID.
func (d *Datapath) Name() string {
	for _, key := range []string{"name2", "name"} {
		if n := d.ExternalIDs[key]; n != "" {
			return n
		}
	}
	return d.UUID.String()
}

// The values of Port_Binding.type that matter here.
const (
	PortVIF             = ""
	PortVirtual         = "virtual"
	PortPatch           = "patch"
	PortLocalnet        = "localnet"
	PortChassisRedirect = "chassisredirect"
	PortL3Gateway       = "l3gateway"
)

// PortBinding is a row of table Port_Binding.
type PortBinding struct {
	UUID              UUID
	LogicalPort       string
	Type              string
	Datapath          UUID
	TunnelKey         int
	Chassis           UUID // zero: unbound
	AdditionalChassis []UUID
	RequestedChassis  UUID
	// Addresses are the parsed elements of column mac.
	Addresses []PortAddress
	// Unknown says that column mac has the word "unknown".
	Unknown bool
	// NAT are the parsed elements of column nat_addresses.
	NAT []NATAddress
	// Down says that column up is present and false; a column that the schema
	// or the row lacks counts as up.
	Down bool
	// Tag is the VLAN of a localnet row; 0 is none.
	Tag           uint16
	ParentPort    string
	VirtualParent string
	Options       map[string]string
	ExternalIDs   map[string]string
	HAGroup       UUID
	GWChassis     []UUID
	// RawMAC and RawNAT are the elements of columns mac and nat_addresses as
	// written; updates of the database are differences to them.
	RawMAC, RawNAT []string
	// Problems are the parts of the row that could not be read.
	Problems []string
}

// PortAddress is one element of column mac: a MAC and its addresses, which
// have a prefix length on router ports and /32 or /128 on switch ports.
type PortAddress struct {
	MAC   object.MAC
	Addrs []netip.Prefix
}

// NATAddress is one element of column nat_addresses.
type NATAddress struct {
	MAC   object.MAC
	Addrs []netip.Addr
	// Resident is the logical port that must be bound for the addresses to be
	// reachable (is_chassis_resident); empty on gateway routers.
	Resident string
}

// CIDRs are those of external_ids:neutron:cidrs, unmasked; what cannot be
// parsed is left out.
func (p *PortBinding) CIDRs() []netip.Prefix {
	var out []netip.Prefix
	for _, word := range strings.Fields(p.ExternalIDs["neutron:cidrs"]) {
		if c, err := netip.ParsePrefix(word); err == nil {
			out = append(out, c)
		}
	}
	return out
}

// LoadBalancer is a row of table Load_Balancer.
type LoadBalancer struct {
	UUID        UUID
	Name        string
	VIPs        map[string]string
	Protocol    string
	Options     map[string]string
	ExternalIDs map[string]string
	// Datapaths, Group, LSGroup and LRGroup are the columns datapaths,
	// datapath_group, ls_datapath_group and lr_datapath_group; schemas have one
	// generation of them or another.
	Datapaths               []UUID
	Group, LSGroup, LRGroup UUID
}

// DatapathGroup is a row of table Logical_DP_Group.
type DatapathGroup struct {
	UUID      UUID
	Datapaths []UUID
}

// HAChassis is a row of table HA_Chassis.
type HAChassis struct {
	UUID     UUID
	Chassis  UUID
	Priority int
}

// HAChassisGroup is a row of table HA_Chassis_Group.
type HAChassisGroup struct {
	UUID    UUID
	Name    string
	Members []UUID
}

// GatewayChassis is a row of table Gateway_Chassis.
type GatewayChassis struct {
	UUID     UUID
	Name     string
	Chassis  UUID
	Priority int
}

// TemplateVars is a row of table Chassis_Template_Var.
type TemplateVars struct {
	UUID UUID
	// Chassis is the system-id of the chassis on which the variables have these values.
	Chassis   string
	Variables map[string]string
}

// ServiceMonitor is a row of table Service_Monitor: the health check of a backend.
type ServiceMonitor struct {
	UUID UUID
	// IP is the backend's address as it is written.
	IP   string
	Port int
	// Protocol is tcp or udp; absent is tcp.
	Protocol string
	// Type is load-balancer or, since OVN 25.09, something else; absent is load-balancer.
	Type string
	// Status is online, offline, error, or empty before the first check.
	Status string
	// LogicalPort is the backend's.
	LogicalPort string
}

// ColumnLRGroup is the column without which the database has no load balancers that are
// attached to routers only (before OVN 23.09).
const ColumnLRGroup = "Load_Balancer.lr_datapath_group"

// LacksColumn reports whether the schema does not have a column, such as ColumnLRGroup.
func (sb *Southbound) LacksColumn(name string) bool { return slices.Contains(sb.Lacks, name) }

// Template returns the value of a template variable on a chassis.
func (sb *Southbound) Template(chassis, name string) (string, bool) {
	for _, t := range sb.Templates {
		if v, ok := t.Variables[name]; ok && t.Chassis == chassis {
			return v, true
		}
	}
	return "", false
}

// ComparePorts is the order of Ports: by logical_port, a unique index.
func ComparePorts(a, b *PortBinding) int { return strings.Compare(a.LogicalPort, b.LogicalPort) }

// Port returns the row of that logical_port, which is a unique index.
func (sb *Southbound) Port(name string) (*PortBinding, bool) {
	p, ok := sb.Ports.Find(func(p *PortBinding) int { return strings.Compare(p.LogicalPort, name) })
	if !ok {
		return nil, false
	}
	return p, true
}

// ChassisByName returns the row of that system-id.
func (sb *Southbound) ChassisByName(name string) (*Chassis, bool) {
	i, ok := slices.BinarySearchFunc(sb.Chassis, name, func(c *Chassis, n string) int {
		return strings.Compare(c.Name, n)
	})
	if !ok {
		return nil, false
	}
	return sb.Chassis[i], true
}

// ChassisName returns the name of a chassis row; empty if there is none.
func (sb *Southbound) ChassisName(u UUID) string {
	for _, c := range sb.Chassis {
		if c.UUID == u {
			return c.Name
		}
	}
	return ""
}
