package reconcile

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// driftText is what is told of the latest drift.
func (n *node) driftText() string {
	counts, latest := n.c.Drift(1)
	if len(latest) == 0 {
		return "none"
	}
	d := latest[0]
	text := fmt.Sprintf("%s %s: %s", d.Object(), d.Drift.String(), d.State)
	if d.Why != "" {
		text += " (" + d.Why + ")"
	}
	total := 0
	for _, c := range counts {
		total += c.Count
	}
	return fmt.Sprintf("%d; %s", total, text)
}

// TestDriftIsTold: whatever others do to what we have made is counted and told, once, with
// whether it is repaired.
func TestDriftIsTold(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM + "\n" +
		`port vm6 on dp-pub mac "fa:16:3e:15:9e:f6 2001:db8::92" chassis cmp-1 up`)
	if err != nil {
		t.Fatal(err)
	}
	const route, six = "route 172.24.4.92/32 table 201 metric 0", "route 2001:db8::92/128 table 201 metric 1024"
	for _, tt := range []struct{ name, do, want, then string }{
		{"deleted", "- " + route + " dev br-ex", route + " deleted: repaired", ""},
		{"changed", "ours + " + route + " dev vlan100", route + " changed: dev vlan100 -> br-ex: repaired", ""},
		{
			"mark", "+ " + route + " dev br-ex",
			route + " foreign-mark: found no mark of ours: repaired", "",
		},
		{
			"added", "ours + route 172.24.4.7/32 table 201 metric 0 dev br-ex",
			"route 172.24.4.7/32 table 201 metric 0 added: repaired", "",
		},
		{
			"in its place", "+ " + route + " dev vlan100", route + " foreign-mark: not-repaired (another owner's object" +
				" already exists: " + route + "  dev vlan100)", "- " + route + " dev vlan100",
		},
		{
			"before it", "+ route 2001:db8::92/128 table 201 metric 1 dev vlan100", six + " overridden: not-repaired" +
				" (another owner's object wins over it: route 2001:db8::92/128 table 201 metric 1  dev vlan100)",
			"- route 2001:db8::92/128 table 201 metric 1 dev vlan100",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, "cmp-1", s, defaults(), nil)
			n.settle()
			if got := n.driftText(); got != "none" {
				t.Fatalf("before anything has moved: %s", got)
			}
			if err := n.touch(tt.do); err != nil {
				t.Fatal(err)
			}
			first := n.round()
			if len(first.Drift.Counts) != 1 {
				t.Errorf("the round counts %v", first.Drift.Counts)
			}
			seen := 0 // what is repaired is a step
			if strings.Contains(tt.want, "not-repaired") {
				seen = 1
			}
			if len(first.Drift.Seen) != seen {
				t.Errorf("the round has seen %+v", first.Drift.Seen)
			}
			for _, step := range first.Drift.Seen {
				if step.Outcome != history.Seen || step.Error == "" || step.Cause != plan.CauseDrift || len(step.Rows) == 0 ||
					step.Verb != "" || step.Drift == nil {
					t.Errorf("the history gets %+v", step)
				}
			}
			if again := n.round(); len(again.Drift.Counts)+len(again.Drift.Seen) != 0 { // no news
				t.Errorf("the next round counts %v", again.Drift.Counts)
			}
			if got, want := n.driftText(), "1; "+tt.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if tt.then == "" {
				return
			}
			if err := n.touch(tt.then); err != nil {
				t.Fatal(err)
			}
			n.settle()
			if _, latest := n.c.Drift(9); latest[len(latest)-1].State != history.Gone {
				t.Errorf("after it is gone: %+v", latest)
			}
		})
	}
}

// TestDriftThatCannotBeRepaired is told with the reason until an attempt succeeds.
func TestDriftThatCannotBeRepaired(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	n.world.Unset(routeKey(92))
	n.world.FailNext(routeKey(92), errors.New("no such device"))
	n.round()
	got := n.driftText()
	if !strings.Contains(got, "deleted: not-repaired (") || !strings.Contains(got, "no such device") {
		t.Errorf("got %s", got)
	}
	n.clock.advance(time.Minute)
	n.settle()
	if got := n.driftText(); !strings.HasSuffix(got, "deleted: repaired") {
		t.Errorf("after the next attempt: got %s", got)
	}
}

// TestNewsIsNoDrift: what the rows change, what is there at the start and what goes for
// that reason is no drift.
func TestNewsIsNoDrift(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	for _, line := range []string{
		"+ route 172.24.4.93/32 table 201 metric 0 dev vlan100",
		"ours + route 172.24.4.9/32 table 201 metric 0 dev br-ex",
	} {
		if err := n.touch(line); err != nil {
			t.Fatal(err)
		}
	}
	n.settle()
	happen(t, s, []*node{n}, `port vmNew on dp-pub mac "fa:16:3e:15:9e:f9 172.24.4.93" chassis cmp-1 up`)
	n.settle()
	happen(t, s, []*node{n}, "drop vmP")
	n.settle()
	n.start()
	n.world.Unset(routeKey(93))
	n.settle()
	if got := n.driftText(); got != "none" {
		t.Errorf("got %s", got)
	}
}

// TestDriftIsLogged: a line for each of the first, then one for the rest; nothing of a
// round without drift.
func TestDriftIsLogged(t *testing.T) {
	text := "include base\n"
	for i := range 2 * mostDriftLines {
		text += vmPort(100+i, "cmp-1") + "\n"
	}
	s, err := story.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	n := newNode(t, "cmp-1", s, defaults(), func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	n.settle()
	log.Reset()
	for i := range 2 * mostDriftLines {
		n.world.Unset(routeKey(100 + i))
	}
	n.settle()
	lines := strings.Count(log.String(), "msg=drift ")
	const one = `msg=drift object="route 172.24.4.100/32 table 201 metric 0" what=deleted state=repaired`
	if lines != mostDriftLines || !strings.Contains(log.String(), one) ||
		!strings.Contains(log.String(), `msg="more drift" objects=10`) {
		t.Errorf("%d lines of:\n%s", lines, log.String())
	}
	log.Reset()
	if n.round(); log.Len() > 0 {
		t.Errorf("nothing has happened:\n%s", log.String())
	}
}

// TestDriftIsRecalled: a new process tells of what the one before it did.
func TestDriftIsRecalled(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	n.world.Unset(routeKey(92))
	n.settle()
	before := n.driftText()
	n.start()
	past, err := n.db.History(history.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	n.c.RecallDrift(past.Steps)
	if got := n.driftText(); got != before || before == "none" {
		t.Errorf("got %s, want %s", got, before)
	}
	n.clock.advance(history.DriftWindow)
	if got := n.driftText(); got != "none" {
		t.Errorf("an hour later: %s", got)
	}
}

// TestBridgeThatGoesIsDrift: what others make and we need is told of as well.
func TestBridgeThatGoesIsDrift(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	n.world.Unset(object.Device{Name: "br-ex"}.Key())
	n.round()
	counts, _ := n.c.Drift(1)
	want := history.DriftCount{DriftKind: history.DriftKind{Kind: "device", How: "deleted"}, Count: 1}
	for _, c := range counts {
		if c == want {
			return
		}
	}
	t.Errorf("got %v, want %v among it", counts, want)
}
