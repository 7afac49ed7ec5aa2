//go:build guest

package walk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// errDead is what a process that has died answers to itself.
var errDead = errors.New("the process is dead")

// life is how many changes a process carries out before it dies; below zero it
// does not.
type life struct{ left int }

func (l *life) dead() bool { return l.left == 0 }

// mortal is a backend whose process may die between two changes.
type mortal struct {
	actual.Backend
	life *life
}

func (m mortal) Apply(ctx context.Context, changes []object.Change) []error {
	n := len(changes)
	if m.life.left >= 0 {
		n = min(n, m.life.left)
		m.life.left -= n
	}
	errs := make([]error, 0, len(changes))
	if n > 0 {
		errs = m.Backend.Apply(ctx, changes[:n])
	}
	for range changes[n:] {
		errs = append(errs, errDead)
	}
	return errs
}

// journal writes nothing once its process is dead.
type journal struct {
	*state.DB
	life *life
}

func (j journal) End(p plan.Plan, outcomes []error, took time.Duration) error {
	if j.life.dead() {
		return errDead
	}
	return j.DB.End(p, outcomes, took)
}

// outside stands for Open vSwitch and the speaker: it keeps what it is given. Of an
// internal port it makes a device.
type outside struct{ set object.Set }

func (o *outside) Name() string { return "outside" }
func (o *outside) Kinds() []object.Kind {
	return []object.Kind{object.KindOVSPort, object.KindFlow, object.KindPath, object.KindEVPN, object.KindPeer}
}
func (o *outside) Changed() <-chan struct{} { return nil }
func (o *outside) Close() error             { return nil }

func (o *outside) Read(context.Context, actual.Focus) (object.Set, error) { return o.set.Clone(), nil }

func (o *outside) Apply(_ context.Context, changes []object.Change) []error {
	errs := make([]error, len(changes))
	for i, c := range changes {
		if errs[i] = o.device(c); errs[i] != nil {
			continue
		}
		if c.After == nil {
			o.set.Remove(c.Key())
		} else {
			o.set.Put(object.Item{Value: c.After, Marked: c.Key().Kind.HasMark()})
		}
	}
	return errs
}

// device makes and removes the device of an internal port.
func (o *outside) device(c object.Change) error {
	before, was := c.Before.(object.OVSPort)
	after, is := c.After.(object.OVSPort)
	was, is = was && before.Type == object.OVSInternal, is && after.Type == object.OVSInternal
	switch {
	case was == is:
		return nil
	case was:
		return ip("link", "del", before.Name)
	default:
		return ip("link", "add", after.Name, "address", after.MAC.String(), "type", "dummy")
	}
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// node is what survives a process: the kernel, Open vSwitch, the speaker, the disk.
type node struct {
	t       *testing.T
	outside *outside
	path    string // of the state file
	now     cloud
}

// Snapshot implements the observer: what is the case now.
func (n *node) Snapshot(context.Context) (observe.Snapshot, error) { return n.now.snapshot() }

// Changed implements the observer: nobody waits.
func (n *node) Changed() []<-chan struct{} { return nil }

func newNode(t *testing.T) *node {
	t.Helper()
	runtime.LockOSThread() // for good: its namespace is gone with the thread
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"link set lo up", "link add br-ex address 3a:f7:e9:54:e8:4d type dummy", "link set br-ex up",
		"addr add 99.99.1.1/32 dev lo", "addr add 99.99.1.2/32 dev lo",
	} {
		if err := ip(strings.Fields(line)...); err != nil {
			t.Fatal(err)
		}
	}
	return &node{t: t, outside: &outside{}, path: filepath.Join(t.TempDir(), "state.db"), now: empty()}
}

// process runs f with a controller of its own.
func (n *node) process(l *life, f func(*reconcile.Controller)) {
	n.t.Helper()
	k, err := kernel.New(kernel.Config{Marks: actual.DefaultMarks()})
	if err != nil {
		n.t.Fatal(err)
	}
	db, err := state.Open(n.path, time.Now)
	if err != nil {
		n.t.Fatal(err)
	}
	reader, err := actual.NewReader(mortal{k, l}, mortal{n.outside, l})
	if err != nil {
		n.t.Fatal(err)
	}
	f(reconcile.New(reconcile.Config{
		Observer: n, Backends: reader, Journal: journal{db, l}, Drivers: []desired.Driver{evpn.New(n.now.cfg)},
	}))
	if err := errors.Join(k.Close(), db.Close()); err != nil {
		n.t.Fatal(err)
	}
}

