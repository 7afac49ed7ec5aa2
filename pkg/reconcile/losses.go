package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/evidence"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// losses are the paths that are announced, or were by an earlier process, and that are
// not wanted any more. A loss is forgotten in the first round in which it is none.
type losses map[object.Key]loss

// loss is what is known of one.
type loss struct {
	// why the path was wanted when it was wanted last.
	why []object.Source
	// class is what its rows prove now, and since is since when.
	class evidence.Class
	since time.Time
	// meant says that the operator's last change of the configuration is the reason.
	meant bool
	// round is the last one in which it was one.
	round uint64
}

// holdsFor is how long a path of that class stays, 0 for one that goes at once.
func (c *Controller) holdsFor(class evidence.Class) time.Duration {
	switch {
	case class == evidence.Unbound:
		return c.cfg.UnboundHold
	case class == evidence.Unexplained && c.fuse.cfg.Share > 0:
		return c.fuse.cfg.Hold
	default:
		return 0
	}
}

// settles is how long after our Chassis row has come back rows do not count that
// say less than that another chassis has the address: ovn-northd and the chassis may
// still be filling the database.
func (c *Controller) settles() time.Duration {
	if c.fuse.cfg.Share > 0 {
		return max(c.cfg.UnboundHold, c.fuse.cfg.Hold)
	}
	return c.cfg.UnboundHold
}

// weigh returns why a path that is not wanted any more stays for now: its rows do not
// prove that it is elsewhere or has ended, and that has not lasted long enough.
func (c *Controller) weigh(r Round, k object.Key, recorded []object.Source) *object.Block {
	if !k.Kind.IsPath() {
		return nil
	}
	now := c.cfg.Clock.Now()
	l := c.losing(k, recorded)
	l.meant = l.meant || c.before.wants(r, k)
	v := evidence.Judge(k, l.why, r.Snapshot)
	switch {
	case l.class == v.Class && !l.since.IsZero():
	case l.class == evidence.Unbound && v.Class == evidence.Down && now.Before(l.since.Add(c.cfg.UnboundHold)):
		// It is bound again and not up yet.
		v.Class, v.Text = evidence.Unbound, v.Text+" and was bound to no chassis"
	default:
		l.since = now
	}
	if v.Class == evidence.Unexplained && c.unsure != "" {
		v.Text = c.unsure
	}
	l.class = v.Class
	c.losses[k] = l
	if l.meant {
		return nil
	}
	hold, since := c.holdsFor(v.Class), l.since
	if settled := c.registered.Add(c.settles()); v.Class != evidence.Elsewhere && v.Class != evidence.NotRows &&
		v.Class != evidence.Asked && now.Before(settled) && settled.After(since.Add(hold)) {
		// The rows of a database that has just got our Chassis row back may be on their way.
		hold, since = c.settles(), c.registered
		v.Text += ", and this node has just been registered again"
	}
	if now.Sub(since) >= hold {
		return nil
	}
	b := &object.Block{
		Code: object.BlockUnbound,
		Text: fmt.Sprintf("%s; withdrawn if that lasts for %s", v.Text, hold),
	}
	if v.Class == evidence.Unexplained {
		b.Code = object.BlockUnexplained
		b.Text = fmt.Sprintf("%s, and no driver wants it any more; withdrawn if that lasts for %s, or at once after "+
			"fuse.share is set to 0", v.Text, hold)
	}
	if !c.cfg.DryRun { // which does not wait
		b.Until = stamp(since.Add(hold))
	}
	return b
}

// elsewhere reports whether every row that decided that we expose the object is
// bound to another chassis that the database knows. That is positive evidence, which
// holds even where the database has lost our own Chassis row, as it does when
// ovn-controller is stopped in the orderly way: its gateways are elsewhere then,
// and two nodes must not announce them. A disconnected database proves nothing.
func (c *Controller) elsewhere(r Round, k object.Key, why []object.Source) bool {
	if k.Kind.IsPath() {
		l := c.losing(k, why)
		if r.Snapshot.SB == nil || r.Snapshot.Doubt() != "" { // time in doubt does not count for any hold
			l.class, l.since = evidence.NotRows, time.Time{}
		}
		c.losses[k] = l
		why = l.why
	}
	return evidence.Judge(k, why, r.Snapshot).Class == evidence.Elsewhere
}

// losing is what is known of a loss before it is looked at in this round. Why it was
// wanted the last round knows better than the ledger, which records it only with
// changes.
func (c *Controller) losing(k object.Key, recorded []object.Source) loss {
	l, known := c.losses[k]
	if !known {
		l.why = recorded
		if it, ok := c.wanted.Get(k); ok && len(it.Why) > 0 {
			l.why = it.Why
		}
	}
	l.round = c.rounds
	return l
}

// prune forgets what was no loss in this round.
func (l losses) prune(round uint64) {
	for k, x := range l {
		if x.round != round {
			delete(l, k)
		}
	}
}

