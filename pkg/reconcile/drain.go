package reconcile

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/drain"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// NoteDrain is the name under which it is remembered that the node is drained.
const NoteDrain = "drain"

// Drained is what is remembered of a drain, beyond the end of the process.
type Drained struct {
	// Since is when it was asked for.
	Since time.Time `json:"since"`
	Force bool      `json:"force,omitempty"`
	// Withdrawn are the paths that were withdrawn, as texts of their keys.
	Withdrawn []string `json:"withdrawn,omitempty"`
}

// ParseDrained reads what is remembered; nil for none. What cannot be read is an error,
// and counts as a drain that has just begun: an operator asked for one.
func ParseDrained(text string, now time.Time) (*Drained, error) {
	if text == "" {
		return nil, nil
	}
	var d Drained
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return &Drained{Since: now}, fmt.Errorf("read what is remembered of the drain: %w", err)
	}
	if d.Since.After(now) { // the clock was set back
		d.Since = now
	}
	return &d, nil
}

// DrainConfig is how a node is drained.
type DrainConfig struct {
	// Wait is how long everything is announced as a last resort before it is withdrawn.
	Wait time.Duration
	// LastResort is what paths get until they are withdrawn.
	LastResort object.LastResort
	// Taken says of our prefixes who else announces them, asked in every round of a drain.
	// It may be nil.
	Taken func() map[netip.Prefix]string
	// Otherwise tells how far the node is taken out of service by somebody else than an
	// operator; nil if it is not. It is called from the round, which it must not wait for, and
	// may be nil.
	Otherwise func(Round, []desired.Driver) *DrainState
}

// DrainPhase is how far a drain has come.
type DrainPhase string

// The phases, in their order.
const (
	// DrainLowered announces everything as a last resort.
	DrainLowered DrainPhase = "lowered"
	// DrainWaiting has withdrawn what somebody else announces; something is left.
	DrainWaiting DrainPhase = "waiting"
	// DrainSafe has nothing left to withdraw: the node may be stopped.
	DrainSafe DrainPhase = "safe-to-stop"
)

// DrainState is how far the drain of this node has come.
type DrainState struct {
	Phase DrainPhase
	Since time.Time
	// Until is when withdrawing begins.
	Until time.Time
	Force bool
	// By says who has asked for it; empty is an operator, by command. See
	// [DrainConfig].Otherwise.
	By string
	drain.Report
	// Remaining are the paths that are still announced and that keep the node from being
	// stopped, in the order of keys; those of Last are among them.
	Remaining []object.Key
}

// drainer is the drain of a controller; Controller.round guards it.
type drainer struct {
	// is is nil while the node is in service.
	is *Drained
	// order is the one that was derived with last, and changed says that it is another one
	// than in the round before.
	order   drain.Order
	changed bool
	// asked is set once order is what counts.
	asked bool
	// told is the phase that the log has.
	told DrainPhase
	gone map[object.Key]bool
}

// Drain takes the node out of service, and with force also what nobody else announces. It
// returns since when.
func (c *Controller) Drain(force bool) Drained {
	c.round.Lock()
	if c.drain.is == nil {
		c.drain.is = &Drained{Since: c.cfg.Clock.Now().UTC().Truncate(time.Second)}
	}
	c.drain.is.Force = c.drain.is.Force || force
	is := *c.drain.is
	c.rememberDrain()
	c.round.Unlock()
	c.wakeUp()
	return is
}

// Undrain takes the node back into service; false if it was.
func (c *Controller) Undrain() bool {
	c.round.Lock()
	was := c.drain.is != nil
	if was {
		c.drain = drainer{changed: true, told: c.drain.told}
		c.derived.valid, c.settled = false, nil
		c.rememberDrain()
	}
	c.round.Unlock()
	c.wakeUp()
	return was
}

// Draining reports whether the node is being taken out of service.
func (c *Controller) Draining() bool {
	c.round.Lock()
	defer c.round.Unlock()
	return c.drain.is != nil
}

// wakeUp has the loop look again.
func (c *Controller) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// askDrain finds out what the drain asks for now; whoever calls it holds round.
func (c *Controller) askDrain() {
	d := &c.drain
	if d.is == nil {
		return
	}
	o := drain.Order{
		LastResort: c.cfg.Drain.LastResort, Force: d.is.Force, Gone: d.gone,
		Withdraw: !c.cfg.Clock.Now().Before(c.withdraws()),
	}
	if c.cfg.Drain.Taken != nil && o.Withdraw {
		o.Taken = c.cfg.Drain.Taken()
	}
	before := d.order
	before.Gone, before.Own = o.Gone, nil
	if !d.asked || !o.Same(before) {
		d.asked, d.changed = true, true
		c.derived.valid, c.settled = false, nil
	}
	o.Own = d.order.Own
	d.order = o
}

// withdraws is when the drain begins to withdraw.
func (c *Controller) withdraws() time.Time { return c.drain.is.Since.Add(c.cfg.Drain.Wait) }

