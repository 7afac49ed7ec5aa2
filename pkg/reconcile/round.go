package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/drain"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Round is one pass: what was observed, derived and read, and the plan that came of it.
type Round struct {
	Plan    plan.Plan
	Want    object.Set
	Have    object.Set
	Skipped []observe.Skip
	// Panics are defects of drivers, with their stacks.
	Panics []desired.Panic
	// Snapshot is what the round was computed from.
	Snapshot observe.Snapshot
	// Frozen says why nothing may be removed; empty if it may.
	Frozen string
	// Complete says that reality was read in full.
	Complete bool
	// LastKnown says that there is no snapshot and the set is the one that was
	// written last.
	LastKnown bool
	// ReadErr lists backends that could not be read; their kinds are left out.
	ReadErr error
	// JournalErr says that the state file could not be written. Steps of kinds
	// without a mark were not taken then.
	JournalErr error
	// Mismatch says that the difference by what changed was not that of everything, which
	// was planned then: a defect of this program.
	Mismatch bool
	// Outcomes has an element a step once the plan has been executed.
	Outcomes []error
	// Drift is what of reality had moved, and Contested what others keep changing back, once
	// the plan has been executed.
	Drift RoundDrift
	// Drain is how far the drain of the node has come, once the plan has been executed; nil
	// while it is in service.
	Drain *DrainState
	// Review is what waits for an operator once the plan has been executed; nil where changes
	// are not reviewed.
	Review *Review
	// Quarantined are the objects that are set aside once the plan has been executed, and
	// QuarantineSeen tells who came to them and who left them.
	Quarantined    []Quarantined
	QuarantineSeen []history.Step
	Contested      []Contested
	Started        time.Time
	// after is leaves, worked out once for all who ask; nil before the plan has been executed.
	after func() object.Set
	// approved says that an operator has approved the whole plan.
	approved bool
	// again are values that an operator wants made again that nothing else wants, and
	// againWhy is why: see [Controller.MakeAgain].
	again    []object.Value
	againWhy []object.Source
	// Noticed is when the first of the changes was notified that the round was made for; zero
	// if there was none.
	Noticed time.Time
	// Derived, Read, Planned and Executed are how long each part took. Applied is
	// the part of Executed in which backends worked; the rest is the journal.
	Derived, Read, Planned, Executed, Applied time.Duration
}

// Took is the length of the round.
func (r Round) Took() time.Duration { return r.Derived + r.Read + r.Planned + r.Executed }

// There returns a test for what is there after the round: what was read before it, and the
// steps that did not fail. A node at rest has no later round that would read again.
func (r Round) There() func(k object.Key) bool {
	if r.after == nil {
		return r.leaves().Has
	}
	return r.after().Has
}

// leaves is what is there after the round; of values that it made, nothing but that they are there
// counts.
func (r Round) leaves() object.Set {
	s := r.Have.Clone()
	for i, err := range r.Outcomes {
		switch op := &r.Plan.Ops[i]; {
		case err != nil:
		case op.After == nil:
			s.Remove(op.Before.Key())
		case !s.Has(op.After.Key()):
			s.Put(object.Item{Value: op.After})
		}
	}
	return s
}

// Failed returns the steps that failed, as one error each.
func (r Round) Failed() []error {
	var out []error
	for i, err := range r.Outcomes {
		if err != nil {
			out = append(out, &execute.StepError{Op: r.Plan.Ops[i], Err: err})
		}
	}
	return out
}

// Plan is one round without its effects: dry run, audit and the loop all use
// it. A complete round asks every backend for everything.
func (c *Controller) Plan(ctx context.Context, complete bool) (Round, error) {
	c.round.Lock()
	defer c.round.Unlock()
	r, err := c.plan(ctx, complete, false)
	c.passOn(r, err)
	return r, err
}

// plan is Plan for a caller that holds round; asked says that it is to repair.
func (c *Controller) plan(ctx context.Context, complete, asked bool) (Round, error) {
	r := Round{Started: c.cfg.Clock.Now(), Complete: complete}
	if complete && c.cfg.Refresh != nil {
		c.cfg.Refresh(ctx)
	}
	c.askHeld()
	c.askDrain()
	c.askUnreachable()
	c.askDamping()
	snap, err := c.snapshot(ctx)
	if err != nil {
		return r, err
	}
	c.recallFuse()
	res := c.derive(snap, &r)
	r.Snapshot, r.Want, r.Skipped, r.Panics, r.Frozen = snap, res.Want, res.Skipped, res.Panics, snap.Doubt()
	r.Derived = c.since(r.Started)
	r, err = c.compare(ctx, r)
	c.setCauses(&r, asked)
	return r, err
}

