// Package object is the vocabulary of everything that bgp-ovn manages: what
// can exist in the kernel, in Open vSwitch and in the BGP speaker, when two of
// it are the same, and how it is printed and parsed. Desired and actual state
// are both a [Set] of the same values, so that comparing them needs nothing
// but ==.
//
// It refuses to know why something is wanted (drivers do), how it is applied
// (backends do) and in which order (package plan does, from the order in which
// the kinds are declared here).
//
// Read next: set.go, then route.go as the model of a kind.
package object

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Kind names a sort of managed thing.
//
// Kinds are declared in dependency order: a value may depend only on values of
// its own or an earlier kind. The planner's order is this declaration.
type Kind uint8

// The kinds, in the order in which they are built.
const (
	KindDevice     Kind = iota + 1 // admin state of a device that others created
	KindLink                       // a device of our own (VLAN, VRF, bridge, VXLAN, veth)
	KindOVSPort                    // a port of our own on a bridge of Open vSwitch
	KindMaster                     // a device that others created, in a VRF or bridge
	KindSysctl                     // a kernel setting under /proc/sys
	KindAddress                    // an address on a device
	KindNeigh                      // a neighbour that is not resolved but told
	KindProxyNeigh                 // a proxy neighbour (ARP or NDP)
	KindFDB                        // an entry of a bridge's or VXLAN device's forwarding database
	KindRoute                      // a FIB entry
	KindRule                       // a policy rule
	KindFlow                       // an OpenFlow entry
	KindPath                       // a unicast BGP path that originates here
	KindEVPN                       // an EVPN path that originates here
	KindPeer                       // a BGP neighbour
	kindEnd
)

// kindInfo is what the generic code has to know about a kind.
type kindInfo struct {
	name  string
	key   func(Key) string
	parse func(*fields) (Value, error)
}

// info is the table of kinds. It is a function, not a variable, because
// nothing in this program may change it.
func (k Kind) info() kindInfo {
	switch k {
	case KindDevice:
		return kindInfo{"device", nameOnly, parseDevice}
	case KindLink:
		return kindInfo{"link", nameOnly, parseLink}
	case KindOVSPort:
		return kindInfo{"ovsport", nameOnly, parseOVSPort}
	case KindMaster:
		return kindInfo{"master", nameOnly, parseMaster}
	case KindSysctl:
		return kindInfo{"sysctl", nameOnly, parseSysctl}
	case KindAddress:
		return kindInfo{"address", addressKey, parseAddress}
	case KindNeigh:
		return kindInfo{"neigh", neighKey, parseNeigh}
	case KindProxyNeigh:
		return kindInfo{"proxy", neighKey, parseProxyNeigh}
	case KindFDB:
		return kindInfo{"fdb", fdbKey, parseFDB}
	case KindRoute:
		return kindInfo{"route", routeKey, parseRoute}
	case KindRule:
		return kindInfo{"rule", ruleKey, parseRule}
	case KindFlow:
		return kindInfo{"flow", flowKey, parseFlow}
	case KindPath:
		return kindInfo{"path", pathKey, parsePath}
	case KindEVPN:
		return kindInfo{"evpn", evpnKey, parseEVPNPath}
	case KindPeer:
		return kindInfo{"peer", nameOnly, parsePeer}
	default:
		return kindInfo{fmt.Sprintf("kind(%d)", uint8(k)), nameOnly, nil}
	}
}

// String returns the word that stands for the kind in plans and on the command
// line.
func (k Kind) String() string { return k.info().name }

// MarshalText makes kinds readable in JSON and in the journal.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the inverse of MarshalText; an unknown word is an error.
func (k *Kind) UnmarshalText(b []byte) error {
	for _, known := range Kinds() {
		if known.String() == string(b) {
			*k = known
			return nil
		}
	}
	return fmt.Errorf("unknown kind %q", b)
}

// Kinds returns every kind in dependency order.
func Kinds() []Kind {
	ks := make([]Kind, 0, kindEnd-1)
	for k := Kind(1); k < kindEnd; k++ {
		ks = append(ks, k)
	}
	return ks
}

