package reach

import "net/netip"

// Way is how an announced address is wired, from the objects of a round.
type Way struct {
	Addr netip.Addr
	// Priority and Table are those of our ip rule.
	Priority, Table uint32
	// Route is the destination of our route, Dev its device, Via its next hop if it has
	// one.
	Route netip.Prefix
	Dev   string
	Via   netip.Addr
	// Bridge is the provider bridge, Patch the number of the port by which OVN is
	// connected to it, and Cookies mark our flows. Bridge is empty where flows are not
	// ours.
	Bridge  string
	Patch   string
	Cookies []uint64
	// Port is the logical port that is plugged in here; empty where there is none, as for
	// a gateway.
	Port string
	// Protocol is the rtm_protocol of our routes.
	Protocol uint8
	// Overlay is the VNI by which packets come in; nil where they come in by the uplinks.
	Overlay *Overlay
}

// Hop is the neighbour that packets are handed to: the next hop or the address itself.
func (w Way) Hop() netip.Addr {
	if w.Via.IsValid() {
		return w.Via
	}
	return w.Addr
}

// Facts are what was read about the way to one address. What could not be read is nil or
// empty, and Unread says why.
type Facts struct {
	Way
	// Uplinks are the devices towards the fabric, in order of names.
	Uplinks []Device
	// Device is that of Way.Dev.
	Device Device
	// ForwardAll is net.ipv4.ip_forward or net.ipv6.conf.all.forwarding, whichever is the
	// family's.
	ForwardAll bool
	// In are the kernel's answers for packets from the uplinks, Back those for the answers.
	In, Back []Lookup
	// Rules are all ip rules of the family, in order.
	Rules []Rule
	// Refusing are routes of the family that refuse what they match. They are read only if a
	// lookup was refused.
	Refusing []Route
	// NeedsDefault says that a default route was there since the start, or that nothing else
	// leads beyond the connected networks: without one, answers are lost.
	NeedsDefault bool
	// Neighbour is the entry of Way.Hop; nil if the kernel has none.
	Neighbour *Neighbour
	// Interface is where the logical port is plugged in; nil if it was not asked for.
	Interface *Interface
	// Switch is what Open vSwitch says; nil if it was not asked.
	Switch *Switch
	// Filters are the chains of packet filters that forwarded packets meet.
	Filters []Chain
	// Tunnel are the devices of the VNI; nil where there is none.
	Tunnel *Tunnel
	// Unread says what could not be read, a sentence each.
	Unread []string
	// Incomplete says that something could not be read beside packet filters, so that a link
	// may look broken that is not.
	Incomplete bool
}

// Device is a network device of the kernel.
type Device struct {
	Name string
	// Missing says that there is none of that name.
	Missing bool
	// Up is IFF_UP, Carrier IFF_LOWER_UP.
	Up, Carrier bool
	MTU         int
	// Forwarding, RPFilter and ProxyARP are the sysctls of IPv4; the filter is the greater
	// one of the device's and of all.
	Forwarding bool
	RPFilter   int
	ProxyARP   bool
	// Kind is its type as the kernel names it: vxlan, vrf, bridge. Master is the bridge or
	// VRF that it is in.
	Kind, Master string
	// Table is that of a VRF.
	Table uint32
	// VNI, Local and Learning are those of a VXLAN device.
	VNI      uint32
	Local    netip.Addr
	Learning bool
}

// Lookup is the kernel's answer about one packet.
type Lookup struct {
	// From is the device it comes in by.
	From     string
	Src, Dst netip.Addr
	// Far says that the other end is an address that only a default route leads to.
	Far bool
	// Refused is why it is not forwarded; empty if it is.
	Refused Refusal
	Route   Route
}

// Refusal is why the kernel does not forward.
type Refusal string

