// Package adopt takes a node over from ovn-bgp-agent, the predecessor: what
// equals ours becomes ours without being touched, routes get our protocol in
// place, one rule a bridge replaces its rule for every address, and what nobody
// wants goes last.
//
// It has a planner's input and a backend of its own, and neither a difference nor
// an executor: package plan makes the steps, package execute applies them. What is
// special is in the input (the predecessor's objects count as ours), in the order
// of a few steps, and in a backend in front of the real ones.
//
// It refuses to announce anything, to touch what is not provably the
// predecessor's, and to begin while the desired or the current state is in doubt.
//
// Read next: plan.go for the order that loses no packet, recognise.go for what
// counts as the predecessor's, reverse.go for the way back, legacy for its state in the
// kernel.
package adopt

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Predecessor reads and changes what ovn-bgp-agent has left on the node.
// legacy.Kernel is the real one.
type Predecessor interface {
	Read(legacy.Scope) (legacy.State, error)
	// Learned are the routes of the main table that FRR has learned.
	Learned() ([]legacy.Learned, error)
	// Apply performs a change for which legacy.Handles; protocol is that of our
	// routes. Deleting what is gone succeeds.
	Apply(c object.Change, protocol uint8) error
}

// Node is the node that is taken over.
type Node struct {
	Backends    *actual.Reader
	Predecessor Predecessor
	// Ledger tells what became ours already: plan.NoLedger on a node without a
	// state file.
	Ledger plan.Ownership
	// RouteProtocol is rtm_protocol of our routes.
	RouteProtocol uint8
	// OpenVSwitch is flows.manage: flows and ports on bridges are ours to make.
	OpenVSwitch bool
}

// Request says what to take over.
type Request struct {
	// Snapshot and Drivers say what the node should have.
	Snapshot observe.Snapshot
	Drivers  []desired.Driver
	// BGPNIC and BGPVRF are the devices from which FRR announces: the
	// predecessor's options bgp_nic and bgp_vrf.
	BGPNIC, BGPVRF string
	// RemoveFRR removes these devices; FRR must have been stopped.
	RemoveFRR bool
}

// Plan reads everything and computes the steps. It writes nothing. An error comes
// with an empty plan.
func (n Node) Plan(ctx context.Context, r Request) (plan.Plan, error) {
	if doubt := r.Snapshot.Doubt(); doubt != "" {
		return plan.Plan{}, fmt.Errorf("desired state is in doubt, nothing is taken over: %s", doubt)
	}
	learned, err := n.Predecessor.Learned()
	if err != nil {
		return plan.Plan{}, fmt.Errorf("cannot read what FRR has learned, nothing is taken over: %w", err)
	}
	r.Snapshot.Learned = learnedBy(learned)
	res := desired.Compute(r.Snapshot, nil, r.Drivers...)
	a := adoption{
		learned: learned,
		host:    r.Snapshot.Host, want: res.Want, ledger: n.Ledger, removeFRR: r.RemoveFRR,
		// The speaker is the controller's: it announces once it has been started.
		unmanaged: actual.Scope{OpenVSwitch: n.OpenVSwitch}.Unmanaged(), keep: keepLearned(keepHeld(res.Skipped)),
		positions: map[string][]int{},
	}
	for _, m := range r.Snapshot.OVS.Mappings {
		a.mapped = append(a.mapped, m.Bridge)
		a.positions[m.Bridge] = append(a.positions[m.Bridge], m.Position)
	}
	if a.have, _, err = n.Backends.Read(ctx, actual.Focus{Want: res.Want, Complete: true}); err != nil {
		return plan.Plan{}, fmt.Errorf("cannot read current state, nothing is taken over: %w", err)
	}
	a.findTables()
	scope := legacy.Scope{
		Bridges: a.mapped, Tables: slices.Collect(maps.Keys(a.ours)), Dummy: r.BGPNIC, VRF: r.BGPVRF,
	}
	if a.old, err = n.Predecessor.Read(scope); err != nil {
		return plan.Plan{}, fmt.Errorf("cannot read what ovn-bgp-agent left, nothing is taken over: %w", err)
	}
	return a.plan(), nil
}

// Execute applies the plan. The first failure ends it, because each step makes the
// next one safe: traffic is as it was then, and Plan finds what is left to do.
func (n Node) Execute(ctx context.Context, p plan.Plan, journal execute.Journal) execute.Result {
	x := execute.Executor{Backends: n.backends(p), Journal: journal, Now: time.Now, StopAtFailure: true}
	return x.Run(ctx, p)
}

// tableLearned is where what neighbours announce comes from. Nobody is asked
// here, and nothing of the predecessor's comes from there.
const tableLearned = "Learned"

// keepHeld keeps what nobody wants while a database row cannot be read: it might
// be what that row led to, and the predecessor did not record where things come
// from. Its rules and default routes come from no row, and without the rules
// what stays in the table is reached by ours.
func keepHeld(skipped []observe.Skip) func(object.Key, []object.Source) *object.Block {
	i := slices.IndexFunc(skipped, func(s observe.Skip) bool { return s.Hold && s.Table != tableLearned })
	if i < 0 {
		return nil
	}
	text := "may come from a row that cannot be read: " + skipped[i].String()
	return func(k object.Key, _ []object.Source) *object.Block {
		if k.Kind == object.KindRule || k.Kind == object.KindRoute && k.Prefix.Bits() == 0 {
			return nil
		}
		return &object.Block{Code: object.BlockHeld, Text: text}
	}
}
