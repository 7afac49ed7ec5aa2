package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

func forbidAll(object.Key) *object.Block {
	return &object.Block{Code: object.BlockFiltered, Text: "denied"}
}

// What is forbidden goes even while everything else is held.
func TestForbiddenIsNotHeld(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	if err := s.Tell("stale sb \"connection refused\"\ndrop vmP"); err != nil {
		t.Fatal(err)
	}
	if r := n.round(); !r.Plan.Empty() {
		t.Fatalf("a frozen round did something:\n%s", r.Plan)
	}
	n.c.Reconfigure(Intent{Drivers: []desired.Driver{bgp.New(defaults())}, Forbidden: forbidAll})
	r := n.round()
	if len(r.Plan.Ops) != 1 || !strings.HasPrefix(r.Plan.String(), "- path    ipv4-unicast 172.24.4.92/32") {
		t.Errorf("got\n%swant the path withdrawn and all else held", r.Plan)
	}
}

// A fresh process with an empty speaker announces again what it would have held,
// unless it is forbidden.
func TestForbiddenIsNotAnnouncedAgain(t *testing.T) {
	for name, forbidden := range map[string]func(object.Key) *object.Block{"held": nil, "forbidden": forbidAll} {
		t.Run(name, func(t *testing.T) {
			s, err := story.Parse("include base\n" + newVM)
			if err != nil {
				t.Fatal(err)
			}
			n := newNode(t, "cmp-1", s, defaults(), func(c *Config) { c.Forbidden = forbidden })
			n.settle()
			if err := s.Tell("stale sb \"connection refused\"\ndrop vmP"); err != nil {
				t.Fatal(err)
			}
			if ok, err := n.line("speaker restarts"); !ok || err != nil {
				t.Fatal(ok, err)
			}
			n.start()
			r := n.round()
			if again := strings.Contains(r.Plan.String(), "+ path    ipv4-unicast 172.24.4.92/32"); again != (forbidden == nil) {
				t.Errorf("announced again: %t\n%s", again, r.Plan)
			}
		})
	}
}

// Nor is it by one that has no snapshot at all.
func TestForbiddenIsNotLastKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex",
			"path ipv4-unicast 10.0.0.1/32 next-hop self origin igp",
			"route 10.0.0.2/32 table 201 metric 0 dev br-ex", "path ipv4-unicast 10.0.0.2/32 next-hop self origin igp")
		l := run(t, fmt.Errorf("%w: Southbound database: dialling", observe.ErrNotSynced), func(c *Config) {
			c.StartupGrace = 30 * time.Second
			c.Journal = rememberingJournal{last: mustSet(t, v...)}
			c.Forbidden = func(k object.Key) *object.Block {
				if k.Prefix.Addr() != addr("10.0.0.1") {
					return nil
				}
				return forbidAll(k)
			}
		})
		later(31 * time.Second)
		have := l.world.String()
		if contains(have, "path ipv4-unicast 10.0.0.1/32") || !contains(have, "path ipv4-unicast 10.0.0.2/32") ||
			!contains(have, "route 10.0.0.1/32") {
			t.Errorf("want the route of both and the path of 10.0.0.2 only, got\n%s", have)
		}
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}
