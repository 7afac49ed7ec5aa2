package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// loop is a running controller, in the time of a synctest bubble.
type loop struct {
	mu      sync.Mutex
	story   *story.Story
	missing error // returned instead of a snapshot
	changed chan struct{}
	world   *model.World
	rounds  []Round
	c       *Controller
	stop    func() error
}

func (l *loop) Snapshot(context.Context) (observe.Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.missing != nil {
		return observe.Snapshot{}, l.missing
	}
	return l.story.Snapshot("cmp-1")
}

func (l *loop) Changed() []<-chan struct{} { return []<-chan struct{}{l.changed} }

// tell changes the world as the databases have it and wakes the loop.
func (l *loop) tell(t *testing.T, text string) {
	t.Helper()
	l.mu.Lock()
	err := l.story.Tell(text)
	l.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	l.wake()
}

func (l *loop) wake() {
	l.changed <- struct{}{}
	synctest.Wait()
}

func (l *loop) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.rounds)
}

func run(t *testing.T, missing error, tune func(*Config)) *loop {
	t.Helper()
	s, err := story.Parse("include base")
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{story: s, missing: missing, changed: make(chan struct{}), world: model.New()}
	l.world.Set(false, s.Devices()...)
	reader, err := actual.NewReader(l.world)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Observer: l, Drivers: []desired.Driver{bgp.New(defaults())}, Backends: reader, Journal: noJournal{},
		OnRound: func(r Round) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.rounds = append(l.rounds, r)
		},
	}
	if tune != nil {
		tune(&cfg)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	l.c = New(cfg)
	go func() { ended <- l.c.Run(ctx) }()
	l.stop = func() error { cancel(); return <-ended }
	synctest.Wait()
	return l
}

const newVM = `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis cmp-1 up`

// TestLoopSleepsWhenNothingHappens: an hour of silence is no round at all.
func TestLoopSleepsWhenNothingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, nil)
		later(time.Second)
		before := l.count()
		later(time.Hour)
		if got := l.count() - before; before != 1 || got != 0 {
			t.Errorf("%d rounds at first, %d in an hour of silence, want 1 and 0", before, got)
		}
		l.tell(t, newVM)
		later(time.Second)
		if got := l.count() - before; got != 1 {
			t.Errorf("%d rounds for one event, want 1", got)
		}
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}

// logged is what a loop has logged, for who reads it while the loop goes on.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func later(d time.Duration) {
	<-time.After(d) // in the bubble: the clock moves when everybody waits
	synctest.Wait()
}

// TestAuditsComeEvenIfEventsDo, and only audits read everything.
func TestAuditsComeEvenIfEventsDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, func(c *Config) { c.AuditInterval = time.Minute })
		for range 600 { // ten minutes of an event a second
			later(time.Second)
			l.wake()
		}
		complete := 0
		for _, r := range l.rounds {
			if r.Complete {
				complete++
			}
		}
		if complete < 10 || complete > 11 {
			t.Errorf("%d complete rounds of %d in ten minutes, want one a minute", complete, l.count())
		}
		l.stop()
	})
}

// TestRetriesBackOff: a step that keeps failing is tried less and less often,
// its path waits, and it is announced with the attempt that succeeds.
func TestRetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, nil)
		route := parse(t, "route 172.24.4.92/32 table 201 metric 0 dev br-ex")[0].Key()
		tries := 0
		l.world.StopOn(func(c object.Change) error {
			if c.Key() == route {
				if tries++; tries <= 5 {
					return errBusy
				}
			}
			return nil
		})
		before := l.count()
		l.tell(t, newVM)
		later(time.Minute)
		if tries != 6 {
			t.Errorf("%d attempts, want 6", tries)
		}
		// One round an attempt, and one after each failure to withdraw what
		// stands on it.
		if got := l.count() - before; got > 12 {
			t.Errorf("%d rounds for 6 attempts: the loop spins", got)
		}
		if have := l.world.String(); !contains(have, "path ipv4-unicast 172.24.4.92/32") {
			t.Errorf("the path is not announced:\n%s", have)
		}
		l.stop()
	})
}

