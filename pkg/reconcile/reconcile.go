// Package reconcile is the loop: it looks at the world, computes what is
// wanted, reads what is, and executes the difference. What woke it decides
// when, never what.
//
// It refuses to know databases, netlink, GoBGP or Open vSwitch: it sees
// sources, drivers and backends only.
//
// Read next: Controller.Plan in round.go, then run.go and execute.go.
package reconcile

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/damping"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/drain"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Observer yields snapshots. observe.Join is the real one.
type Observer interface {
	Snapshot(ctx context.Context) (observe.Snapshot, error)
	Changed() []<-chan struct{}
}

// Journal records intent before effect, and remembers what may be ours.
// state.DB is the real one.
type Journal interface {
	plan.Ownership
	// Begin is called with a plan that is not empty: before its first step, or beside its steps if all
	// that they make is born with a mark.
	Begin(p plan.Plan) error
	// End is called after the last step with one outcome a step.
	End(p plan.Plan, outcomes []error, took time.Duration) error
	// Forget is called when there is nothing to do. It drops keys of which
	// nothing is left.
	Forget(keys []object.Key) error
	// Renew records the relations and the provenance of items whose values are there
	// already.
	Renew(items []object.Item) error
	// LastKnown is the set that was written last.
	LastKnown() object.Set
}

// Config is what a controller is made of.
type Config struct {
	Observer Observer
	Drivers  []desired.Driver
	// Fixed are the desired objects that come from the configuration alone: peers.
	Fixed []object.Item
	// Held says which of the fixed objects must not be made for now, and why. It is
	// asked in every round and may be nil.
	Held     func([]object.Item) map[object.Key]object.Block
	Backends *actual.Reader
	Journal  Journal
	// Forbidden says why a path must not be announced even where everything is
	// held; nil for one that may be. The field may be nil too.
	Forbidden func(object.Key) *object.Block
	// Protected is what the node itself lives on as far as that is known without a
	// snapshot. It may be nil.
	Protected func(context.Context) *observe.Protected
	// Unmanaged kinds are left alone.
	Unmanaged []object.Kind
	// AuditInterval is the period of complete reads; 0 turns them off.
	AuditInterval time.Duration
	// StartupGrace is how long a fresh process waits for its first snapshot
	// before it goes on announcing what it last knew; 0 turns that off.
	StartupGrace time.Duration
	Fuse         FuseConfig
	// UnboundHold is how long what a row led to stays announced after the row is bound
	// to no chassis any more; 0 withdraws it at once.
	UnboundHold time.Duration
	// Damping sets paths aside that come and go time and again.
	Damping damping.Config
	// Drain is how the node is taken out of service, and Drained that it is; nil if not.
	Drain   DrainConfig
	Drained *Drained
	// Unreachable says which paths must not be announced because this node cannot forward
	// packets for them, and why. It is asked in every round and may be nil. What it returns
	// must not be changed afterwards.
	Unreachable func() map[object.Key]object.Block
	// DryRun computes and reports every round and writes nothing at all.
	DryRun bool
	// Reviewed leaves changes to [Controller.Apply]: a round puts back what was applied before,
	// and takes away at once only what does harm.
	Reviewed bool
	// OnRound is called after every round, from the loop.
	OnRound func(Round)
	// Refresh is called before every complete round, for sources that have
	// facts without notifications.
	Refresh func(context.Context)
	// InspectTables is called when drivers want routing tables, and reports whether it
	// found out anything about them, so that the snapshot must be taken again.
	InspectTables func(context.Context, []uint32) bool
	// WatchTables is called with the routing tables that drivers share with other programs, and
	// reports as InspectTables does.
	WatchTables func(context.Context, []uint32) bool
	// Notes remember since when the fuse holds, and the configuration that was applied
	// last; nil if nothing does.
	Notes Notes
	// Text is the configuration as text, for the notes.
	Text string
	// Former is the intent that an earlier process applied last, if it is another one: what
	// only it wanted goes because the operator said so. Nil if none is known.
	Former *Intent
	Clock  Clock
	Log    *slog.Logger
}

// Clock is the time, so that tests can run it.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// SystemClock is the real time.
type SystemClock struct{}

// Now is time.Now.
func (SystemClock) Now() time.Time { return time.Now() }

// After is time.After.
func (SystemClock) After(d time.Duration) <-chan time.Time {
	return time.After(d)
}

