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
// Read next: item.go and set.go, then route.go as the model of a kind.
package object

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

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
func (k Key) String() string { return k.Kind.traits().key(k) }

// Text prints kind and key separated by one space: the form that commands
// accept and that logs carry.
func (k Key) Text() string { return k.Kind.String() + " " + k.String() }

// Compare orders keys by kind and then in the order a reader expects: by name,
// number and address. It is the order of every listing.
func (k Key) Compare(o Key) int {
	return cmp.Or(
		cmp.Compare(k.Kind.Place(), o.Kind.Place()),
		strings.Compare(k.Name, o.Name),
		cmp.Compare(k.Num, o.Num),
		ComparePrefix(k.Prefix, o.Prefix),
		cmp.Compare(k.Aux, o.Aux),
		strings.Compare(k.Sub, o.Sub),
	)
}

// Alternatives are the keys that satisfy a need for k, in dependency order: a need
// for a device is met by a link of ours, or by a port for which Open vSwitch makes
// one, just as well as by a device that others made, and it is met in full only
// once the device is in the VRF that it is to be in.
func (k Key) Alternatives() []Key { return slices.Collect(k.EachAlternative) }

// EachAlternative yields what Alternatives returns.
func (k Key) EachAlternative(yield func(Key) bool) {
	kinds := providers[k.Kind]
	if len(kinds) <= 1 {
		yield(k)
		return
	}
	for _, kind := range kinds {
		one := Key{Kind: kind, Name: k.Name}
		if kind == k.Kind {
			one = k
		}
		if !yield(one) {
			return
		}
	}
}

// ComparePrefix is the order of prefixes: by address, then the shorter ones first.
func ComparePrefix(a, b netip.Prefix) int {
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

// Change is one step for a backend. Before is nil for a create, After is nil
// for a delete; both are set for an update.
type Change struct {
	Before, After Value
	// Reclaim says that Before does not carry our mark and is ours all the same: the
	// ledger has that we made it, and others have taken the mark away since. Without it
	// no backend changes or deletes what is not marked.
	Reclaim bool
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
