package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/state"
)

const (
	// server is what a node of these tests has its Southbound database at.
	server = "172.24.4.5"
	// capturing is a port with the address of that server.
	capturing = `port thief on dp-pub mac "fa:16:3e:15:9e:f5 172.24.4.5" chassis cmp-1 up`
)

// unguarded is a snapshot in which nothing is known of what the node lives on, as in
// releases that did not ask.
type unguarded struct{ *node }

func (u unguarded) Snapshot(ctx context.Context) (observe.Snapshot, error) {
	snap, err := u.node.Snapshot(ctx)
	snap.Protected = &observe.Protected{}
	return snap, err
}

// guarded is one that is told where the Southbound database is.
type guarded struct{ *node }

func (g guarded) Snapshot(ctx context.Context) (observe.Snapshot, error) {
	snap, err := g.node.Snapshot(ctx)
	snap.Protected = protectedServer(ctx)
	return snap, err
}

// protectedServer is what is known without any snapshot.
func protectedServer(context.Context) *observe.Protected { return theServer }

var theServer = observe.Protect(observe.Snapshot{}, observe.Own{Southbound: []string{"tcp:" + server + ":6642"}})

// captured is a node of an earlier release that has a route to the server of its own
// Southbound database, announced, beside an innocent one.
func captured(t *testing.T) (*node, *story.Story) {
	t.Helper()
	s, err := story.Parse("include base\n" + newVM + "\n" + capturing)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.c.cfg.Observer = unguarded{n}
	n.settle()
	if !strings.Contains(n.world.String(), "route 172.24.4.5/32 table") {
		t.Fatalf("it is not captured:\n%s", n.world)
	}
	return n, s
}

// checkFreed checks that everything about the server's address is gone, and all else
// still there.
func checkFreed(t *testing.T, world string) {
	t.Helper()
	for line := range strings.Lines(world) {
		if strings.Contains(line, server+"/32") {
			t.Errorf("still there: %s", line)
		}
	}
	for _, want := range []string{"route 172.24.4.92/32 table", "path ipv4-unicast 172.24.4.92/32", "rule inet "} {
		if !strings.Contains(world, want) {
			t.Errorf("%s is gone:\n%s", want, world)
		}
	}
}

// TestProtectedIsNotMade: a row with the address of the database leads to a block
// that explain tells of.
func TestProtectedIsNotMade(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM + "\n" + capturing)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.c.cfg.Observer = guarded{n}
	n.settle()
	checkFreed(t, n.world.String())
	r, err := n.c.Plan(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	e := n.c.Explain(r, netip.MustParseAddr(server), nil, false)
	want := "172.24.4.5/32 is the address of the Southbound database tcp:172.24.4.5:6642"
	if e.Advertised || e.Code != object.BlockProtected || !strings.Contains(e.First, want) || e.Try == "" {
		t.Errorf("got\n%s\nwant %s", e, want)
	}
	if text := r.Plan.String(); !strings.Contains(text, object.BlockProtected) || !strings.Contains(text, want) {
		t.Errorf("the plan does not say why:\n%s", text)
	}
}

// TestCapturedNodeFreesItself: what an earlier release has made goes in the first
// round, whether the row is there, gone, or in doubt because the server cannot be
// reached.
func TestCapturedNodeFreesItself(t *testing.T) {
	for name, tell := range map[string]string{
		"row is there":      "",
		"row is gone":       "drop thief",
		"disconnected":      `stale sb "connection refused"`,
		"gone and in doubt": "drop thief\n" + `stale sb "connection refused"`,
		"row unreadable":    `unreadable Port_Binding thief "nonsense"`,
		"no Chassis row":    "chassis gone cmp-1",
	} {
		for _, speaker := range []string{"", "speaker restarts"} {
			t.Run(name+" "+speaker, func(t *testing.T) {
				n, s := captured(t)
				if err := s.Tell(tell); err != nil {
					t.Fatal(err)
				}
				if _, err := n.line(speaker); err != nil {
					t.Fatal(err)
				}
				n.start()
				n.c.cfg.Observer = guarded{n}
				n.round()
				checkFreed(t, n.world.String())
				if n.db.Owned(object.NewPath(prefix(server+"/32"), object.OriginIncomplete).Key()) {
					n.round()
					checkFreed(t, n.world.String())
				}
			})
		}
	}
}

// TestFailedWithdrawalDoesNotKeepCapture: the path cannot be withdrawn, because the
// speaker is out of reach; the route goes all the same.
func TestFailedWithdrawalDoesNotKeepCapture(t *testing.T) {
	n, s := captured(t)
	if err := s.Tell("drop thief\n" + `stale sb "connection refused"`); err != nil {
		t.Fatal(err)
	}
	n.start()
	n.c.cfg.Observer = guarded{n}
	path := object.NewPath(prefix(server+"/32"), object.OriginIncomplete)
	n.world.FailNext(path.Key(), fmt.Errorf("the speaker does not answer"))
	n.round()
	if world := n.world.String(); strings.Contains(world, "route "+server) {
		t.Errorf("the route is still there:\n%s", world)
	}
}

// TestFreedWithoutSnapshot: a process that never gets a snapshot, because the route
// leads the way to the database elsewhere, removes it at once, and does not announce
// it again when it goes on with what was last known.
func TestFreedWithoutSnapshot(t *testing.T) {
	n, _ := captured(t)
	if err := n.db.Close(); err != nil {
		t.Fatal(err)
	}
	defer n.start() // which closes it again
	synctest.Test(t, func(t *testing.T) {
		db, err := state.Open(n.path, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var world *model.World
		missing := fmt.Errorf("%w: Southbound database: dialling", observe.ErrNotSynced)
		l := run(t, missing, func(c *Config) {
			world = copied(t, n.world)
			reader, err := actual.NewReader(world)
			if err != nil {
				t.Fatal(err)
			}
			c.Backends, c.Journal, c.StartupGrace, c.Protected = reader, db, 30*time.Second, protectedServer
		})
		checkFreed(t, world.String())
		later(31 * time.Second)
		checkFreed(t, world.String())
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestDryRunFreesNothing: it says what is in the way once there is a snapshot.
func TestDryRunFreesNothing(t *testing.T) {
	n, _ := captured(t)
	synctest.Test(t, func(t *testing.T) {
		world := copied(t, n.world)
		before := world.String()
		l := run(t, fmt.Errorf("%w: dialling", observe.ErrNotSynced), func(c *Config) {
			reader, err := actual.NewReader(world)
			if err != nil {
				t.Fatal(err)
			}
			c.Backends, c.Protected, c.DryRun = reader, protectedServer, true
		})
		later(time.Second)
		if err := l.stop(); err != nil {
			t.Error(err)
		}
		if after := world.String(); after != before {
			t.Errorf("a dry run has written:\n%s\nbefore:\n%s", after, before)
		}
	})
}

// copied is the same world for another bubble of time.
func copied(t *testing.T, w *model.World) *model.World {
	t.Helper()
	have, err := w.Read(t.Context(), actual.Focus{})
	if err != nil {
		t.Fatal(err)
	}
	out := model.New()
	for _, it := range have.Sorted() {
		out.Set(it.Marked, it.Value)
	}
	return out
}
