// Package agent makes a node out of settings: it opens the real sources,
// backends and the speaker, puts the controller on top and answers what can be
// asked of it. It is the only place where real things are made.
//
// There are four forms, each with a constructor of its own, and none has a part
// that may be missing because of another form:
//
//   - [Node] is the running controller,
//   - [Preview] reads the same databases and the kernel, and writes nothing,
//   - [Replay] is a node in the state of a snapshot file,
//   - [Cleanup] removes what is ours and needs no database.
//
// It refuses to parse settings (package config does), to print (package view
// does) and to know flags.
//
// Read next: [Open], then sources.go, backends.go and answers.go.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/unixctl"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/metrics"
	"github.com/bgp-ovn/bgp-ovn/pkg/web"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// Options are what a process brings along for its node.
type Options struct {
	Log *slog.Logger
	// Program is the name and version that status shows.
	Program string
	// Wait bounds how long [Open] waits for the Open_vSwitch database, as far as
	// settings are left to it. A service does not wait: with 0 what is missing is taken
	// up when it comes.
	Wait time.Duration
	// Level is that of Log, which a reload changes.
	Level *slog.LevelVar
	// Recent are the newest lines of Log; nil if they are not kept.
	Recent *Recent
	// Load reads the configuration again, for a reload; with texts KEY=VALUE it says what it
	// would be with these keys set to other values.
	Load func(set ...string) (config.Settings, error)
}

// Node is the running controller with everything real around it. It is a
// [control.Controller].
type Node struct {
	answers
	closing

	settings config.Settings // as they were at the start
	opts     Options

	sources *sources
	// classes are the paths that the last round wanted, counted.
	classes classes
	// daemons are those beside us on which forwarding depends.
	daemons []*unixctl.Daemon
	kernel  shadower
	speaker *bgp.Backend
	learned *rib.Source
	// table is what neighbours announce, used or not.
	table *rib.Table
	// elsewhere is what somebody else announces of it that is ours.
	elsewhere *overlaps
	// id is our BGP identifier.
	id netip.Addr
	// stations are told of sessions and paths.
	stations *stations
	// outside are the looking points.
	outside *outside
	// quarantine are the peers that may not be configured.
	quarantine *quarantine
	// reach judges whether what is announced is reachable.
	reach *reachability
	// past remembers what was wrong.
	past *past
	db   *state.DB
	// chosenID is why the BGP identifier was chosen; empty if somebody said it.
	chosenID string
	metrics  *metrics.Metrics
	// listener serves the metrics on a TCP address that a reload can change.
	listener *metricsListener
	// openings are what could not be listened on.
	openings openings

	// bfdAt is when the latest event of BFD was that the history has, once bfdKnown: only
	// whoever watches the sessions uses them.
	bfdAt    time.Time
	bfdKnown bool
	// lastRound is how long the last round took, since the page was told of it.
	lastRound atomic.Int64
	// cordonTold is the phase of a drain by cordon that the log has.
	cordonTold reconcile.DrainPhase
	// day is what was measured within the last day, for the page of web.listen.
	day web.Series

	// reloading is held during a reload; current are the settings after the last
	// one. Other goroutines read settings, which no reload changes.
	reloading sync.Mutex
	current   config.Settings
	// loaded is when these were read.
	loaded time.Time
	// stepped holds a token after a step of a session.
	stepped chan struct{}
	// ready is called after the first round.
	ready func()
}

// shadower tells which rules of others come before ours. The kernel backend is
// the real one.
type shadower interface {
	Shadows(ctx context.Context, priority uint32) ([]kernel.ForeignRule, error)
}