// planLastKnown is the round of a process that has not seen a snapshot yet: it
// wants what it last wrote and removes nothing.
func (c *Controller) planLastKnown(ctx context.Context, why error) (Round, error) {
	r := Round{Started: c.cfg.Clock.Now(), Complete: true, LastKnown: true, Frozen: why.Error()}
	r.Want = c.cfg.Journal.LastKnown()
	for _, it := range r.Want.Only(object.KindsThat(object.Kind.IsExported)...).Sorted() {
		if block := c.forbidden(it.Value.Key()); block != nil {
			it.Block = block
			r.Want.Put(it)
		}
	}
	r.Snapshot.Protected = c.protected(ctx)
	c.blockProtected(&r)
	c.askDrain()
	c.drainLastKnown(&r.Want)
	c.askHeld()
	// Who is found on interfaces is not known yet: those that were found last are among what
	// was written.
	fixed, _ := desired.Neighbours(observe.Snapshot{}, c.fixed())
	for _, it := range fixed {
		r.Want.Put(it)
	}
	r, err := c.compare(ctx, r)
	c.setCauses(&r, false)
	return r, err
}

// compare reads reality and computes the difference.
func (c *Controller) compare(ctx context.Context, r Round) (Round, error) {
	began := c.cfg.Clock.Now()
	focus := actual.Focus{
		Want: r.Want, Owned: append(slices.Clip(c.owned()), c.settingsNeeded(r)...),
		Complete: r.Complete,
	}
	var unread []object.Kind
	r.Have, unread, r.ReadErr = c.cfg.Backends.Read(ctx, focus)
	if errors.Is(r.ReadErr, context.Canceled) {
		return r, r.ReadErr
	}
	r.Read = c.since(began)

	if c.nothingChanged(r) {
		return r, nil
	}
	began = c.cfg.Clock.Now()
	c.fails.prune(r.Want, r.Have)
	c.contention.prune(r.Want, began)
	in := plan.Input{
		Want: r.Want, Have: r.Have, Ledger: c.cfg.Journal, Tidy: r.Complete,
		Unmanaged: c.cfg.Unmanaged, Unread: unread,
	}
	in.Waiting, in.Stuck = c.fails.waiting(began)
	in.Contested = c.contention.waiting(began)
	in.Evict = c.evict(&r)
	c.rounds++
	c.doubted(r)
	c.leaveUnsure(&r)
	in.Want = r.Want
	in.Keep = c.keeper(r)
	in.Want, in.Again = c.again(r, in)
	r.Plan = c.difference(&r, in)
	implausible := c.losses.implausible(c.rounds, func(k object.Key) bool {
		_, remembered := c.remembered.items[k]
		return remembered || r.Have.Has(k)
	})
	if reason := c.fuse.check(r, implausible, len(c.remembered.items), c.cfg.Clock.Now()); reason != "" {
		r.Frozen = reason
		in.Want = r.Want
		in.Keep = c.keeper(r)
		in.Want, in.Again = c.again(r, in)
		r.Plan = c.difference(&r, in)
	}
	c.losses.prune(c.rounds)
	r.Want = in.Want
	r.Planned = c.since(began)
	c.settled = nil
	if r.Plan.Empty() && len(r.Plan.Notes) == 0 && r.Frozen == "" && r.ReadErr == nil && len(c.fails) == 0 {
		c.settled = &pair{r.Want, r.Have}
	}
	return r, nil
}

// difference plans by what differs from the last difference. A round that has read
// everything also compares everything, and what comes of that counts.
func (c *Controller) difference(r *Round, in plan.Input) plan.Plan {
	known := c.memory.Known()
	p := c.memory.Diff(in)
	if !r.Complete || !known {
		return p
	}
	whole := plan.Diff(in)
	if reflect.DeepEqual(p, whole) {
		return whole
	}
	r.Mismatch, c.memory = true, plan.Memory{}
	c.cfg.Log.Error("the plan by what has changed is not that of everything: a defect of bgp-ovn; "+
		"the plan of everything is applied, please report both", "changed", p.String(), "everything", whole.String())
	return whole
}

// nothingChanged reports whether both sets are the very ones that the last
// round found to agree. A complete round always compares: it also tidies the
// ledger.
func (c *Controller) nothingChanged(r Round) bool {
	return c.settled != nil && !r.Complete && r.Frozen == "" && r.ReadErr == nil && len(c.fails) == 0 &&
		c.settled.want.Same(r.Want) && c.settled.have.Same(r.Have)
}

func (c *Controller) since(t time.Time) time.Duration { return c.cfg.Clock.Now().Sub(t) }

// owned lists the ledger's keys of kinds that backends do not list by themselves.
// It stays the same until a plan is executed.
func (c *Controller) owned() []object.Key {
	if c.ownedKeys != nil {
		return c.ownedKeys
	}
	out := []object.Key{}
	for _, k := range object.Kinds() {
		if !k.IsListed() {
			out = append(out, c.cfg.Journal.Keys(k)...)
		}
	}
	c.ownedKeys = out
	return out
}

