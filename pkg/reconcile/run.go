package reconcile

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// quiet is the least pause between two rounds. Where looking and computing took
// longer, the pause is as long as that, so that they never take more than half a
// core while events pour in. What it took to apply the plan does not count: it had
// to be done, and what is next, such as the flow to a port that now has its number,
// would only come later.
const quiet = 2 * time.Millisecond

// rereadAfter is the pause before a backend that could not be read is asked
// again: nothing else would wake the loop for it.
const rereadAfter = 5 * time.Second

// Run repeats rounds until ctx ends. It returns nil then, leaving everything
// in place: peers keep our routes through graceful restart. An error means
// that it cannot go on, such as a state file that cannot be written.
func (c *Controller) Run(ctx context.Context) error {
	c.mu.Lock()
	c.stat.Started = c.cfg.Clock.Now()
	c.mu.Unlock()
	w := waiter{
		c: c, started: c.cfg.Clock.Now(), complete: true,
		sources: c.merge(ctx, append(c.cfg.Observer.Changed(), c.wake)), reality: c.merge(ctx, c.realities()),
	}
	for {
		r, err := c.Round(ctx, w.complete)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, observe.ErrNotSynced):
			if err := w.notSynced(ctx, err); err != nil {
				return err
			}
		case err != nil:
			return err
		}
		if !w.wait(ctx, r) {
			return nil
		}
	}
}

// due is when the last round leaves something to be done later. It takes the
// lock because a plan that is asked for over the socket changes what it reads.
func (c *Controller) due(r Round) []time.Time {
	c.round.Lock()
	defer c.round.Unlock()
	out := []time.Time{
		c.fails.next(r.Started), c.contention.next(r.Started), c.contention.end(r.Contested), c.drainDue(),
		c.dampingDue(r.Started),
	}
	if hold := c.fuse.due(); hold.After(r.Started) {
		out = append(out, hold)
	}
	return append(out, c.holdsEnd(r.Started)...)
}

// realities are the channels on which backends say that what they made has changed.
func (c *Controller) realities() []<-chan struct{} {
	var out []<-chan struct{}
	for _, b := range c.cfg.Backends.Backends() {
		out = append(out, b.Changed())
	}
	return out
}

// merge makes of wake-up channels one that holds a single token.
func (c *Controller) merge(ctx context.Context, all []<-chan struct{}) <-chan struct{} {
	wake := make(chan struct{}, 1)
	for _, ch := range all {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case _, ok := <-ch:
					if !ok {
						return
					}
					c.notified()
					select {
					case wake <- struct{}{}:
					default:
					}
				}
			}
		}()
	}
	return wake
}

// Round plans and, unless this is a dry run, executes one round.
func (c *Controller) Round(ctx context.Context, complete bool) (Round, error) {
	return c.roundFor(ctx, complete, false)
}

func (c *Controller) roundFor(ctx context.Context, complete, asked bool) (Round, error) {
	c.round.Lock()
	defer c.round.Unlock()
	noticed := c.takesUp()
	r, err := c.plan(ctx, complete, asked)
	r.Noticed = noticed
	defer func() { c.endRound(err != nil) }()
	if err != nil {
		return r, err
	}
	return c.finish(ctx, r), nil
}

// RoundNow is Round for somebody who asks for one while the loop runs. It is
// carried through even if they go away, and the loop looks again afterwards: it
// is the loop that retries what failed.
func (c *Controller) RoundNow(ctx context.Context, complete bool) (Round, error) {
	defer func() {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}()
	return c.roundFor(context.WithoutCancel(ctx), complete, true)
}