// Open makes the running controller: it takes the lock of the state file, opens
// databases, kernel, Open vSwitch and speaker. None of the databases has to be there, nor
// does the state file have to be whole: what this node announced last goes on being
// announced while they are not. Nothing is written before [Node.Run] or [Node.Converge]
// but a state file where there is none.
func Open(ctx context.Context, s config.Settings, opts Options) (*Node, error) {
	n := &Node{
		settings: s, current: s, loaded: time.Now(), opts: opts, metrics: metrics.New(opts.Program), past: newPast(),
		stepped: make(chan struct{}, 1), ready: func() {},
	}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Node) open(ctx context.Context) error {
	s, log := n.settings, n.opts.Log
	if err := claim(&n.closing, "run", s, log); err != nil {
		return err
	}
	var err error
	if n.db, err = state.Start(s.StateFile, state.Options{
		Identity: identity(s), Log: log, History: state.HistoryLimits(s.History),
	}); err != nil {
		return err
	}
	n.onClose(func() error {
		n.past.keep(n.db, time.Now())
		n.db.Flush()
		return n.db.Close()
	})
	ports := mayMakePorts(s, n.db)
	if n.sources, err = openSources(ctx, &n.closing, s, log, n.db, ports, n.opts.Wait == 0,
		n.opts.Wait); err != nil {
		return err
	}
	if n.sources.unnumbered, err = openUnnumbered(&n.closing, s, log, false); err != nil {
		return err
	}
	n.sources.join.Unnumbered = n.sources.unnumbered
	k, backends, err := localBackends(ctx, &n.closing, s, log, n.sources.ports, ports)
	if err != nil {
		return err
	}
	n.kernel = k
	if n.reach, err = openReachability(&n.closing, s, log); err != nil {
		return err
	}
	if n.quarantine, err = newQuarantine(s, log, func() { n.speaker.Wake() }); err != nil {
		return err
	}
	if s.BGP.Speaker == "" {
		n.quarantine.record.Begin(log)
	}
	if n.speaker, err = n.openSpeaker(ctx); err != nil {
		return err
	}
	n.onClose(n.speaker.Close)
	n.onClose(n.quarantine.close)
	if n.learned, err = openLearned(&n.closing, s, n.speaker, log); err != nil {
		return err
	}
	n.sources.join.Learned = n.learned
	n.stations, n.outside = newStations(n), newOutside(n)
	n.table, n.elsewhere = rib.TableOf(n.speaker.Conn(), log), newOverlaps(log)
	reader, err := actual.NewReader(append(backends, n.speaker)...)
	if err != nil {
		return err
	}
	observer := knownNode{n.sources.join, n.db}
	conf := controllerConfig(s, observer, reader, log)
	conf.Journal, conf.Notes, conf.StartupGrace = n.db, n.db, s.StartupGrace
	conf.Refresh, conf.InspectTables = n.sources.refresh, n.sources.inspectTables
	conf.WatchTables = n.sources.watchTables
	conf.Protected, conf.Former = n.sources.join.Protected, formerIntent(n.db, conf.Text, log)
	conf.OnRound, conf.Held = n.afterRound, n.quarantine.blocks
	conf.Unreachable = n.reach.blocked
	conf.Drain.Taken, conf.Drained = n.elsewhere.takenBy, drained(n.db, log)
	conf.Drain.Otherwise = n.cordonAfter
	n.ctl = reconcile.New(conf)
	n.reach.changed = n.ctl.Reconsider
	n.recallDrift()
	n.past.recall(n.db.Remembered(noteProblems), time.Now())
	n.snapshot = observer.Snapshot
	n.explain, n.trace = n.explainLive, n.reach.trace
	n.followed = n.sources.followedKube
	n.settled = func(ctx context.Context, r reconcile.Round) (reconcile.Round, reconcile.Sessions) {
		return r, n.sessions(ctx, r)
	}
	return nil
}

// openSpeaker starts the speaker or connects to the one in another process.
func (n *Node) openSpeaker(ctx context.Context) (*bgp.Backend, error) {
	id, chosen, err := n.routerID(ctx)
	if err != nil {
		return nil, err
	}
	if n.chosenID = chosen; chosen != "" {
		n.opts.Log.Warn("no BGP identifier is known: one is chosen until the next start", "identifier", id, "err", chosen)
	}
	conf := speakerConfig(n.settings, n.opts.Log)
	conf.RouterID, n.id = id, id
	conf.OnPeer = func(bgp.PeerEvent) {
		select {
		case n.stepped <- struct{}{}:
		default: // it is pending
		}
		n.past.wake()
	}
	return newSpeaker(conf)
}

// attendEvery is how often a node looks after what nothing tells it of, and readyAfter
// how long systemd has to wait for the first round: a unit that is not ready in time is
// ended, and must not be because a database is away.
const (
	attendEvery = 5 * time.Second
	readyAfter  = 30 * time.Second
)