// Controller runs rounds.
type Controller struct {
	cfg Config

	// round serialises rounds: the loop's and those asked for over the socket.
	round sync.Mutex
	fails failures
	fuse  fuse
	drain drainer
	// unreachable is the last answer of Config.Unreachable.
	unreachable withdrawals
	damper      damper
	// contention are the keys that other programs changed lately.
	contention contention
	// toldOf are the names of programs of which the log has that they contest.
	toldOf map[string]bool
	// quarantined are the objects that were set aside after the last round.
	quarantined []Quarantined
	// derived is the last result of the drivers and what it was derived from.
	// They are pure: the same snapshot gives the same result.
	derived derivation
	// deriving is what the last derivation found out, for the next one.
	deriving desired.Memory
	// guards makes those of [Controller.evict].
	guards desired.Guards
	// held is the last answer of Config.Held.
	held map[object.Key]object.Block
	// ways are routes by which a database was reached since the start; see noteWays.
	ways map[object.Key]bool
	// sessions are the servers of databases that had an open session when ways were noted.
	sessions []observe.ProtectedPrefix
	// own is that of an Intent that has one.
	own *observe.Own
	// settled are the sets of the last round if it found nothing to do. The
	// difference is pure: the same sets leave nothing to do.
	settled *pair
	// renewed are the sets with which the ledger was last brought up to date.
	renewed *pair
	// memory is what the last difference found out, for the next one.
	memory plan.Memory
	// begun is set once a round with a snapshot has been finished, reconfigured while
	// the configuration was changed since, and wanted is what that round wanted: they
	// tell the causes of the next one's steps.
	begun, reconfigured bool
	wanted              object.Set
	// remembered are the paths of an earlier process of which none has decided yet.
	remembered remembered
	// losses are the paths that are not wanted any more, of round rounds.
	losses losses
	rounds uint64
	// unsure says what may be a mistake in this round; empty if nothing is.
	unsure string
	// before is the intent before the last change of the configuration.
	before former
	// unregistered says that the last snapshot lacked our Chassis row, row is that of the
	// last one that had it, and registered is when it was first missing no more, or another.
	unregistered bool
	row          observe.UUID
	registered   time.Time
	// applied is how long the last execution took without the journal.
	applied time.Duration
	// ownedKeys are the ledger's keys of unmarked kinds; nil when it changed.
	ownedKeys []object.Key

	// reviewSince is since when steps wait for an operator; zero if none do.
	reviewSince time.Time
	// frozen is how deletions were suspended in the last round.
	frozen freeze
	// recalled is set once the state file has been asked since when the fuse holds.
	recalled bool

	// noted are the notes of the last round that tell of reality, with their codes.
	noted map[object.Key]string
	// contestedBefore are the objects that were contested in the last round.
	contestedBefore map[object.Key]bool

	mu   sync.Mutex // guards last, contested, drifts, stat, todo, audit and panics
	last Round
	// drifts are those of the last hour.
	drifts history.Drifts
	// contested are the contested keys of the last round.
	contested []Contested
	todo      outstanding
	// panics are the stacks of panics that are in the log.
	panics map[string]bool
	stat   Stats
	// audit is the period of complete reads, which can be changed.
	audit time.Duration
	// wake wakes the loop after a change of the configuration.
	wake chan struct{}
}

// New returns a controller. Nothing happens before Plan or Run.
func New(cfg Config) *Controller {
	if cfg.Clock == nil {
		cfg.Clock = SystemClock{}
	}
	cfg.Clock = &steady{Clock: cfg.Clock}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Controller{
		cfg: cfg, fails: failures{}, contention: contention{}, losses: losses{}, fuse: fuse{cfg: cfg.Fuse},
		audit: cfg.AuditInterval, wake: make(chan struct{}, 1),
	}
	if d := cfg.Drained; d != nil {
		is := *d
		c.drain = drainer{is: &is, gone: drain.ParseKeys(is.Withdrawn)}
	}
	if w := cfg.Former; w != nil {
		c.before = former{drivers: w.Drivers, fixed: w.Fixed, set: true}
	}
	return c
}

// derivation is what the drivers made of a snapshot.
type derivation struct {
	valid bool
	// whole says that it was held against what is derived from everything.
	whole bool
	snap  observe.Snapshot
	res   desired.Result
	// made has the items of res.Want as they were made: it shares with that of the time before
	// what was not derived again.
	made object.Set
	// drained is what a drain made of it; nil without one.
	drained *drain.Report
}

// pair is what is wanted and what is.
type pair struct{ want, have object.Set }