// finish executes a planned round and reports it.
func (c *Controller) finish(ctx context.Context, r Round) Round {
	if !c.cfg.DryRun {
		began := c.cfg.Clock.Now()
		c.leaveForReview(&r)
		c.applies(len(r.Plan.Ops))
		var err error
		c.giveUp(&r)
		c.beginDrain(r)
		if r.Outcomes, err = c.execute(ctx, r.Plan); err != nil {
			c.renewed = nil // what the ledger has is not known
		}
		r.after = sync.OnceValue(Round{Have: r.Have, Plan: r.Plan, Outcomes: r.Outcomes}.leaves)
		c.contention.count(r, c.cfg.Clock.Now())
		r.Executed = c.since(began)
		if !r.Plan.Empty() {
			r.Applied = c.applied
		}
		r.JournalErr = errors.Join(err, c.renew(r))
		r.Contested = c.contention.list(r.Started)
		c.countFlaps(r)
		r.Quarantined = c.setAside()
		r.QuarantineSeen = quarantineSteps(c.quarantined, r.Quarantined, r.Want)
		c.quarantined = r.Quarantined
		c.logQuarantined(r.QuarantineSeen)
		r.Drift = c.findDrift(r)
	}
	if !r.LastKnown {
		c.begun, c.drain.changed = true, false
		c.unreachable.back, c.damper.back = nil, nil
		if !r.awaitsReview() { // what the last change of the configuration led to is yet to come otherwise
			c.reconfigured, c.wanted = false, r.Want
		}
		if r.Frozen == "" && !r.awaitsReview() {
			c.before = former{}
			c.rememberText()
		}
		if !c.cfg.DryRun {
			c.rememberFuse()
		}
	}
	r.Drain = c.drainState(r)
	c.tellDrain(r.Drain)
	if r.Drain == nil && !r.LastKnown && c.cfg.Drain.Otherwise != nil {
		r.Drain = c.cfg.Drain.Otherwise(r, c.cfg.Drivers)
	}
	c.tellFrozen(r)
	c.count(r)
	c.report(r)
	return r
}

// renew brings the relations in the ledger up to date. A round that is neither
// complete nor changes anything has no reason to look for what to renew.
func (c *Controller) renew(r Round) error {
	if r.LastKnown || r.Plan.Empty() && !r.Complete {
		return nil
	}
	items := plan.Outdated(r.Want, r.Have, c.cfg.Journal, c.renewable(r))
	c.renewed = &pair{r.Want.Clone(), r.Have.Clone()}
	if len(items) == 0 {
		return nil
	}
	c.ownedKeys = nil
	err := c.cfg.Journal.Renew(items)
	if err != nil {
		c.renewed = nil
	}
	return err
}

// renewable are the keys about which the ledger may be out of date: what has changed since
// it was brought up to date, and what this round has done. nil is all of them, where it is not
// known to have been, and in rounds that read everything.
func (c *Controller) renewable(r Round) map[object.Key]bool {
	if c.renewed == nil || r.Complete {
		return nil
	}
	keys := map[object.Key]bool{}
	for k := range c.renewed.want.Differ(r.Want) {
		keys[k] = true
	}
	for k := range c.renewed.have.Differ(r.Have) {
		keys[k] = true
	}
	for _, op := range r.Plan.Ops {
		keys[op.Key()] = true
	}
	return keys
}

func (c *Controller) count(r Round) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.contested = r, r.Contested
	c.rememberDrift(r)
	c.stat.FrozenSince = c.frozen.since
	if !r.LastKnown {
		c.stat.Waiting = ""
	}
	c.stat.Rounds++
	if r.Complete {
		c.stat.Audits++
	}
	if r.Plan.Empty() {
		c.stat.EmptyRounds++
		return
	}
	c.stat.LastChange, c.stat.ChangeTook = r.Started, r.Took()
	c.stat.Steps += uint64(len(r.Outcomes))
	for i := range r.Outcomes {
		if r.Plan.Ops[i].Cause == plan.CauseDrift {
			c.stat.Drift++
		}
	}
	c.stat.FailedSteps += uint64(len(r.Failed()))
}

// report logs what changed and what failed. That a round changed nothing is of
// interest only to who looks closer.
func (c *Controller) report(r Round) {
	if c.cfg.OnRound != nil {
		c.cfg.OnRound(r)
	}
	c.logPanics(r.Panics...)
	if r.JournalErr != nil {
		c.cfg.Log.Error("state file cannot be written; what carries our mark is applied all the same", "err", r.JournalErr)
	}
	if r.ReadErr != nil {
		c.cfg.Log.Error("cannot read current state; what could not be read is left alone", "err", r.ReadErr)
	}
	c.logDrift(r.Drift)
	c.logContested(r.Contested)
	for _, err := range r.Failed() {
		c.cfg.Log.Warn("step failed", "err", err)
	}
	switch took := r.Took().Round(10 * time.Microsecond); {
	case r.Plan.Empty() || r.Drift.Contested == len(r.Plan.Ops): // of what is contested the log has told
		c.cfg.Log.Debug("nothing to tell", "plan", r.Plan.Summary(), "complete", r.Complete, "took", took)
	case !c.cfg.DryRun:
		c.cfg.Log.Info("applied", "plan", r.Plan.Summary(), "failed", len(r.Failed()), "took", took)
	}
}

// logQuarantined tells once of each object that is set aside, and when it is not any more.
func (c *Controller) logQuarantined(seen []history.Step) {
	for _, s := range seen {
		c.cfg.Log.Warn("quarantine", "object", s.Object(), "what", s.Error, "remedy", "bgp-ovn quarantine")
	}
}