// attend looks after the state file and the metrics, whether there are rounds or not.
func (n *Node) attend(ctx context.Context) {
	tick := time.NewTicker(attendEvery)
	defer tick.Stop()
	late := time.NewTimer(readyAfter)
	defer late.Stop()
	memory := newTrimmer()
	for {
		select {
		case <-ctx.Done():
			return
		case <-late.C:
			n.ready()
		case <-tick.C:
			memory.look()
			n.db.Check()
			n.observeSources()
			n.reopen(ctx)
		}
	}
}

// Run serves the control socket and the metrics and repeats rounds until ctx
// ends. Everything that was applied stays in place. It tells systemd when it is
// ready, reloads, and ends. An error means that it cannot go on.
func (n *Node) Run(ctx context.Context, version string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	log := n.opts.Log
	n.ready = sync.OnceFunc(func() { notify(log, stateReady) })
	var serving sync.WaitGroup
	n.listen(ctx, &serving)
	defer serving.Wait()
	defer stop() // before the wait above
	go n.reloadOnHangup(ctx)
	go watchdog(ctx, log, func() { n.ctl.Last() })
	n.watchDaemons(ctx)
	go n.attend(ctx)
	go n.watchSessions(ctx)
	serving.Go(func() { n.stations.run(ctx, n.settings.BGP.BMP) })
	serving.Go(func() { n.outside.watch(ctx, n.settings.BGP.Verify) })
	go n.watchConfig(ctx)
	go n.watchReach(ctx)
	go n.watchProblems(ctx)
	go n.watchElsewhere(ctx)
	go n.watchFleet(ctx)
	n.reportUnfinished()
	n.reportExposed(n.settings)
	log.Info("controller runs", "version", version, "state", n.settings.StateFile, "socket", n.settings.Socket)
	err := n.ctl.Run(ctx)
	notify(log, stateStopping)
	return err
}

// reportExposed warns of passwords that others on the node can read.
func (n *Node) reportExposed(s config.Settings) {
	for _, p := range s.Exposed() {
		n.opts.Log.Warn("a password can be read by others", "where", p.Place.String(), "what", p.Text, "remedy", p.Remedy)
	}
}

// reportUnfinished says that the process before this one died between two steps.
func (n *Node) reportUnfinished() {
	if open := n.db.Unfinished(); len(open.Steps) > 0 {
		n.opts.Log.Warn("the previous run ended in the middle of a plan; the current state is read and compared as always",
			"since", open.At, "steps", len(open.Steps))
	}
}

// convergeRounds is how many rounds [Node.Converge] tries: two converge anything
// that can be, because the second one withdraws what stands on a failure of the
// first, and the third has to find nothing.
const convergeRounds = 3

// Converge runs rounds until nothing is left to do, and shows each plan. Paths
// live in the speaker: one in this process ends with it. wait bounds how long it
// waits for the databases. The result is the last plan; what failed is an error.
func (n *Node) Converge(ctx context.Context, wait time.Duration, show func(control.Plan) error) (control.Plan, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := n.sources.waitSnapshot(ctx); err != nil {
		return control.Plan{}, err
	}
	var p control.Plan
	var r reconcile.Round
	for range convergeRounds {
		var err error
		if r, err = n.ctl.Round(ctx, true); err != nil {
			return p, err
		}
		if p, err = planOf(r); err != nil {
			return p, err
		}
		if err := show(p); err != nil {
			return p, err
		}
		if r.Plan.Empty() {
			break
		}
	}
	return p, errors.Join(append(r.Failed(), r.ReadErr, r.JournalErr)...)
}

// WaitSnapshot waits until every database has been read once, at most for a time.
func (n *Node) WaitSnapshot(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return n.sources.waitSnapshot(ctx)
}

// closing collects what must be released.
type closing struct{ closers []func() error }

func (c *closing) onClose(f func() error) { c.closers = append(c.closers, f) }

// Close releases everything, newest first. What was applied stays.
func (c *closing) Close() error {
	var errs []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		errs = append(errs, c.closers[i]())
	}
	c.closers = nil
	return errors.Join(errs...)
}

var errUnreadable = errors.New("no changes are made until it can be read")

// unreadable says that the current state is not known, and of which backend.
func unreadable(err error) error {
	return fmt.Errorf("cannot read current state (%w); %w", err, errUnreadable)
}