// Intent is the part of the configuration that can be changed while the
// controller runs: what is wanted, when a mass withdrawal is applied, and how often
// everything is checked.
type Intent struct {
	Drivers       []desired.Driver
	Fixed         []object.Item
	Forbidden     func(object.Key) *object.Block
	Fuse          FuseConfig
	UnboundHold   time.Duration
	Damping       damping.Config
	AuditInterval time.Duration
	// DrainWait and LastResort are those of a drain: see [DrainConfig].
	DrainWait  time.Duration
	LastResort object.LastResort
	// Reviewed is that of [Config].
	Reviewed bool
	// Text is the configuration as text: see [Config.Text].
	Text string
	// Own takes the place of what the observer knows of the configuration, for a
	// preview; nil leaves it.
	Own *observe.Own
}

// Reconfigure replaces the intent and wakes the loop, which applies the
// difference like any other: sessions that did not change stay up.
func (c *Controller) Reconfigure(w Intent) {
	c.round.Lock()
	c.adopt(w)
	c.round.Unlock()
	c.mu.Lock()
	c.audit = w.AuditInterval
	c.mu.Unlock()
	c.wakeUp()
}

// adopt takes up an intent; whoever calls it holds round.
func (c *Controller) adopt(w Intent) {
	if !c.before.set {
		c.before = former{drivers: c.cfg.Drivers, fixed: c.cfg.Fixed, set: true}
	}
	c.cfg.Drivers, c.cfg.Fixed, c.cfg.Forbidden, c.fuse.cfg = w.Drivers, w.Fixed, w.Forbidden, w.Fuse
	c.cfg.UnboundHold, c.cfg.Text, c.cfg.Reviewed = w.UnboundHold, w.Text, w.Reviewed
	if w.Damping != c.cfg.Damping {
		c.cfg.Damping = w.Damping
		c.dampingEnds(c.damper.memory.Adopt(w.Damping))
	}
	c.cfg.Drain.Wait, c.cfg.Drain.LastResort = w.DrainWait, w.LastResort
	c.own, c.derived.valid, c.settled, c.reconfigured = w.Own, false, nil, true
}

// takeBack undoes what adopt has made of the configuration. It leaves alone what no intent replaces, such
// as the clock, which others read meanwhile.
func (c *Controller) takeBack(was Config) {
	c.cfg.Drivers, c.cfg.Fixed, c.cfg.Forbidden = was.Drivers, was.Fixed, was.Forbidden
	c.cfg.UnboundHold, c.cfg.Text, c.cfg.Reviewed, c.cfg.Damping = was.UnboundHold, was.Text, was.Reviewed, was.Damping
	c.cfg.Drain.Wait, c.cfg.Drain.LastResort = was.Drain.Wait, was.Drain.LastResort
}

func (c *Controller) auditInterval() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.audit
}

// Stats count what the controller did since it started.
type Stats struct {
	Rounds      uint64 `json:"rounds"`
	EmptyRounds uint64 `json:"empty_rounds"`
	Audits      uint64 `json:"audits"`
	Steps       uint64 `json:"steps"`
	FailedSteps uint64 `json:"failed_steps"`
	// Drift are the steps that were taken because another program undid what we wrote.
	Drift   uint64    `json:"drift"`
	Started time.Time `json:"started"`
	// FrozenSince is since when deletions are suspended; zero if they are not.
	FrozenSince time.Time `json:"frozen_since,omitzero"`
	// Waiting is what the first snapshot is waited for; empty once there was one.
	Waiting string `json:"waiting,omitempty"`
	// LastChange is when the last round that changed something began, and
	// ChangeTook how long it took.
	LastChange time.Time     `json:"last_change,omitzero"`
	ChangeTook time.Duration `json:"change_took"`
}

// Last returns the last round and the counters.
func (c *Controller) Last() (Round, Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, c.stat
}

// NoJournal remembers nothing: for commands that only compute, and for
// controllers whose every object carries a mark.
type NoJournal struct{ plan.NoLedger }

// Begin does nothing.
func (NoJournal) Begin(plan.Plan) error { return nil }

// End does nothing.
func (NoJournal) End(plan.Plan, []error, time.Duration) error { return nil }

// Forget does nothing.
func (NoJournal) Forget([]object.Key) error { return nil }

// Renew does nothing.
func (NoJournal) Renew([]object.Item) error { return nil }

// Remembered is empty.
func (NoJournal) Remembered(string) string { return "" }

// LastKnown is empty.
func (NoJournal) LastKnown() object.Set { return object.Set{} }
