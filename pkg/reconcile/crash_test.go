package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// errCrash is what a process that has died answers.
var errCrash = errors.New("crash")

// crash says where a process dies. Once it has, nothing is written any more,
// neither to the world nor to the state file.
type crash struct {
	begin, beginWritten bool        // at Begin, before or after its transaction
	change              int         // before the change of this number, -1: never
	end, endWritten     bool        // at End, before or after its transaction
	dead                atomic.Bool // the journal may die beside the steps
}

func (c *crash) String() string {
	switch {
	case c.begin:
		return "before the plan is recorded"
	case c.beginWritten:
		return "after the plan is recorded"
	case c.end:
		return "before the outcome is recorded"
	case c.endWritten:
		return "after the outcome is recorded"
	default:
		return fmt.Sprintf("before change %d", c.change)
	}
}

// dyingJournal is a journal of a process that crashes.
type dyingJournal struct {
	Journal
	c *crash
}

func (j dyingJournal) Begin(p plan.Plan) error {
	if j.c.begin {
		j.c.dead.Store(true)
		return errCrash
	}
	err := j.Journal.Begin(p)
	if j.c.beginWritten {
		j.c.dead.Store(true)
		return errCrash
	}
	return err
}

func (j dyingJournal) End(p plan.Plan, outcomes []error, took time.Duration) error {
	if j.c.end || j.c.dead.Load() {
		j.c.dead.Store(true)
		return errCrash
	}
	err := j.Journal.End(p, outcomes, took)
	if j.c.endWritten {
		j.c.dead.Store(true)
		return errCrash
	}
	return err
}

// dieIn runs a round of a process that crashes, and starts the next process.
func (n *node) dieIn(c *crash) {
	n.t.Helper()
	done := 0
	var half object.Value // a device that was made and has not got its mark
	n.world.StopOn(func(change object.Change) error {
		if c.dead.Load() {
			return errCrash
		}
		if done == c.change {
			c.dead.Store(true)
			if _, link := change.After.(object.Link); link && change.Before == nil {
				half = change.After
			}
			return errCrash
		}
		done++
		return nil
	})
	r, err := n.controller(dyingJournal{n.db, c}).Round(n.t.Context(), true)
	if err = errors.Join(err, r.JournalErr); !errors.Is(err, errCrash) {
		n.t.Fatalf("got %v, want the crash", err)
	}
	n.world.StopOn(nil)
	if half != nil {
		n.world.Set(false, half)
	}
	n.start()
}

// crashes lists every place where a round of that many changes can die.
func crashes(changes int) []*crash {
	out := []*crash{
		{begin: true, change: -1},
		{beginWritten: true, change: -1},
		{end: true, change: -1},
		{endWritten: true, change: -1},
	}
	for i := range changes {
		out = append(out, &crash{change: i})
	}
	return out
}

// forwards reports whether each path has a route that leads there and a rule
// that leads to the route: that must hold even right after a crash.
func forwards(n *node) bool {
	have, err := n.world.Read(n.t.Context(), actual.Focus{})
	if err != nil {
		n.t.Fatal(err)
	}
	routes := object.Of[object.Route](have)
	for _, p := range object.Of[object.Path](have) {
		if !slices.ContainsFunc(routes, func(r object.Route) bool {
			rule := object.NewRule(32000, r.Table, r.Dst.Addr().Is6())
			return r.Dst.Contains(p.Prefix.Addr()) && have.Has(rule.Key())
		}) {
			return false
		}
	}
	return true
}

func sceneNode(t testing.TB, text, chassis string) *node {
	t.Helper()
	s, err := story.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	cfg := defaults()
	cfg.TenantNetworks = true
	return newNode(t, chassis, s, cfg, nil)
}

// TestRandomWalk goes from each scenario to any other on one world. Wherever it
// came from, the world must look as if it had begun there.
func TestRandomWalk(t *testing.T) {
	all := map[string]string{}
	for name, f := range scenes(t, "bgp") {
		all[name] = f.Section("snapshot")
	}
	var names []string
	for name := range all {
		// While a bridge is missing what was wired on it stays, only its paths
		// go, and while a row cannot be read everything is held: there the world
		// does depend on where it came from.
		if !slices.Contains([]string{"X01-bridge-missing", "X02-bridge-device-missing", "X07-unreadable-row"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	want := map[string]string{}
	rapid.Check(t, func(rt *rapid.T) {
		n := walker(t)
		for i := range rapid.IntRange(2, 8).Draw(rt, "length") {
			name := rapid.SampledFrom(names).Draw(rt, fmt.Sprint("scene ", i))
			if _, ok := want[name]; !ok {
				fresh := walker(t)
				fresh.goTo(all[name])
				want[name] = fresh.world.String()
			}
			n.goTo(all[name])
			if got := n.world.String(); got != want[name] {
				rt.Fatalf("at %s: got\n%s\nwant\n%s", name, got, want[name])
			}
		}
	})
}

// walker is a node whose world has every bridge of every scenario, with the
// kernel's settings as they are before anybody changes them.
func walker(t testing.TB) *node {
	t.Helper()
	n := sceneNode(t, "include base", "gw-1")
	for _, dev := range []string{"br-ex", "br-st", "br-a", "br-b", "br-o", "br-provider01", "br-provider02"} {
		// Up, because a device that we brought up is not brought down again.
		n.world.Set(false, object.Device{Name: dev, Up: true})
		for path, val := range map[string]string{
			"net/ipv4/conf/" + dev + "/proxy_arp": "0", "net/ipv4/conf/" + dev + "/rp_filter": "2",
			"net/ipv4/conf/" + dev + "/send_redirects": "1", "net/ipv4/neigh/" + dev + "/proxy_delay": "80",
			"net/ipv6/conf/" + dev + "/proxy_ndp": "0", "net/ipv6/neigh/" + dev + "/proxy_delay": "80",
		} {
			n.world.Set(false, object.Sysctl{Path: path, Val: val})
		}
	}
	for path, val := range map[string]string{
		"net/ipv4/ip_forward": "0", "net/ipv6/conf/all/forwarding": "0", "net/ipv4/conf/all/rp_filter": "2",
	} {
		n.world.Set(false, object.Sysctl{Path: path, Val: val})
	}
	n.world.Set(false, object.NewRoute(201, prefix("198.51.100.0/24"), "br-ex", addr("172.24.4.1")))
	return n
}

// goTo makes the world of the story another one and lets the node settle.
func (n *node) goTo(text string) {
	n.t.Helper()
	s, err := story.Parse(text)
	if err != nil {
		n.t.Fatal(err)
	}
	n.story = s
	n.settle()
}