// TestStuckRemovalsDoNotSpin: what cannot be removed or restored is tried again
// with a delay, like everything else.
func TestStuckRemovalsDoNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, nil)
		l.tell(t, newVM)
		later(time.Second)
		tries := 0
		l.world.StopOn(func(c object.Change) error {
			if c.After == nil && c.Key().Kind == object.KindPath {
				tries++
				return errBusy
			}
			return nil
		})
		before := l.count()
		l.tell(t, "drop vmP")
		later(time.Minute)
		l.tell(t, newVM+"\npatch br-ex provnet-c1 gone") // wanted, blocked, and still announced
		later(time.Minute)
		if rounds := l.count() - before; tries < 5 || tries > 12 || rounds > 40 {
			t.Errorf("%d attempts in %d rounds in two minutes", tries, rounds)
		}
		if have := l.world.String(); !contains(have, "path ipv4-unicast 172.24.4.92/32") ||
			!contains(have, "route 172.24.4.92/32") {
			t.Errorf("what is still announced must still be forwarded:\n%s", have)
		}
		l.stop()
	})
}

// TestUnreadableBackendIsAskedAgain although nothing wakes the loop.
func TestUnreadableBackendIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flaky *flakyBackend
		l := run(t, nil, func(c *Config) {
			flaky = &flakyBackend{Backend: c.Backends.Backends()[0], failures: 3}
			reader, err := actual.NewReader(flaky)
			if err != nil {
				t.Fatal(err)
			}
			c.Backends = reader
		})
		later(time.Minute)
		if flaky.failures > 0 || !contains(l.world.String(), "link br-ex.100") {
			t.Errorf("%d failures to come, world:\n%s", flaky.failures, l.world)
		}
		if l.count() > 6 {
			t.Errorf("%d rounds for three failed reads", l.count())
		}
		l.stop()
	})
}

type flakyBackend struct {
	actual.Backend
	failures int
}

func (b *flakyBackend) Read(ctx context.Context, f actual.Focus) (object.Set, error) {
	if b.failures > 0 {
		b.failures--
		return object.Set{}, errBusy
	}
	return b.Backend.Read(ctx, f)
}

// TestStartWithoutSnapshot: nothing is written until the grace has passed, then
// what was last known is announced again, once.
func TestStartWithoutSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex",
			"path ipv4-unicast 10.0.0.1/32 next-hop self origin igp")
		l := run(t, fmt.Errorf("%w: Southbound database: dialling", observe.ErrNotSynced), func(c *Config) {
			c.StartupGrace = 30 * time.Second
			c.Journal = rememberingJournal{last: mustSet(t, v...)}
		})
		later(29 * time.Second)
		if n := l.world.Writes(); n != 0 {
			t.Errorf("%d writes before the grace has passed", n)
		}
		later(2 * time.Second)
		if have := l.world.String(); !contains(have, "path ipv4-unicast 10.0.0.1/32") {
			t.Errorf("want what was last known, got\n%s", have)
		}
		writes := l.world.Writes()
		later(time.Hour)
		if l.world.Writes() != writes || l.count() != 1 {
			t.Errorf("%d more writes in %d rounds", l.world.Writes()-writes, l.count())
		}
		l.stop()
	})
}

type rememberingJournal struct {
	noJournal
	last object.Set
}

func (j rememberingJournal) LastKnown() object.Set { return j.last.Clone() }

// TestDryRunWritesNothing, to the world or to the state file.
func TestDryRunWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, func(c *Config) {
			c.DryRun = true
			c.Journal = untouchable{t: t}
			c.AuditInterval = time.Minute
		})
		l.tell(t, newVM)
		later(10 * time.Minute)
		if l.world.Writes() != 0 {
			t.Error("a dry run wrote to the world")
		}
		if n := l.count(); n < 10 || n > 14 {
			t.Errorf("%d rounds in ten minutes", n)
		}
		l.stop()
	})
}

type untouchable struct {
	noJournal
	t *testing.T
}

func (j untouchable) Forget([]object.Key) error {
	j.t.Error("a dry run wrote to the state file")
	return nil
}

// TestRunGoesOnWithoutTheStateFile: a full disk does not take the node off the
// network. What carries our mark proves itself; the rest is not touched, because
// nobody could tell later that it is ours.
func TestRunGoesOnWithoutTheStateFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, func(c *Config) { c.Journal = fullDisk{} })
		if err := l.stop(); err != nil {
			t.Errorf("got %v, want it to go on", err)
		}
		if len(l.rounds) == 0 || !errors.Is(l.rounds[0].JournalErr, errBusy) {
			t.Error("want the journal's error in the round")
		}
		have, err := l.world.Read(t.Context(), actual.Focus{})
		if err != nil {
			t.Fatal(err)
		}
		if have.LenOf(object.KindFlow) == 0 || have.LenOf(object.KindAddress) != 0 {
			t.Errorf("want the flows and no address:\n%s", l.world)
		}
	})
}

type fullDisk struct{ noJournal }

func (fullDisk) Begin(plan.Plan) error { return errBusy }

func contains(text, line string) bool { return strings.Contains(text, line) }
