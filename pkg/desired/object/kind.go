package object

import "fmt"

// Kind names a sort of managed thing. The number is nothing but an identity: it
// is never stored, and the order of kinds is that of the table below.
type Kind uint8

// table lists the kinds in dependency order: a value may need only values of its
// own kind or of one further up. This is the order in which a plan builds, the
// reverse of the order in which it takes down, and the order of every listing.
// There is no priority elsewhere, and no other list of kinds.
var table = [...]traits{
	deviceKind, linkKind, ovsPortKind, masterKind, sysctlKind, addressKind, neighKind, proxyNeighKind, fdbKind,
	routeKind, ruleKind, flowKind, pathKind, evpnKind, peerKind,
}

// traits are what the generic code (planner, loop, journal, printing) has to know
// about a kind. That code never names a kind, it asks these. What depends on the
// single value is asked by the interfaces in behaviour.go.
type traits struct {
	kind Kind
	// name is the word for the kind in plans, on the command line and in the state
	// file; it can never change.
	name string
	// key prints a key, readKey is its inverse, which leaves the kind out, and parse
	// reads all that follows the kind in the line of a value.
	key     func(Key) string
	readKey func(*fields) Key
	parse   func(*fields) (Value, error)

	// path: announced to neighbours. It is withdrawn before anything is taken
	// down, also when what it needs is missing, and comes after all it needs.
	path bool
	// exported: bgp.export decides whether a path may be announced.
	exported bool
	// oneHost: which paths lead to one host, on which no other path stands; nil is none.
	oneHost func(Key) bool
	// session: a session with a neighbour. It ends before anything is taken down
	// and comes up last of all, so that a neighbour never hears half of the paths.
	session bool
	// device: a network device of ours. What needs it vanishes with it.
	device bool
	// provides is the kind of needs that a value of this one satisfies under the
	// same name; 0 for only its own.
	provides Kind

	// marked: the system that holds it carries our mark of ownership, so that it
	// is provably ours without the ledger.
	marked bool
	// markedKey is which keys of a kind that is marked bear the mark; nil is all.
	markedKey func(Key) bool
	// coexists: an object of another owner under the same key is another object, which
	// exists beside ours.
	coexists bool
	// listed: the backend finds all of ours by itself. What is not listed is asked
	// for by the keys in the ledger.
	listed bool
	// foundOnly says by whom a value is made if it can only be found, never
	// created; empty for the rest.
	foundOnly string
	// lasting: a setting that keeps its value when it is not wanted any more.
	lasting bool

	// setting, steering and isolating are whether its values are a Setting, Steering
	// and Isolating.
	setting, steering, isolating bool
}

// kindOf completes the traits of the kind whose values are of type T. It makes it
// a compile-time property that they are comparable.
func kindOf[T interface {
	comparable
	Value
}](t traits) traits {
	var zero T
	_, t.setting = any(zero).(Setting)
	_, t.steering = any(zero).(Steering)
	_, t.isolating = any(zero).(Isolating)
	return t
}

// places has the position in the table, from 1, of each kind; 0 for no kind.
var places = func() (at [256]uint8) {
	for i, t := range table {
		at[t.kind] = uint8(i + 1)
	}
	return at
}()

// providers lists for each kind the keys that satisfy a need for one of it: see
// Key.Alternatives.
var providers = func() (by [256][]Kind) {
	for _, t := range table {
		if t.provides != 0 {
			by[t.provides] = append(by[t.provides], t.kind)
		}
	}
	for _, t := range table {
		by[t.kind] = append(by[t.kind], t.kind)
	}
	return by
}()

// traits returns the kind's line of the table.
func (k Kind) traits() *traits {
	if p := places[k]; p > 0 {
		return &table[p-1]
	}
	return &traits{name: fmt.Sprintf("kind(%d)", uint8(k)), key: nameOnly}
}

// Place is the kind's position in dependency order, from 1; 0 for no kind.
func (k Kind) Place() int { return int(places[k]) }

// String returns the word that stands for the kind in plans and on the command
// line.
func (k Kind) String() string { return k.traits().name }