// implausible counts what goes in a round without being elsewhere or meant. What is not there any
// more, and only has to leave the ledger, has gone already.
func (l losses) implausible(round uint64, there func(object.Key) bool) int {
	n := 0
	for k, x := range l {
		if x.round == round && there(k) && !x.meant && x.class != evidence.Elsewhere && x.class != evidence.NotRows &&
			x.class != evidence.Asked {
			n++
		}
	}
	return n
}

// due lists when holds end.
func (c *Controller) holdsEnd(after time.Time) []time.Time {
	var first time.Time
	earlier := func(t time.Time) {
		if t.After(after) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, l := range c.losses {
		if hold := c.holdsFor(l.class); hold > 0 && !l.meant {
			earlier(l.since.Add(hold))
		}
	}
	if len(c.losses) > 0 {
		earlier(c.registered.Add(c.settles()))
	}
	if first.IsZero() {
		return nil
	}
	return []time.Time{first}
}

// doubted remembers whether our Chassis row is missing, and when it has come back: the
// rows of the ports that belong to it come later. A database that was built anew while
// it was away has another row of the same name already.
func (c *Controller) doubted(r Round) {
	if r.LastKnown || r.Snapshot.SB == nil || r.Snapshot.SB.Stale != "" {
		return
	}
	me, ok := r.Snapshot.SB.ChassisByName(r.Snapshot.Chassis)
	c.unregistered = c.unregistered || !ok
	if !ok {
		return
	}
	if c.unregistered || !c.row.IsZero() && c.row != me.UUID {
		c.registered = c.cfg.Clock.Now()
	}
	c.unregistered, c.row = false, me.UUID
}

// leaveUnsure takes out of what is wanted what is there and blocked by what may be a
// mistake, such as the mapping of a bridge that does not exist: it counts as lost, and
// not as something that cannot be forwarded. So does, after our Chassis row has come back,
// what waits for ovn-controller, which makes its patch ports anew then. A path of which
// something that it needs is not there any more stays wanted and blocked, and is withdrawn.
func (c *Controller) leaveUnsure(r *Round) {
	settling := c.cfg.Clock.Now().Before(c.registered.Add(c.settles()))
	unsure := func(b *object.Block) bool {
		return b != nil && (b.Unsure || settling && b.Code == object.BlockNotWired)
	}
	kinds := []object.Kind{object.KindDevice} // on which all that is unsure stands, but for what settles
	if settling {
		kinds = append(kinds, object.KindsThat(object.Kind.IsPath)...)
	}
	c.unsure = ""
	for _, kind := range kinds {
		for _, it := range r.Want.AllOf(kind) {
			if unsure(it.Block) && (c.unsure == "" || it.Block.Text < c.unsure) {
				c.unsure = it.Block.Text
			}
		}
	}
	if c.unsure == "" {
		return
	}
	want := r.Want.Clone()
	for k, it := range r.Want.All() {
		if !unsure(it.Block) || !r.Have.Has(k) || k.Kind.IsPath() && !c.standing(k, r.Have) {
			continue
		}
		if k.Kind.IsSetting() { // it would get the value back that it had before us
			continue
		}
		if k.Kind.IsPath() { // why it is wanted now is why it was wanted last
			if l, known := c.losses[k]; !known {
				l.why = it.Why
				c.losses[k] = l
			}
		}
		want.Remove(k)
	}
	r.Want = want
}

// standing reports whether all that a path needed when it was recorded is there.
func (c *Controller) standing(k object.Key, have object.Set) bool {
	it, ok := c.cfg.Journal.Recorded(k)
	if !ok {
		return false
	}
	for _, need := range it.Needs() {
		if !slices.ContainsFunc(need.Alternatives(), have.Has) {
			return false
		}
	}
	return true
}

// thaws is when what the fuse holds is applied; empty if it is not the fuse, and for
// somebody who does not wait.
func (c *Controller) thaws(r Round) string {
	if c.cfg.DryRun || r.Snapshot.SB == nil || r.Snapshot.Doubt() != "" {
		return ""
	}
	return stamp(c.fuse.due())
}

// stamp is a time as plans have it; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// former is the intent before a change of the configuration, until a round without doubt
// has applied the change: what it would want still goes because the operator said so.
type former struct {
	drivers []desired.Driver
	fixed   []object.Item
	set     bool
	// result is what it wants of the snapshot of the round.
	result derivation
}

// wants reports whether the former intent wants the path.
func (f *former) wants(r Round, k object.Key) bool {
	if !f.set || r.Snapshot.SB == nil {
		return false
	}
	if !f.result.valid || f.result.snap != r.Snapshot {
		f.result = derivation{
			valid: true, snap: r.Snapshot, res: desired.Compute(r.Snapshot, f.fixed, f.drivers...),
		}
	}
	it, ok := f.result.res.Want.Get(k)
	return ok && it.Block == nil
}
