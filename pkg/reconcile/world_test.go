package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// node is one node of a story: a model of the world, a state file on disk and
// a controller, seen from one chassis.
type node struct {
	t     testing.TB
	name  string
	story *story.Story
	cfg   bgp.Config
	tune  func(*Config)
	world *model.World
	clock *manualClock
	path  string
	db    *state.DB
	c     *Controller
}

func newNode(t testing.TB, name string, s *story.Story, cfg bgp.Config, tune func(*Config)) *node {
	t.Helper()
	n := &node{
		t: t, name: name, story: s, cfg: cfg, tune: tune, world: model.New(),
		clock: &manualClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		path:  filepath.Join(memory(t), "state.db"),
	}
	n.world.Set(false, s.Devices()...)
	n.start()
	t.Cleanup(func() { n.db.Close() })
	return n
}

// memory is a directory in memory where there is one: these tests write the
// state file thousands of times, and bbolt waits for the disk each time.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "bgp-ovn-test")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start begins a new process on the same world and state file.
func (n *node) start() {
	n.t.Helper()
	if n.db != nil {
		n.db.Close()
	}
	var err error
	if n.db, err = state.Open(n.path, n.clock.Now); err != nil {
		n.t.Fatal(err)
	}
	n.c = n.controller(n.db)
}

func (n *node) controller(j Journal) *Controller {
	n.t.Helper()
	reader, err := actual.NewReader(n.world)
	if err != nil {
		n.t.Fatal(err)
	}
	cfg := Config{
		Observer: n, Drivers: []desired.Driver{bgp.New(n.cfg)}, Backends: reader, Journal: j, Clock: n.clock,
	}
	if n.tune != nil {
		n.tune(&cfg)
	}
	return New(cfg)
}

// Snapshot implements Observer.
func (n *node) Snapshot(context.Context) (observe.Snapshot, error) { return n.story.Snapshot(n.name) }

// Changed implements Observer.
func (n *node) Changed() []<-chan struct{} { return nil }

func (n *node) round() Round {
	n.t.Helper()
	r, err := n.c.Round(n.t.Context(), true)
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

// settle runs rounds until one is empty.
func (n *node) settle() {
	n.t.Helper()
	for range 10 {
		if n.round().Plan.Empty() {
			return
		}
	}
	n.t.Fatalf("%s does not settle:\n%s", n.name, n.round().Plan)
}

// line performs one line of a step that is not about the databases; false if
// it is none of these:
//
//	world + route 172.24.4.92/32 table 201 metric 0 dev br-ex via 172.24.4.1
//	                      somebody else puts this there, replacing what is there
//	world ours + ...      the same, with our mark
//	world - route ...     somebody else takes this away
//	world fail rule inet priority 32000 lookup 201 suppress_prefixlength 0
//	                      the next change of this fails
//	restart               a new process on the same state file
//	amnesia               a new process on an empty state file
//	speaker restarts      all paths are gone
//	wait 5m               time passes
func (n *node) line(line string) (bool, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return false, nil
	}
	switch words[0] {
	case "world":
		return true, n.touch(strings.TrimPrefix(strings.TrimSpace(line), "world "))
	case "restart":
		n.start()
	case "amnesia":
		n.path = filepath.Join(memory(n.t), "state.db")
		n.start()
	case "speaker":
		have, err := n.world.Read(n.t.Context(), actual.Focus{})
		if err != nil {
			return true, err
		}
		for _, kind := range []object.Kind{object.KindPath, object.KindEVPN} {
			for _, it := range have.SortedOf(kind) {
				n.world.Unset(it.Value.Key())
			}
		}
	case "wait":
		d, err := time.ParseDuration(words[1])
		n.clock.advance(d)
		return true, err
	default:
		return false, nil
	}
	return true, nil
}

func (n *node) touch(line string) error {
	line, ours := strings.CutPrefix(line, "ours ")
	verb, rest, _ := strings.Cut(line, " ")
	if ours {
		verb, rest, _ = strings.Cut(strings.TrimPrefix(line, "ours "), " ")
	}
	v, err := object.Parse(rest)
	if err != nil {
		return err
	}
	switch verb {
	case "+":
		n.world.Set(ours, v)
	case "-":
		n.world.Unset(v.Key())
	case "fail":
		n.world.FailNext(v.Key(), fmt.Errorf("permission denied"))
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
	return nil
}

// defaults are the driver's options in stories.
func defaults() bgp.Config {
	return bgp.Config{Expose: expose.DefaultOptions(), TenantMethod: bgp.MethodHost}
}

// manualClock is a clock that a test moves. Its timers never fire.
type manualClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *manualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *manualClock) After(time.Duration) <-chan time.Time { return nil }

func (c *manualClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