// keeper decides what must not be deleted although it is not wanted: anything
// while in doubt, and what a row led to that cannot be read now.
func (c *Controller) keeper(r Round) func(object.Key, []object.Source) *object.Block {
	held := heldRows(r.Skipped)
	if r.Frozen == "" && len(held.rows)+len(held.drivers) == 0 {
		return func(k object.Key, why []object.Source) *object.Block {
			if c.forbidden(k) != nil || c.drainForces(k) {
				return nil
			}
			return c.weigh(r, k, why)
		}
	}
	structure := unreadableStructure(r)
	return func(k object.Key, why []object.Source) *object.Block {
		if c.forbidden(k) != nil || c.drainForces(k) {
			return nil
		}
		if r.Frozen != "" && !c.elsewhere(r, k, why) {
			return &object.Block{Code: object.BlockFrozen, Text: r.Frozen, Until: c.thaws(r)}
		}
		for _, src := range why {
			s, ok := held.by(src)
			// What was learned counts for nothing where its gateway has left; and that a
			// driver has a defect does not let two chassis announce the same address.
			if ok && (src.Table != "Learned" && s.Code != observe.SkipPanic || !c.elsewhere(r, k, why)) {
				return &object.Block{Code: object.BlockHeld, Text: heldText(s)}
			}
		}
		if structure != "" && !c.elsewhere(r, k, why) {
			return &object.Block{Code: object.BlockHeld, Text: structure}
		}
		if len(why) == 0 {
			return &object.Block{
				Code: object.BlockHeld,
				Text: "where it came from is not recorded, and " + held.first(),
			}
		}
		if r.Frozen != "" {
			return nil
		}
		return c.weigh(r, k, why)
	}
}

// holds are the skips that hold something: what a row led to, by the row, or all
// that a driver led to, by its name.
type holds struct{ rows, drivers map[string]observe.Skip }

func heldRows(skips []observe.Skip) holds {
	h := holds{map[string]observe.Skip{}, map[string]observe.Skip{}}
	for _, s := range skips {
		switch {
		case !s.Hold:
		case s.Row == "" && s.Driver != "":
			h.drivers[s.Driver] = s
		default:
			h.rows[s.Table+" "+s.Row] = s
		}
	}
	return h
}

// first tells of one of them: of rows before drivers, in order of names.
func (h holds) first() string {
	for _, by := range []map[string]observe.Skip{h.rows, h.drivers} {
		if names := slices.Sorted(maps.Keys(by)); len(names) > 0 {
			return heldText(by[names[0]])
		}
	}
	return ""
}

// by returns what holds objects with that source.
func (h holds) by(src object.Source) (observe.Skip, bool) {
	if s, ok := h.rows[src.RowRef()]; ok {
		return s, true
	}
	s, ok := h.drivers[src.Driver]
	return s, ok
}

// heldText says why what a row led to is kept.
func heldText(s observe.Skip) string {
	switch s.Code {
	case observe.SkipPanic:
		return s.Text
	case observe.SkipUnknown:
		return fmt.Sprintf("%s %s: %s", s.Table, s.Row, s.Text)
	default:
		return fmt.Sprintf("%s %s cannot be read: %s", s.Table, s.Row, s.Text)
	}
}

// forbidden asks Config.Forbidden about a path.
func (c *Controller) forbidden(k object.Key) *object.Block {
	if c.cfg.Forbidden == nil || !k.Kind.IsExported() {
		return nil
	}
	return c.cfg.Forbidden(k)
}

// Desired is the first half of a round: what is wanted, without reading what
// is.
func (c *Controller) Desired(ctx context.Context) (want object.Set, skipped []observe.Skip, chassis string, err error) {
	c.round.Lock()
	snap, err := c.snapshot(ctx)
	c.askHeld()
	c.askDrain()
	drivers, fixed := c.cfg.Drivers, c.fixed()
	c.askDamping()
	order, drained, unreachable, damped := c.drain.order, c.drain.is != nil, c.unreachable.is, c.damper.is
	c.round.Unlock()
	if err != nil {
		return object.Set{}, nil, "", err
	}
	res := desired.Compute(snap, fixed, drivers...)
	if drained {
		order.Own = ownAddresses(snap)
		drain.Apply(&res.Want, order)
	}
	withhold(&res.Want, unreachable)
	withhold(&res.Want, damped)
	return res.Want, res.Skipped, snap.Chassis, nil
}

// unreadableStructure names a row that cannot be read and on which objects stand
// that name other rows as their source: a localnet, a router's port, or a row of
// which not even the type is known. What depends on it is not known, so that
// everything is held that is not known to be elsewhere.
func unreadableStructure(r Round) string {
	if r.Snapshot.SB == nil {
		return ""
	}
	for _, s := range r.Skipped {
		if !s.Hold || s.Table != "Port_Binding" || s.Code != observe.SkipUnreadable {
			continue
		}
		p, ok := r.Snapshot.SB.Port(s.Row)
		if !ok || p.Type != observe.PortVIF && p.Type != observe.PortVirtual {
			return fmt.Sprintf("Port_Binding %s, on which others may stand, cannot be read: %s", s.Row, s.Text)
		}
	}
	return ""
}