// arrive demands that a process that lives comes to want nothing any more in as many
// rounds as one thing can wait for another, and that a fresh one, which reads it
// all, wants nothing from the start.
func (n *node) arrive(ctx context.Context) {
	n.t.Helper()
	const rounds = 4
	n.process(&life{-1}, func(c *reconcile.Controller) {
		var r reconcile.Round
		for range rounds {
			var err error
			r, err = c.Round(ctx, false)
			if err != nil || r.ReadErr != nil {
				n.t.Fatal(err, r.ReadErr)
			}
			if failed := r.Failed(); len(failed) > 0 {
				n.t.Fatalf("%v\n%s\nof\n%s", failed, r.Plan, n.now.text)
			}
			if r.Plan.Empty() {
				return
			}
		}
		n.t.Fatalf("it wants more after %d rounds:\n%s\nof\n%s", rounds, r.Plan, n.now.text)
	})
	n.process(&life{-1}, func(c *reconcile.Controller) {
		if r, err := c.Round(ctx, true); err != nil || r.ReadErr != nil || !r.Plan.Empty() {
			n.t.Fatalf("a fresh process: %v %v\n%s\nof\n%s", err, r.ReadErr, r.Plan, n.now.text)
		}
	})
}

// TestWalk goes from cloud to cloud. In every second step the process dies at a
// random place before another one goes on, which may find yet another cloud. The
// environment's SEED, a number, is for other walks.
func TestWalk(t *testing.T) {
	const steps = 40
	seed := uint64(1)
	if text := os.Getenv("SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(seed, 0))
	n := newNode(t)
	deaths, changes := 0, 0
	for range steps {
		n.now = random(r)
		if r.IntN(2) == 0 {
			l := &life{1 + r.IntN(120)}
			n.process(l, func(c *reconcile.Controller) {
				round, err := c.Round(t.Context(), true)
				if err != nil || round.ReadErr != nil {
					t.Fatal(err, round.ReadErr)
				}
				changes += len(round.Plan.Ops)
			})
			if l.dead() {
				deaths++
			}
			if r.IntN(2) == 0 {
				n.now = random(r)
			}
		}
		n.arrive(t.Context())
	}
	if deaths < steps/8 {
		t.Errorf("%d deaths in %d steps with %d changes: it tests little", deaths, steps, changes)
	}
	n.now = empty()
	n.arrive(t.Context())
	n.nothingLeft()
}

// nothingLeft demands a kernel as it was at the beginning.
func (n *node) nothingLeft() {
	n.t.Helper()
	for _, look := range []struct{ what, but string }{
		{"link", "lo br-ex"},
		{"rule", "local main default [l3mdev-table]"}, // the kernel keeps the last one
		{"-6 rule", "local main [l3mdev-table]"},
		{"route show table all proto 98", ""},
		{"-6 route show table all proto 98", ""},
		{"neigh show nud permanent", ""},
	} {
		out, err := exec.Command("ip", append([]string{"-o"}, strings.Fields(look.what)...)...).Output()
		if err != nil {
			n.t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			known := false
			for _, word := range strings.Fields(look.but) {
				known = known || strings.Contains(line, " "+word)
			}
			if !known {
				n.t.Errorf("ip %s has %s", look.what, line)
			}
		}
	}
	for _, it := range n.outside.set.Sorted() {
		n.t.Errorf("Open vSwitch or the speaker has %s", object.Text(it.Value))
	}
}

// TestDeathBeforeTheMark: a process may die between the message that makes a device
// and those that mark it and put it into its place. The ledger has it all the same:
// the next process finishes it, and another can take it away again.
func TestDeathBeforeTheMark(t *testing.T) {
	n := newNode(t)
	var names []string
	for r := rand.New(rand.NewPCG(7, 0)); len(names) < 12; names = devices(t) {
		n.now = random(r)
		n.arrive(t.Context())
	}
	for _, name := range names {
		for _, line := range []string{"nomaster", "down", "alias"} {
			args := append([]string{"link", "set", name}, strings.Fields(line)...)
			if line == "alias" {
				args = append(args, "")
			}
			if err := ip(args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.arrive(t.Context())
	if err := os.Remove(n.path); err != nil { // from now on it is the mark that counts
		t.Fatal(err)
	}
	n.outside = &outside{}
	for _, name := range devices(t) {
		if strings.HasPrefix(name, "vlan-") {
			if err := ip("link", "del", name); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.now = empty()
	n.arrive(t.Context())
	n.nothingLeft()
}

// devices lists what was made in the namespace.
func devices(t *testing.T) []string {
	t.Helper()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range links {
		if l.Name != "lo" && l.Name != "br-ex" {
			out = append(out, l.Name)
		}
	}
	return out
}
