// Package reason is the vocabulary of explanations: the steps from a
// database row to an announcement, in order, with the first that is blocked.
// Drivers account for their decisions in it; `explain` prints it.
package reason

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The stable codes of what can block an announcement, beyond those of object.Block.
const (
	NoRow           = "no-row"             // no row mentions the address
	NotOwner        = "not-owner"          // another chassis has it
	Unbound         = "unbound"            // no chassis has it
	PortDown        = "port-down"          // bound but not up
	NotProvider     = "not-provider"       // its network has no localnet port
	NotMapped       = "network-not-mapped" // its physical network is not mapped here
	Reserved        = "in-evpn-networks"   // its network is another driver's, by configuration
	TenantOff       = "tenant-not-exposed" // tenant networks are not exposed
	NoGateway       = "no-local-gateway"   // the router's gateway is elsewhere, or there is none
	NoFamily        = "no-gateway-address" // the gateway has no address of the family
	NoSubnet        = "no-subnet"          // no router port has a subnet that holds it
	NoMembers       = "no-members"         // the load balancer is on no network
	OptionOff       = "option-off"         // the option that exposes it is off
	Conflict        = "conflict"           // something else has the address or overlaps the subnet
	NotGlobal       = "not-global"         // only globally routable IPv6 is exposed
	OverMaximum     = "over-maximum"       // more prefixes are learned than may be installed
	NoNextHop       = "no-next-hop"        // no next hop of a learned prefix leads anywhere
	ScopeDenied     = "address-scope"      // filtered by address_scopes
	SNATEnabled     = "snat-enabled"       // its router translates it, which the option rules out
	SNATUnknown     = "snat-unknown"       // cannot tell whether its router translates it
	Unreadable      = "unreadable"         // the row cannot be parsed
	NotApplied      = "not-applied"        // desired, but not there yet
	PeerDown        = "peer-down"          // no session is established
	UnknownProvider = "unknown-mac"        // the port has no known address
	NoVPN           = "not-in-vpn"         // the router or the network has no VNI
	VPNMismatch     = "vpn-mismatch"       // the network is in another VPN than the router
	NoVTEP          = "no-vtep"            // this node has no local address for VXLAN
	GatewayOnly     = "gateway-address"    // it is a router's own, which EVPN does not announce
	LocalOnly       = "local-only"         // the tracked port is elsewhere, and only its chassis is to announce it
	DriverPanic     = "driver-panic"       // the driver that would know has a defect
)

// Step is one link of the chain.
type Step struct {
	// Stage is one word: OVN, host, learned, ownership, policy, steering, BGP,
	// peers, driver.
	Stage string `json:"stage"`
	Text  string `json:"text"`
	OK    bool   `json:"ok"`
	// Code says what blocks it; empty if OK.
	Code string `json:"code,omitempty"`
	// Kept says that what it tells of is not as it should be, and the announcement is there and
	// stays all the same: it blocks nothing.
	Kept bool `json:"kept,omitempty"`
}

// State is the step's outcome in words, as people read it.
func (s Step) State() string {
	switch {
	case s.OK:
		return "ok"
	case s.Kept:
		return s.Code + ", and announced all the same"
	default:
		return "BLOCKED " + s.Code
	}
}

// Account is a driver's account of one address.
type Account struct {
	// What names the address in the user's words: floating IP of port web-1.
	What string `json:"what"`
	// Chassis are the names of those that announce it, if they are configured as this
	// node is.
	Chassis []string `json:"chassis"`
	// Probable are those of which that is not known for sure: the database does not
	// have their bridge mappings.
	Probable []string `json:"probable_chassis,omitempty"`
	Steps    []Step   `json:"steps"`
	// Try is what to do about the first blocking reason; may be empty.
	Try string `json:"try,omitempty"`
	// Aside is set where another row has the address: what the account tells matters
	// only if it gets through, here or on another chassis.
	Aside bool `json:"-"`
	// Drained says that the node is taken out of service as far as this address goes: it is
	// announced as a last resort.
	Drained bool `json:"-"`
	// Object is what the account leads to, where that is not the path of the
	// address itself: the path of a prefix that covers it, or a learned route.
	Object object.Key `json:"-"`
}

// Inbound reports whether the account is of how this node reaches the address,
// and not of how it announces it.
func (a Account) Inbound() bool { return a.Object.Kind == object.KindRoute }

// Blocked returns the first step that keeps the address from being announced.
func (a Account) Blocked() (Step, bool) {
	return a.first(func(s Step) bool { return !s.OK && !s.Kept })
}

// Kept returns the first step that is not as it should be and blocks nothing.
func (a Account) Kept() (Step, bool) { return a.first(func(s Step) bool { return s.Kept }) }

func (a Account) first(is func(Step) bool) (Step, bool) {
	if i := slices.IndexFunc(a.Steps, is); i >= 0 {
		return a.Steps[i], true
	}
	return Step{}, false
}

// Explainer is implemented by drivers that can account for an address.
type Explainer interface {
	// Explain returns one account for each row that mentions addr.
	Explain(snap observe.Snapshot, addr netip.Addr) []Account
}