// The refusals, by errno (fib_props in net/ipv4/fib_semantics.c).
const (
	RefusedNoRoute Refusal = "no route" // ENETUNREACH, EHOSTUNREACH
	// EINVAL, since Linux 6.13 of what the reverse path filter refuses, too.
	RefusedBlackhole  Refusal = "blackhole"
	RefusedProhibited Refusal = "prohibited"                // EACCES
	RefusedSource     Refusal = "source fails the filter"   // EXDEV, before Linux 6.13
	RefusedNoDevice   Refusal = "device is missing or down" // ENODEV, ENETDOWN
)

// known reports whether it is about the packet, and not about the question.
func (r Refusal) known() bool {
	switch r {
	case RefusedNoRoute, RefusedBlackhole, RefusedProhibited, RefusedSource, RefusedNoDevice:
		return true
	}
	return false
}

// Route is an entry of a routing table.
type Route struct {
	// Type is unicast, local, blackhole, unreachable, prohibit, throw or a number.
	Type     string
	Dst      netip.Prefix
	Table    uint32
	Protocol uint8
	Metric   uint32
	// Hops are the next hops, by device.
	Hops []Hop
}

// Hop is where a route leads.
type Hop struct {
	Dev string
	Via netip.Addr
}

// Rule is an ip rule.
type Rule struct {
	Priority uint32
	Table    uint32
	// Ours says that it has our protocol.
	Ours bool
	// From and To select; invalid for all. Iif is the device it selects.
	From, To netip.Prefix
	Iif      string
	// Inverted says that it selects what does not match, More that it selects by something
	// else, so that it is not known whether it matches.
	Inverted, More bool
	// L3MDev says that it looks up the tables of VRFs.
	L3MDev bool
	// Action is blackhole, unreachable, prohibit or goto; empty if Table is looked up.
	Action string
	// Text is how ip(8) prints it.
	Text string
}

// Neighbour is an entry of the neighbour table.
type Neighbour struct {
	// State is as ip(8) prints it: REACHABLE, FAILED.
	State string
	MAC   string
}

// Interface is a row of table Interface of the Open_vSwitch database.
type Interface struct {
	// Name is empty if no interface has the port.
	Name string
	// LinkDown says that link_state is down, AdminDown that admin_state is.
	LinkDown, AdminDown bool
	// Error is column error.
	Error string
}

// Switch is what Open vSwitch says of the way over a provider bridge.
type Switch struct {
	// Err says why it does not answer; empty if it does.
	Err string
	// In and Answer are the traces of a packet and of its answer (ofproto/trace).
	In, Answer Trace
}

// Trace is the result of ofproto/trace, as far as it counts here.
type Trace struct {
	// Asked says that there is one.
	Asked bool
	// Dropped says that no datapath action is left.
	Dropped bool
	// Bridge is the last bridge that the packet was on.
	Bridge string
	// Last is the last flow that matched, First the first one on the provider bridge, with
	// its cookie.
	First, Last string
	Cookie      uint64
	// Output is the datapath actions.
	Output string
}

// Chain is a base chain of a packet filter on a hook that forwarded packets meet.
type Chain struct {
	// Family is ip, ip6, inet or netdev.
	Family, Table, Name, Hook string
	// OneDevice says that packets of one device meet it, and it is not known which.
	OneDevice bool
	// Drop says that its policy is drop.
	Drop  bool
	Rules []FilterRule
}

// FilterRule is a rule of a chain.
type FilterRule struct {
	// Action is accept, drop, other or nothing.
	Action FilterAction
	// Conditions must all hold.
	Conditions []Condition
	// Text is its position, such as rule 3.
	Text string
}

// FilterAction is what a rule does with what it matches.
type FilterAction string

// The actions.
const (
	Accept  FilterAction = "accept"
	Drop    FilterAction = "drop"
	Nothing FilterAction = ""      // it counts, logs or marks
	Other   FilterAction = "other" // it jumps or queues: what becomes of the packet is not known
)

// Condition is a part of what a rule matches.
type Condition struct {
	// Field is iif, oif, src, dst or family; empty for one that is not understood.
	Field string
	// Value is a name, a prefix or a family (ip, ip6).
	Value string
	// Not inverts it.
	Not bool
}