// drainDue is when the drain goes on by itself; zero if it does not.
func (c *Controller) drainDue() time.Time {
	if c.drain.is == nil || c.drain.order.Withdraw {
		return time.Time{}
	}
	return c.withdraws()
}

// applyDrain changes what is wanted by what the drain asks for.
func (c *Controller) applyDrain(want *object.Set, own map[netip.Addr]bool) *drain.Report {
	d := &c.drain
	if d.is == nil {
		return nil
	}
	d.order.Own = own
	r := drain.Apply(want, d.order)
	return &r
}

// drainLastKnown is applyDrain without a snapshot: what was withdrawn stays so, and nothing
// else is.
func (c *Controller) drainLastKnown(want *object.Set) {
	if c.drain.is == nil {
		return
	}
	o := c.drain.order
	o.Withdraw, o.Taken = false, nil
	drain.Apply(want, o)
}

// drainForces reports whether a path goes by force that nothing wants any more and that
// would be held.
func (c *Controller) drainForces(k object.Key) bool {
	return c.drain.is != nil && c.drain.order.Withdraw && c.drain.order.Force && k.Kind.IsPath()
}

// beginDrain remembers what a round is about to withdraw: after a crash it must not be
// announced again.
func (c *Controller) beginDrain(r Round) {
	if c.drain.is == nil || c.derived.drained == nil || r.LastKnown {
		return
	}
	gone := make(map[object.Key]bool, len(c.derived.drained.Withdrawn))
	for _, k := range c.derived.drained.Withdrawn {
		gone[k] = true
	}
	for k := range c.drain.gone { // a row that cannot be read now may come back as it was
		if !r.Want.Has(k) && (r.Frozen != "" || slices.ContainsFunc(r.Skipped, func(s observe.Skip) bool { return s.Hold })) {
			gone[k] = true
		}
	}
	c.drain.gone, c.drain.order.Gone = gone, gone
	c.drain.is.Withdrawn = drain.Keys(gone)
	c.rememberDrain()
}

// rememberDrain records the drain, or that there is none.
func (c *Controller) rememberDrain() {
	if c.cfg.Notes == nil || c.cfg.DryRun {
		return
	}
	text := ""
	if c.drain.is != nil {
		raw, err := json.Marshal(c.drain.is)
		if err != nil { // a time out of range, which no clock has
			return
		}
		text = string(raw)
	}
	c.cfg.Notes.Remember(NoteDrain, text)
}

// drainState is how far the drain has come after a round; nil without one.
func (c *Controller) drainState(r Round) *DrainState {
	d := c.drain.is
	if d == nil || r.LastKnown || c.derived.drained == nil {
		return nil
	}
	s := &DrainState{
		Phase: DrainLowered, Since: d.Since, Until: c.withdraws(), Force: d.Force, Report: *c.derived.drained,
	}
	if !c.drain.order.Withdraw {
		return s
	}
	own := map[object.Key]bool{}
	for _, k := range s.Own {
		own[k] = true
	}
	there := r.There()
	for _, kind := range object.KindsThat(object.Kind.IsPath) {
		for k := range r.Have.AllOf(kind) {
			if there(k) && !own[k] {
				s.Remaining = append(s.Remaining, k)
			}
		}
		for k := range r.Want.AllOf(kind) {
			if there(k) && !r.Have.Has(k) && !own[k] {
				s.Remaining = append(s.Remaining, k)
			}
		}
	}
	slices.SortFunc(s.Remaining, object.Key.Compare)
	s.Phase = DrainSafe
	if len(s.Remaining) > 0 || len(s.Last) > 0 || r.ReadErr != nil {
		s.Phase = DrainWaiting
	}
	return s
}

// tellDrain logs when a phase of the drain begins, and when it ends.
func (c *Controller) tellDrain(s *DrainState) {
	var phase DrainPhase
	if s != nil {
		phase = s.Phase
	}
	if phase == c.drain.told || s == nil && c.drain.is != nil {
		return
	}
	c.drain.told = phase
	switch phase {
	case DrainLowered:
		c.cfg.Log.Info("drain: everything is announced as a last resort", "paths", len(s.Lowered), "withdrawn from",
			s.Until.Local().Format(time.TimeOnly))
	case DrainWaiting:
		c.cfg.Log.Warn("drain: nobody else announces what is left", "paths", len(s.Remaining), "withdrawn",
			len(s.Withdrawn), "remedy", "move what is left to another node, or: bgp-ovn drain --force")
	case DrainSafe:
		c.cfg.Log.Info("drain: safe to stop", "withdrawn", len(s.Withdrawn))
	default:
		c.cfg.Log.Info("drain: the node is in service again")
	}
}

// ownAddresses are those of lo, which nobody else can take over.
func ownAddresses(snap observe.Snapshot) map[netip.Addr]bool {
	out := map[netip.Addr]bool{}
	if snap.Host == nil {
		return out
	}
	for _, a := range snap.Host.Addresses {
		if a.Dev == "lo" {
			out[a.Addr] = true
		}
	}
	return out
}