// Key identifies a value to the system that holds it: two values with equal
// keys cannot coexist there. Which fields are used is up to the kind, see the
// Key method of each; unused ones are zero. It is a plain comparable struct
// rather than a string because a node may hold 100,000 of them and formatting
// each once a round would cost more than the whole diff.
type Key struct {
	Kind   Kind
	Name   string       // device, sysctl, bridge, peer or route distinguisher
	Sub    string       // what a name alone does not tell: the match of a flow, a MAC
	Num    uint32       // routing table, priority, address family or EVPN route type
	Aux    uint32       // metric
	Prefix netip.Prefix // address or prefix
}

// String prints the key without its kind, as it stands in a plan.
func (k Key) String() string { return k.Kind.info().key(k) }

// Text prints kind and key separated by one space: the form that commands
// accept and that logs carry.
func (k Key) Text() string { return k.Kind.String() + " " + k.String() }

// Compare orders keys by kind and then in the order a reader expects: by name,
// number and address. It is the order of every listing.
func (k Key) Compare(o Key) int {
	return cmp.Or(
		cmp.Compare(k.Kind, o.Kind),
		strings.Compare(k.Name, o.Name),
		cmp.Compare(k.Num, o.Num),
		comparePrefix(k.Prefix, o.Prefix),
		cmp.Compare(k.Aux, o.Aux),
		strings.Compare(k.Sub, o.Sub),
	)
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// Value is one managed thing. Implementations are comparable structs, so that
// == is the only equality this program ever needs.
type Value interface {
	// Key is the identity that the holding system gives it.
	Key() Key
	// Attrs prints what may change under the same key. Secrets are not in it.
	Attrs() string
	// DependsOn names what must exist first.
	DependsOn() []Key
}

// Setting is implemented by values that exist whether we want them or not,
// such as a sysctl. They are never deleted: when no longer wanted, they get
// back the value that the ledger remembers from before our first change.
type Setting interface {
	Value
	setting()
}

// IsSetting reports whether values of this kind are restored instead of
// deleted.
func (k Kind) IsSetting() bool { return k == KindDevice || k == KindSysctl }

// IsPath reports whether values of this kind are announced to neighbours: they
// are withdrawn before anything is taken down, and come after what they stand on.
func (k Kind) IsPath() bool { return k == KindPath || k == KindEVPN }

// IsDevice reports whether values of this kind are devices, or make one, that
// others stand on and that take them along when they go.
func (k Kind) IsDevice() bool { return k == KindLink || k == KindOVSPort }

// HasMark reports whether values of this kind carry our mark in the system that
// holds them, so that they are provably ours without the ledger. Addresses and
// neighbours do on kernels that know their protocol attribute, but not on all.
func (k Kind) HasMark() bool {
	switch k {
	case KindLink, KindOVSPort, KindRoute, KindRule, KindFlow, KindPath, KindEVPN, KindPeer:
		return true
	default:
		return false
	}
}

// Change is one step for a backend. Before is nil for a create, After is nil
// for a delete; both are set for an update.
type Change struct {
	Before, After Value
}

// Key is the key of the value concerned.
func (c Change) Key() Key {
	if c.After != nil {
		return c.After.Key()
	}
	return c.Before.Key()
}

// Text prints a value in one line: kind, key and attributes. Parse reads it
// back.
func Text(v Value) string {
	line := v.Key().Kind.String() + " " + v.Key().String()
	if a := v.Attrs(); a != "" {
		line += "  " + a
	}
	return line
}

// kindOf makes comparability a compile-time property of every kind.
func kindOf[T interface {
	comparable
	Value
}]() {
}

var _ = []func(){
	kindOf[Device], kindOf[Link], kindOf[OVSPort], kindOf[Master], kindOf[Sysctl], kindOf[Address], kindOf[Neigh],
	kindOf[ProxyNeigh], kindOf[FDB], kindOf[Route], kindOf[Rule], kindOf[Flow], kindOf[Path], kindOf[EVPNPath], kindOf[Peer],
}

func nameOnly(k Key) string { return k.Name }
