// Package actual reads what is, over all backends, and knows how each object
// that is ours is distinguished from those of other owners.
//
// It refuses to know what is wanted: a backend creates, updates and deletes
// values one batch at a time and reports each outcome. The order of the
// batches is the planner's.
//
// Read next: reader.go, then one backend: kernel, bgp, ovs or model.
package actual

import (
	"context"
	"errors"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// ErrGone is what a backend wraps when the object that a change depends on (a
// link, a bridge) has vanished. It is a race with reality and not a fault: the
// next round sees the new state.
var ErrGone = errors.New("an object that it depends on no longer exists")

// Backend is one system that holds values: the kernel, the speaker, Open
// vSwitch. Implementations are safe for use by one goroutine at a time, except
// Changed.
type Backend interface {
	// Name is one word for messages: kernel, bgp, ovs.
	Name() string
	// Kinds are what it holds.
	Kinds() []object.Kind
	// Read returns everything of ours (Marked), and of other owners' what exists
	// under or beside the keys in focus. A complete read asks the system for
	// everything; otherwise the backend may answer from what it has been
	// notified of since. On an error the set is empty, never part of the state.
	Read(ctx context.Context, focus Focus) (object.Set, error)
	// Apply performs the changes, in order, as few system calls as it can,
	// and returns one error (or nil) for each. All changes are of one kind.
	// Deleting what is gone succeeds; creating what is there already with the
	// same value succeeds.
	Apply(ctx context.Context, changes []object.Change) []error
	// Changed is signalled when something of ours may have been altered by
	// others, or when what could not be applied may now be possible.
	Changed() <-chan struct{}
	// Close releases sockets and helpers. It leaves everything applied in place.
	Close() error
}

// Focus is what the caller of Read is interested in, for kinds of which
// the system holds far more than is ours: sysctls, devices, bridges.
type Focus struct {
	// Want is the desired set.
	Want object.Set
	// Owned are keys that the ledger records as ours.
	Owned []object.Key
	// Complete asks for a full read instead of what notifications have changed.
	Complete bool
}

// Keys yields every key of kind k in focus, wanted ones first; a key may come
// twice.
func (f Focus) Keys(k object.Kind) []object.Key {
	var out []object.Key
	for key := range f.Want.AllOf(k) {
		out = append(out, key)
	}
	for _, key := range f.Owned {
		if key.Kind == k {
			out = append(out, key)
		}
	}
	return out
}

// Marks are the numbers and words by which our objects are recognised, all
// configurable (see the configuration reference).
type Marks struct {
	// RouteProtocol is rtm_protocol of our routes.
	RouteProtocol uint8
	// TableProtocol is rtm_protocol of our routes that another program is to read by it
	// (see object.Route.Protocol); 0 if there are none. It is no mark: others use it too.
	TableProtocol uint8
	// RuleProtocol is FRA_PROTOCOL of our rules.
	RuleProtocol uint8
	// Alias is IFLA_IFALIAS of our links.
	Alias string
	// Cookies are the cookies of our flows.
	Cookies []uint64
}

// DefaultMarks are the numbers of a fresh installation. The cookies are the
// predecessor's, so that taking over from it changes nothing.
func DefaultMarks() Marks {
	return Marks{RouteProtocol: 98, RuleProtocol: 98, Alias: "bgp-ovn", Cookies: []uint64{0x3e7, 0x3e6}}
}
