package reconcile

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// slowJournal begins a plan once it is let go.
type slowJournal struct {
	NoJournal
	let chan struct{}
}

func (j slowJournal) Begin(plan.Plan) error { <-j.let; return nil }

// What has changed and what is being applied is known before the round has ended, and
// what came meanwhile after it.
func TestOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		l := run(t, nil, func(c *Config) { c.Journal = slowJournal{let: let} })
		began := time.Now()
		later(5 * time.Second)
		o := l.c.Outstanding()
		if o == nil || o.Steps == 0 || o.Since.After(began) {
			t.Errorf("while a plan is applied: %+v", o)
		}
		l.wake()
		synctest.Wait()
		close(let)
		later(time.Minute)
		if o := l.c.Outstanding(); o != nil {
			t.Errorf("after all is done: %+v", o)
		}
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A round that could not look has seen nothing of what was notified.
func TestOutstandingAfterFailedRound(t *testing.T) {
	c := New(Config{Clock: &manualClock{now: time.Unix(100, 0)}, Journal: NoJournal{}})
	c.notified()
	c.takesUp()
	c.endRound(true)
	if o := c.Outstanding(); o == nil || !o.Since.Equal(time.Unix(100, 0)) {
		t.Errorf("got %+v", o)
	}
	c.takesUp()
	c.endRound(false)
	if o := c.Outstanding(); o != nil {
		t.Errorf("got %+v", o)
	}
}

// The time for which a mass withdrawal has been held goes on after a restart; a fresh
// process sees for itself that it persists, however long there was none.
func TestFuseTimeSurvivesRestart(t *testing.T) {
	for name, tt := range map[string]struct{ before, after time.Duration }{
		"restart during the hold":     {4 * time.Minute, time.Minute + time.Second},
		"restart long after the hold": {time.Hour, 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			full := "include base\n"
			for _, host := range []string{"91", "92", "93", "94", "95", "96"} {
				full += "port vm" + host + " on dp-pub mac \"fa:16:3e:15:9e:" + host + " 172.24.4." + host + "\" chassis cmp-1 up\n"
			}
			parsed := func(text string) *story.Story {
				s, err := story.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			n := newNode(t, "cmp-1", parsed(full), defaults(), nil)
			n.tune = func(c *Config) {
				c.Fuse = FuseConfig{Share: 0.3, Least: 3, Hold: 5 * time.Minute}
				c.Notes = n.db
			}
			n.start()
			n.settle()
			n.story = parsed("include base")
			frozen := func(want bool, when string) {
				t.Helper()
				if r := n.round(); (r.Frozen != "") != want {
					t.Errorf("%s: frozen %q, want %t", when, r.Frozen, want)
				}
			}
			frozen(true, "at first")
			n.clock.advance(tt.before)
			n.start()
			frozen(true, "after the restart")
			n.clock.advance(tt.after)
			frozen(false, "once it has persisted")
			n.start()
			if text := n.db.Remembered(noteFuse); text != "" {
				t.Errorf("still remembered: %s", text)
			}
		})
	}
}
