// Package doctor examines whether a node can do what its configuration asks of
// it: kernel, Open vSwitch, sysctls, MTU, ports. Examine makes findings of
// facts and is a pure function: the same facts give the same findings in the
// same order, so that each check is tested without a machine that has the
// fault.
//
// It refuses to read anything from the machine: package gather does. It never
// changes anything.
//
// Read next: [Examine], [Facts].
package doctor

import (
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Node is what the configuration of a node asks of the machine. The comment of
// each field names the key of the configuration file.
type Node struct {
	// PlainBGP says that a driver other than the EVPN driver runs, EVPN that the
	// EVPN driver does (drivers).
	PlainBGP, EVPN bool
	// OVSDB is the endpoint of the Open_vSwitch database (ovsdb_connection).
	OVSDB string
	// ManageSysctls says that the controller sets sysctls (sysctls.manage).
	ManageSysctls bool
	// ListenPort is the TCP port of the BGP speaker, -1 for none (bgp.listen.port).
	ListenPort int
	// Speaker is the socket of the process that holds the BGP sessions; empty if
	// the controller holds them itself (bgp.speaker).
	Speaker string
	// VXLANPort is the UDP port of our VXLAN devices (evpn_udp_dstport).
	VXLANPort int
	// RulePriority is that of the ip rules of provider bridges
	// (routing.rule_priority).
	RulePriority uint32
	// Exposed are secrets that others on the node can read (bgp.peers).
	Exposed []Exposure
}

// Exposure is a secret that others on the node can read.
type Exposure struct {
	// Text says where it is, Remedy what to do. Neither has the secret in it.
	Text, Remedy string
}

// Unreachable is an address that is announced and that packets do not get through to.
type Unreachable struct {
	Address netip.Addr
	// Code, Text and Try are of the first broken link on the way (package reach).
	Code, Text, Try string
}

// Facts are what the findings are derived from. Each part comes with the error
// that kept it from being read; the part is then empty.
type Facts struct {
	Node Node
	// Running says that a controller answers on the control socket.
	Running bool
	// Checked is how many announced addresses it has looked at, Unreachable are those of them
	// that packets do not get through to.
	Checked     int
	Unreachable []Unreachable

	// Kubernetes is how the API answers; nil if no driver asks it.
	Kubernetes *Kubernetes

	// Trials are the types of network devices that were tried.
	Trials []DeviceTrial
	// TrialErr says why none could be tried.
	TrialErr error

	// Capabilities are the effective ones of this process, of those that a
	// controller needs: CapNetAdmin, CapNetBindService.
	Capabilities    []string
	CapabilitiesErr error

	// OpenVSwitch is the local Open_vSwitch database.
	OpenVSwitch    *observe.OpenVSwitch
	OpenVSwitchErr error
	// OfctlErr says why ovs-ofctl cannot be run at all.
	OfctlErr error
	// BridgeErrs are the answers of mapped bridges to ovs-ofctl, by name; nil is a
	// good one. A bridge that was not asked is not in it.
	BridgeErrs map[string]error

	// Sysctls are values by path below /proc/sys; one that does not exist is not
	// in it.
	Sysctls map[string]string

	// Devices are those of the network namespace, by name.
	Devices []Device
	// Routes say how the BGP peers are reached, one for each peer.
	Routes []PeerRoute
	// L3mdev are the priorities of the ip rules that look up the table of a VRF
	// (FRA_L3MDEV), of IPv4 and of IPv6, ascending.
	L3mdev [2][]uint32
	// NetworkErr says why the three above could not be read.
	NetworkErr error

	// TCP are the owners of sockets that listen on Node.ListenPort, UDP those of
	// sockets on Node.VXLANPort.
	TCP, UDP  []SocketOwner
	SocketErr error
}

// Kubernetes is how the Kubernetes API answers to what the controller asks it for.
type Kubernetes struct {
	// Server is its address; empty if nothing says where it is.
	Server string
	// Fault is why nothing could be asked, with a remedy; empty if it could.
	Fault, Remedy string
	// Node is the name of the own Node that was asked for; NoNode says that there is none.
	Node   string
	NoNode bool
	Kinds  []KubernetesKind
}

// KubernetesKind is how it answers for one kind of objects.
type KubernetesKind struct {
	Name string
	// Fault is why they cannot be listed and watched, with a remedy; empty if they can.
	Fault, Remedy string
	// Unserved says that the API does not have the kind.
	Unserved bool
}

// The capabilities that a controller needs (capabilities(7)).
const (
	CapNetAdmin       = "CAP_NET_ADMIN"
	CapNetBindService = "CAP_NET_BIND_SERVICE" // for ports below 1024
)

// DeviceTrial is the attempt to make a network device of one type.
type DeviceTrial struct {
	// Type is IFLA_INFO_KIND, object.LinkVRF and so on.
	Type string
	// Err is what the kernel answered, nil if it made the device.
	Err error
	// NotTried says that Err is not the kernel's: the device needs another one
	// below it, which could not be made.
	NotTried bool
}

// Device is a network device, as far as it is examined.
type Device struct {
	Name string
	// Type is IFLA_INFO_KIND; empty for hardware.
	Type string
	// MTU is in bytes.
	MTU int
	// Ours says that it has our alias.
	Ours bool
	// Table is the routing table of a VRF (IFLA_VRF_TABLE).
	Table uint32
	// VNI and Port are those of a VXLAN device; IPv6 says that its tunnel is
	// between IPv6 addresses only.
	VNI  uint32
	Port uint16
	IPv6 bool
	// Modes are settings of a VXLAN device that our own devices do not have. The
	// kernel lets devices share a UDP port only if these are equal.
	Modes []string
}

// PeerRoute is how a BGP peer is reached.
type PeerRoute struct {
	Peer netip.Addr
	// Dev is the outgoing device, one of them if there are several; empty if there
	// is no route.
	Dev string
	// MTU is that of the route in bytes (RTAX_MTU); 0 if the route has none.
	MTU int
}

// SocketOwner is a process that has a socket on a port of this network
// namespace.
type SocketOwner struct {
	// PID and Name are 0 and empty for a socket of no visible process: the kernel
	// has it itself, or a process of another user.
	PID  int
	Name string
}

// String reads "bgpd, pid 4711".
func (o SocketOwner) String() string {
	if o.PID == 0 {
		return "the kernel or a process of another user"
	}
	return fmt.Sprintf("%s, pid %d", o.Name, o.PID)
}

// The sysctls that are examined, as paths below /proc/sys.
const (
	SysctlForward4 = "net/ipv4/ip_forward"
	SysctlForward6 = "net/ipv6/conf/all/forwarding"
	SysctlFilter   = "net/ipv4/conf/all/rp_filter"
	// SysctlStrict forbids two VRFs with one table. It exists once the kernel's VRF
	// module is loaded.
	SysctlStrict = "net/vrf/strict_mode"
)

// SysctlFilterOf is the reverse path filter of one device.
func SysctlFilterOf(dev string) string { return "net/ipv4/conf/" + dev + "/rp_filter" }
