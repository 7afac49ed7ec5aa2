// Package config turns what an operator writes (a YAML file, flags, environment
// variables) into typed [Settings], once. Everything behind it takes typed
// values: no other package parses a setting.
//
// It refuses to open connections or to ask the kernel anything: what a setting
// leaves to the Open_vSwitch database is resolved by package agent.
//
// Read next: [Load].
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/damping"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Settings is the whole configuration of one node, checked and typed. It is a
// value: a reload makes a new one and compares. The comment of each field names
// its key in the file.
type Settings struct {
	// Chassis is the system-id of this node; empty takes external_ids:system-id of
	// the Open_vSwitch database (chassis).
	Chassis string
	// Drivers are the canonical names of the drivers to run, in order (drivers).
	Drivers []string
	// StateFile is the path of the bbolt file (state), Socket that of the control
	// socket (socket).
	StateFile, Socket string
	// SocketGroup is the group, by name or number, that may use the control socket;
	// empty is that of the process (socket_group).
	SocketGroup string
	// ReadSocket is a second socket that changes nothing (read_socket). It is opened
	// only if ReadSocketGroup, the group that may use it, is not empty
	// (read_socket_group).
	ReadSocket, ReadSocketGroup string
	// Log says what is logged, and how (log).
	Log Log
	// AuditInterval is the period of complete reads; 0 turns them off
	// (reconcile_interval).
	AuditInterval time.Duration
	// StartupGrace is how long a fresh process waits for its first snapshot before
	// it announces what the ledger recorded last; 0 waits for ever (startup_grace).
	StartupGrace time.Duration
	// OpenVSwitch is the local Open vSwitch (ovsdb_connection and others).
	OpenVSwitch OpenVSwitch
	// Southbound and Northbound are the databases of OVN (ovn_sb_*, ovn_nb_*).
	Southbound, Northbound Database
	// LocalScope limits the ports that are read to those that concern this node
	// (ovn_sb_scope).
	LocalScope bool
	// UseNorthbound says that the settings of a driver need the Northbound database
	// (require_snat_disabled_for_tenant_networks).
	UseNorthbound bool
	// ProbeInterval is the silence after which a connection to a database of OVN is
	// probed; 0 turns probes off (ovn_sb_probe_interval).
	ProbeInterval time.Duration
	// SizeLimit bounds what a database of OVN may send, in MiB (ovn_sb_size_limit).
	SizeLimit int64
	// BGP is our speaker and its neighbours (bgp).
	BGP BGP
	// Learn says which announcements of neighbours become routes (learn).
	Learn Learn
	// Protect are prefixes of which no route of ours may take traffic away, beside
	// those that the node is seen to live on (protect).
	Protect []netip.Prefix
	// Routing are the numbers that mark what is ours in the kernel (routing).
	Routing Routing
	// Flows are the numbers that mark our OpenFlow entries (flows).
	Flows Flows
	// VTEPDevice is the device whose first IPv4 address VXLAN is sent from (evpn_nic),
	// VXLANPort the UDP port that it is sent to (evpn_udp_dstport).
	VTEPDevice string
	VXLANPort  uint16
	// ManageSysctls says that node-wide settings of the kernel are set: forwarding and
	// rp_filter (sysctls.manage).
	ManageSysctls bool
	// Reviewed says that changes wait for an operator (changes).
	Reviewed bool
	// Fuse holds mass withdrawals (fuse).
	Fuse Fuse
	// UnboundHold is how long what a row led to stays announced after the row is bound
	// to no chassis any more (unbound_hold).
	UnboundHold time.Duration
	// Kube says how the Kubernetes API is reached, and what the own Node is (kube).
	Kube Kube
	// Drain is how the node is taken out of service (drain).
	Drain Drain
	// History bounds what is remembered of the past (history).
	History History
	// MetricsListen is ADDRESS:PORT for Prometheus; empty listens nowhere
	// (metrics.listen).
	MetricsListen string
	// Web is the page that shows the node (web).
	Web Web
	// Shared are the settings that several drivers have in common. What of them stands
	// elsewhere in Settings too (marks, tables, AS) is filled in by NewDrivers.
	Shared drivers.Shared
	// Fabric are the settings of the node's own routes and prefixes (originate,
	// advertise_loopback, learn), without Learn.Accept.
	Fabric fabric.Config

	// list are the drivers that there are, and options the settings of each, in the
	// same order. They are not changed once they have been read.
	list    drivers.List
	options []drivers.Options
	// places are where the values were written, by key.
	places map[string]key.Place
	// remarks are notes about what was read, beside those of Notes.
	remarks []string
	// exposed are passwords that others on the node can read.
	exposed Problems
}

// Drain is the key drain.
type Drain struct {
	// Wait is how long everything is announced as a last resort before it is withdrawn.
	Wait time.Duration
	// Prepend is how often our own AS is prepended meanwhile.
	Prepend uint8
}

