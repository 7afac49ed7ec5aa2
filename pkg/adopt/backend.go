package adopt

import (
	"context"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// backends are those of the node, each behind one that knows the steps which only
// a take-over has.
type backends struct {
	node  Node
	taken map[object.Key]bool
}

// backends finds in the plan what is taken over as it is.
func (n Node) backends(p plan.Plan) backends {
	b := backends{n, map[object.Key]bool{}}
	for _, op := range p.Ops {
		if op.Note == noteTakenOver {
			b.taken[op.Key()] = true
		}
	}
	return b
}

// Of implements execute.Backends.
func (b backends) Of(k object.Kind) (actual.Backend, bool) {
	holder, ok := b.node.Backends.Of(k)
	return backend{holder, b.node, b.taken}, ok
}

// backend performs the steps of a take-over that no other backend must ever
// perform, and passes the rest on.
type backend struct {
	actual.Backend
	node  Node
	taken map[object.Key]bool
}

// Apply implements actual.Backend. The predecessor's objects are changed by their
// own writer, which knows their protocol. Of what is taken over as it is, a kind
// with a mark is written once more with the same value, so that it gets the mark;
// of the others the entry in the ledger is all, and nothing is written.
func (b backend) Apply(ctx context.Context, changes []object.Change) []error {
	outcomes := make([]error, len(changes))
	var index []int
	var rest []object.Change
	for i, c := range changes {
		switch {
		case legacy.Handles(c):
			outcomes[i] = b.node.Predecessor.Apply(c, b.node.RouteProtocol)
			continue
		case b.taken[c.Key()] && !c.Key().HasMark():
			continue
		case b.taken[c.Key()]:
			c.Before = c.After
		}
		index, rest = append(index, i), append(rest, c)
	}
	if len(rest) > 0 {
		for n, err := range b.Backend.Apply(ctx, rest) {
			outcomes[index[n]] = err
		}
	}
	return outcomes
}
