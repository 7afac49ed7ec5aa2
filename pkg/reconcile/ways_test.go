package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// byFabric is a learned route to the server of the database, of a process before.
var byFabric = object.Value(object.Route{
	Dst: netip.MustParsePrefix("172.24.4.0/24"), Table: object.TableMain, Metric: 4098, Dev: "eth1",
	Via: netip.MustParseAddr("192.0.2.1"),
})

// away is what is known of a node whose default route is another's, with or without an
// open session with its database.
func away(session bool) *observe.Protected {
	own := observe.Own{Southbound: []string{"tcp:" + server + ":6642"}}
	if session {
		own.Endpoints = []observe.Endpoint{{Remote: own.Southbound[0], Session: netip.MustParseAddr(server)}}
	}
	gateway := observe.Gateway{
		Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.168.1.1"), Dev: "eth0",
	}
	return observe.Protect(observe.Snapshot{Host: &observe.Host{Gateways: []observe.Gateway{gateway}}}, own)
}

// TestOnlyWayToTheDatabaseIsTried: before the first snapshot a learned route to the
// database stays for as long as a node is given to reach it, and goes when it has not been.
func TestOnlyWayToTheDatabaseIsTried(t *testing.T) {
	for _, session := range []bool{false, true} {
		t.Run(fmt.Sprintf("session %t", session), func(t *testing.T) {
			path := memory(t) + "/state.db"
			synctest.Test(t, func(t *testing.T) {
				db, err := state.Open(path, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				l := run(t, fmt.Errorf("%w: dialling", observe.ErrNotSynced), func(c *Config) {
					c.Journal, c.StartupGrace = db, 30*time.Second
					known := away(session)
					c.Protected = func(context.Context) *observe.Protected { return known }
					c.Observer.(*loop).world.Set(true, byFabric)
				})
				later(29 * time.Second)
				if !strings.Contains(l.world.String(), object.Text(byFabric)) {
					t.Errorf("the way to the database is gone before it was tried:\n%s", l.world)
				}
				later(2 * time.Second)
				if stays := strings.Contains(l.world.String(), object.Text(byFabric)); stays != session {
					t.Errorf("after the start-up grace the route is there: %t, want %t", stays, session)
				}
				if err := l.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// fabricRoute is a driver that wants the learned route.
type fabricRoute struct{}

func (fabricRoute) Name() string { return "fabric" }

func (fabricRoute) Desired(_ observe.Snapshot, out *object.Set) []observe.Skip {
	if err := out.Add(object.Item{Value: byFabric, Why: []object.Source{{Driver: "fabric", Rule: "L1"}}}); err != nil {
		panic(err)
	}
	return nil
}

// reached is a node that has an open session with its database, or had one.
type reached struct {
	*node
	protected *observe.Protected
}

func (n *reached) Snapshot(ctx context.Context) (observe.Snapshot, error) {
	snap, err := n.node.Snapshot(ctx)
	snap.Protected = n.protected
	return snap, err
}

// TestWayWithASessionStays: a learned route by which the database is reached stays when a
// process starts and while the session is away, until the neighbour withdraws it; one that
// is not there is not made.
func TestWayWithASessionStays(t *testing.T) {
	for _, there := range []bool{true, false} {
		t.Run(fmt.Sprintf("route is there %t", there), func(t *testing.T) {
			s, err := story.Parse("include base\ndevice eth1 mac 02:00:00:00:00:01")
			if err != nil {
				t.Fatal(err)
			}
			n := newNode(t, "cmp-1", s, defaults(), nil)
			if there {
				n.world.Set(true, byFabric)
			}
			o := &reached{n, away(true)}
			n.c.cfg.Observer, n.c.cfg.Drivers = o, append(n.c.cfg.Drivers, fabricRoute{})
			check := func(when string) {
				t.Helper()
				if has := strings.Contains(n.world.String(), object.Text(byFabric)); has != there {
					t.Errorf("%s: the route is there: %t, want %t\n%s", when, has, there, n.world)
				}
			}
			n.settle()
			check("with a session")
			o.protected = away(false)
			n.settle()
			check("without one")
			n.c.cfg.Drivers = n.c.cfg.Drivers[:len(n.c.cfg.Drivers)-1]
			n.c.derived.valid = false
			n.settle()
			there = false
			check("withdrawn")
		})
	}
}