// MarshalText makes kinds readable in JSON and in the journal.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the inverse of MarshalText; an unknown word is an error.
func (k *Kind) UnmarshalText(b []byte) error {
	for _, t := range table {
		if t.name == string(b) {
			*k = t.kind
			return nil
		}
	}
	return fmt.Errorf("unknown kind %q", b)
}

// Kinds returns every kind in dependency order.
func Kinds() []Kind { return KindsThat(func(Kind) bool { return true }) }

// KindsThat returns the kinds with a trait, in dependency order, as in
// KindsThat(Kind.IsPath).
func KindsThat(has func(Kind) bool) []Kind {
	ks := make([]Kind, 0, len(table))
	for _, t := range table {
		if has(t.kind) {
			ks = append(ks, t.kind)
		}
	}
	return ks
}

// IsSetting reports whether values of this kind are restored instead of deleted:
// see [Setting].
func (k Kind) IsSetting() bool { return k.traits().setting }

// IsLasting reports whether settings of this kind keep their value when they are
// not wanted any more, because setting it back would harm others.
func (k Kind) IsLasting() bool { return k.traits().lasting }

// IsPath reports whether values of this kind are announced to neighbours: they
// are withdrawn before anything is taken down, and come after what they need.
func (k Kind) IsPath() bool { return k.traits().path }

// IsExported reports whether the operator's export filter decides about paths of
// this kind.
func (k Kind) IsExported() bool { return k.traits().exported }

// LeadsToOneHost reports whether the value under the key is a path to one host: an address or a
// MAC, and neither a subnet nor what a whole network needs.
func (k Key) LeadsToOneHost() bool {
	t := k.Kind.traits()
	return t.oneHost != nil && t.oneHost(k)
}

// IsSession reports whether values of this kind are sessions with neighbours.
func (k Kind) IsSession() bool { return k.traits().session }

// GoesFirst reports whether values of this kind are taken away before all others:
// traffic leaves before its forwarding state does.
func (k Kind) GoesFirst() bool { return k.IsPath() || k.IsSession() }

// IsDevice reports whether values of this kind are devices, or make one, that
// others need and that take them along when they go.
func (k Kind) IsDevice() bool { return k.traits().device }

// HasMark reports whether values of this kind carry our mark in the system that
// holds them, so that they are provably ours without the ledger. Addresses and
// neighbours do on kernels that know their protocol attribute, but not on all.
func (k Kind) HasMark() bool { return k.traits().marked }

// HasMark is [Kind.HasMark] for the value under one key: what is written for another
// program to read bears that one's mark instead of ours.
func (k Key) HasMark() bool {
	t := k.Kind.traits()
	return t.marked && (t.markedKey == nil || t.markedKey(k))
}

// IsBornMarked reports whether the value under a key bears our mark from the moment it is there. A
// device does not: the kernel takes an alias only for one that exists, and who dies before that
// is set leaves a device that nothing but the ledger proves ours.
func (k Key) IsBornMarked() bool { return k.HasMark() && k.Kind != KindLink }

// Coexists reports whether objects of this kind with equal keys and different owners
// exist beside each other, so that one of another owner is never ours with another
// mark.
func (k Kind) Coexists() bool { return k.traits().coexists }

// IsListed reports whether a backend finds all of ours by itself. Others have to
// be asked for by the keys that the ledger has.
func (k Kind) IsListed() bool { return k.traits().listed }

// MadeBy says by whom values of this kind are made if we can only find them, never
// create them; empty if we can.
func (k Kind) MadeBy() string { return k.traits().foundOnly }

// IsSteering reports whether values of this kind are [Steering].
func (k Kind) IsSteering() bool { return k.traits().steering }

// IsIsolating reports whether values of this kind are [Isolating].
func (k Kind) IsIsolating() bool { return k.traits().isolating }

// nameOnly and readName are for kinds whose key is a name.
func nameOnly(k Key) string { return k.Name }

func readName(f *fields) Key { return Key{Name: f.word()} }