// Kube are the keys of the group kube that its source needs.
type Kube struct {
	// Used says that a driver needs the API, and EgressIPs that it needs egress IPs.
	Used, EgressIPs bool
	// Kubeconfig is the path of a kubeconfig; empty is the service account of the pod
	// (kube.kubeconfig).
	Kubeconfig string
	// NodeName is the name of the own Node; empty takes the host name of the chassis
	// (kube.node_name, or the variable NODE_NAME).
	NodeName string
	// KeepCordoned says that a cordon has no effect (kube.on_cordon: keep).
	KeepCordoned bool
	// DrainTime is how long addresses of services of a cordoned node are a last resort
	// before they are withdrawn (kube.drain_time).
	DrainTime time.Duration
}

// Log is the key log.
type Log struct {
	Level slog.Level
	// JSON says that records are JSON instead of text (log.format).
	JSON bool
}

// OpenVSwitch says how the local Open vSwitch is reached.
type OpenVSwitch struct {
	// Endpoint is unix:/path, tcp:IP:PORT or ssl:IP:PORT (ovsdb_connection).
	Endpoint string
	// Timeout bounds one attempt to read the database (ovsdb_connection_timeout).
	Timeout time.Duration
	// RunDir holds the management sockets of bridges; empty is the default of Open
	// vSwitch (ovs_rundir).
	RunDir string
}

// Database says how a database of OVN is reached.
type Database struct {
	// Remotes are unix:/path, tcp:IP:PORT or ssl:IP:PORT; none takes those that the
	// Open_vSwitch database names.
	Remotes []string
	// Key, Certificate and CA are paths of PEM files for ssl: remotes.
	Key, Certificate, CA string
	// ServerNames are those of which the server's certificate must have one; none
	// accepts every certificate of the CA (ovn_sb_server_name, ovn_nb_server_name).
	ServerNames []string
}

// BGP is the key bgp.
type BGP struct {
	AS uint32
	// RouterID is our BGP identifier; invalid takes the first IPv4 ovn-encap-ip.
	RouterID netip.Addr
	// Speaker is the socket of the process that holds the sessions, unix:/path;
	// empty: this process holds them.
	Speaker string
	// Listen is the address to listen on; invalid is all. ListenPort is -1 not to
	// listen.
	Listen     netip.Addr
	ListenPort int32
	// RestartTime is how long peers keep our routes while we restart (RFC 4724
	// section 3); 0 turns graceful restart off. DeferralTime is how long we wait for
	// the peers' End-of-RIB after a restart.
	RestartTime, DeferralTime time.Duration
	// PrefixLimitRestart is how long a peer stays shut that has exceeded its prefix
	// limit; 0 is until its configuration changes (bgp.prefix_limit_restart).
	PrefixLimitRestart time.Duration
	// BMP are stations that are told of sessions and paths.
	BMP []BMPStation
	// WithdrawUnreachable says that an address is withdrawn that this node provably cannot
	// forward packets for, and WithdrawHold for how long that must have been so.
	WithdrawUnreachable bool
	WithdrawHold        time.Duration
	// Damping is when an address that comes and goes is set aside.
	Damping damping.Config
	// Verify are routers that show what has become of what is announced.
	Verify Verify
	// Peers are the neighbours, in the order of the file, without the restart time,
	// which all have in common: see PeerItems.
	Peers []object.Peer
}

// Learn is the key learn.
type Learn struct {
	// Accept are the prefixes that may become routes in the main table; none learns
	// nothing.
	Accept []observe.PrefixRange
}

// TableRange bounds the routing tables that may be taken, both ends included
// (table_range).
type TableRange struct{ TableLow, TableHigh uint32 }

// Web is the key web.
type Web struct {
	// Listen is ADDRESS:PORT or unix:/path; empty serves no page.
	Listen string
	// Certificate and Key are files for TLS, TokenFile that of the token.
	Certificate, Key, TokenFile string
}

// Routing is the key routing.
type Routing struct {
	TableRange
	// RulePriority is that of the one ip rule a bridge.
	RulePriority uint32
	// RouteProtocol and RuleProtocol are rtm_protocol and FRA_PROTOCOL of what is
	// ours.
	RouteProtocol, RuleProtocol uint8
	// TableFiles name routing tables, as iproute2 reads them; *.conf in FILE.d counts
	// too (tables_files).
	TableFiles []string
}

// Flows is the key flows.
type Flows struct {
	// Manage says that OpenFlow entries are installed.
	Manage bool
	// Cookie marks our flows.
	Cookie uint64
}

// History is the key history.
type History struct {
	// Steps is how many steps are remembered at most, Age how long.
	Steps int
	Age   time.Duration
}

// Fuse is the key fuse.
type Fuse struct {
	// Share is the share of paths, 0 to 1, that vanished rows may withdraw at once; 0
	// turns the fuse off. Least is the number of withdrawals below which it never
	// holds.
	Share float64
	Least int
	// Hold is how long a mass withdrawal must persist before it is applied.
	Hold time.Duration
}