// logPanics logs the stack of each defect of a driver once in the life of the
// process: it is there again in every round.
func (c *Controller) logPanics(panics ...desired.Panic) {
	for _, p := range panics {
		c.mu.Lock()
		logged := c.panics[p.Stack]
		if c.panics == nil {
			c.panics = map[string]bool{}
		}
		c.panics[p.Stack] = true
		c.mu.Unlock()
		if !logged {
			c.cfg.Log.Error(p.Text, "stack", p.Stack)
		}
	}
}

// waiter decides when the next round begins.
type waiter struct {
	c *Controller
	// sources says that a snapshot has changed, or the configuration, and reality that
	// a backend has: because of us, or because another program changed something.
	sources, reality <-chan struct{}

	started  time.Time
	complete bool // the next round must read everything
	audited  time.Time
	restored bool
	// freed is what was protected when Controller.free was last called.
	freed *observe.Protected
	said  string
}

// notSynced says once what is missing and, when that has lasted too long for
// the peers to keep our routes, goes on announcing what was last known.
func (w *waiter) notSynced(ctx context.Context, why error) error {
	if text := why.Error(); text != w.said {
		w.said = text
		w.c.mu.Lock()
		w.c.stat.Waiting = text
		w.c.mu.Unlock()
		w.c.cfg.Log.Info("waiting for the first snapshot; nothing is changed before it", "missing", text)
	}
	if p := w.c.protected(ctx); p != nil && p != w.freed && !w.c.cfg.DryRun {
		w.freed = p
		if err := w.c.free(ctx, p, why); err != nil {
			return err
		}
	}
	grace := w.c.cfg.StartupGrace
	if w.restored || grace == 0 || w.c.cfg.DryRun || w.c.since(w.started) < grace {
		return nil
	}
	w.restored = true
	w.c.cfg.Log.Warn("no snapshot in time: going on with what was last written", "missing", why)
	w.c.round.Lock()
	defer w.c.round.Unlock()
	r, err := w.c.planLastKnown(ctx, why)
	if err != nil {
		return err
	}
	w.c.finish(ctx, r)
	return nil
}

// contestedPause is a pause beyond the usual one where a round found nothing to do but
// for keys that others change back. It bounds what such programs cost to a tenth of a
// core, and ends when a source changes.
func (w *waiter) contestedPause(r Round) time.Duration {
	w.c.round.Lock()
	defer w.c.round.Unlock()
	if len(w.c.contention) == 0 || len(r.Failed()) > 0 || !w.c.contention.only(r.Plan) {
		return 0
	}
	return contestedShare * (r.Took() - r.Executed)
}

// wait blocks until there is a reason for another round; false means that ctx
// ended.
func (w *waiter) wait(ctx context.Context, r Round) bool {
	clock := w.c.cfg.Clock
	if r.Complete {
		w.audited = clock.Now()
	}
	select {
	case <-ctx.Done():
		return false
	case <-clock.After(max(quiet, r.Took()-r.Executed)):
	}
	woken := false
	if pause := w.contestedPause(r); pause > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-w.sources:
			woken = true
		case <-clock.After(pause):
		}
	}
	if !woken {
		select {
		case <-ctx.Done():
			return false
		case <-w.sources:
		case <-w.reality:
		case <-w.timer(r):
		}
	}
	// Whatever woke the loop: an audit must not starve because events pour in.
	w.complete = w.audited.IsZero() || w.auditDue()
	return true
}

func (w *waiter) auditDue() bool {
	every := w.c.auditInterval()
	return every > 0 && w.c.since(w.audited) >= every
}

// timer fires at the earliest of: the audit, a retry, the end of a fuse's hold,
// the end of the start-up grace. Failures that are new make the next round
// come at once, because what stands on them must be withdrawn.
func (w *waiter) timer(r Round) <-chan time.Time {
	now := w.c.cfg.Clock.Now()
	due := w.c.due(r)
	if every := w.c.auditInterval(); every > 0 && !w.audited.IsZero() {
		due = append(due, w.audited.Add(every))
	}
	if len(r.Failed()) > 0 {
		due = append(due, now)
	}
	if r.ReadErr != nil {
		due = append(due, now.Add(rereadAfter))
	}
	if grace := w.started.Add(w.c.cfg.StartupGrace); w.c.cfg.StartupGrace > 0 && !w.restored && grace.After(now) {
		due = append(due, grace)
	}
	var first time.Time
	for _, t := range due {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if first.IsZero() {
		return nil
	}
	return w.c.cfg.Clock.After(max(first.Sub(now), 0))
}
