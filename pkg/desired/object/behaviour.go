package object

import "net/netip"

// The interfaces in this file are what a value may do besides being a [Value].
// Each is for one thing that the order of a plan depends on and that is not the
// same for all values of a kind. Generic code asks by the functions below them,
// which have the answer for values that do not implement the interface.

// Setting is implemented by values that exist whether we want them or not,
// such as a sysctl. They are never deleted: when no longer wanted, they get
// back the value that the ledger remembers from before our first change.
type Setting interface {
	Value
	setting()
}

// Claimer is implemented by values that exclude others under different keys:
// of two VLAN devices on one parent only one can have a given identifier.
type Claimer interface {
	Value
	// Claims returns a name for each thing that is taken.
	Claims() []string
}

// Steering is implemented by values that decide by which way packets leave: routes.
// What the node itself lives on must not be steered away, see desired.Guard.
type Steering interface {
	Value
	// Steers says which packets.
	Steers() Steered
	// KeyAt is the key of a value that decides about the same packets with another
	// metric.
	KeyAt(metric uint32) Key
}

// Steered is what a [Steering] value decides about.
type Steered struct {
	// Dst are the destinations, masked.
	Dst netip.Prefix
	// Table is the routing table in which the decision is made.
	Table uint32
	// Metric is its preference there: lower ones win.
	Metric uint32
	// Direct says that the destinations are on the outgoing device itself.
	Direct bool
	// Refuses says that packets are refused for which nothing better is there.
	Refuses bool
}

// Isolating is implemented by values that make a routing table one that packets of
// the node itself are not looked up in: VRFs.
type Isolating interface {
	Value
	// Isolates is the table; 0 if there is none.
	Isolates() uint32
}

// Changeable is implemented by values that cannot always be turned into another
// one under the same key: a VXLAN device cannot change its VNI. Such a step is a
// replacement, a delete and a create.
type Changeable interface {
	Value
	// CanBecome reports whether the system that holds the value can turn it into
	// after. It is asked for two values with one key.
	CanBecome(after Value) bool
}

// CanBecome reports whether have is changed in place rather than replaced.
func CanBecome(have, after Value) bool {
	c, ok := have.(Changeable)
	return !ok || c.CanBecome(after)
}

// Sitting is implemented by values that do not vanish with all that they depend
// on: a link outlives its master.
type Sitting interface {
	Value
	// VanishesWith names the devices that take the value along when they go.
	VanishesWith() []Key
}

// VanishesWith names the devices that take v along when they go: those that it
// depends on, unless it says otherwise.
func VanishesWith(v Value) []Key {
	if s, ok := v.(Sitting); ok {
		return s.VanishesWith()
	}
	return v.DependsOn()
}

// Paired is implemented by values that come and go together with another one of
// ours: the two ends of a veth.
type Paired interface {
	Value
	// Pair is the key of the other one; false if there is none.
	Pair() (Key, bool)
}

// PairOf is the key of the value that comes and goes with v; false if none does.
func PairOf(v Value) (Key, bool) {
	p, ok := v.(Paired)
	if !ok {
		return Key{}, false
	}
	return p.Pair()
}

// Placed is implemented by values whose place in a plan is not that of all values
// of their kind: a VRF comes before the bridge in it.
type Placed interface {
	Value
	// Place is the kind among which the value is sorted, usually its own, and its
	// layer there: what needs others of the same kind has a higher one.
	Place() (among Kind, layer int)
}

// PlaceOf is where v is sorted: as a value of which kind, and in which layer of it.
func PlaceOf(v Value) (among Kind, layer int) {
	if p, ok := v.(Placed); ok {
		return p.Place()
	}
	return v.Key().Kind, 0
}

// Noted is implemented by values of which an update has something to tell that the
// two values do not: whether a changed neighbour keeps its session.
type Noted interface {
	Value
	// ChangeNote is what to say of an update to after.
	ChangeNote(after Value) string
}

// ChangeNote is what to say of an update of before to after; empty for nothing.
func ChangeNote(before, after Value) string {
	if n, ok := before.(Noted); ok {
		return n.ChangeNote(after)
	}
	return ""
}

// Lowering is implemented by paths that can be announced as a last resort.
type Lowering interface {
	Value
	// Lowered is the path that neighbours use only if they have no other one.
	Lowered(by LastResort) Value
}
