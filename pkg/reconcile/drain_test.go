package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// notes are remembered beyond the end of a loop.
type notes struct {
	mu   sync.Mutex
	text map[string]string
}

func (n *notes) Remember(name, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.text == nil {
		n.text = map[string]string{}
	}
	n.text[name] = text
}

func (n *notes) Remembered(name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text[name]
}

// takers are who announces what.
type takers struct {
	mu    sync.Mutex
	taken map[netip.Prefix]string
}

func (o *takers) set(prefixes ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken = map[netip.Prefix]string{}
	for _, p := range prefixes {
		o.taken[netip.MustParsePrefix(p)] = "chassis cmp-2"
	}
}

func (o *takers) get() map[netip.Prefix]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.taken
}

// phase is how far the last round of the loop is, with what is announced.
func (l *loop) phase() string {
	l.mu.Lock()
	r := l.rounds[len(l.rounds)-1]
	l.mu.Unlock()
	text := "in service"
	if s := r.Drain; s != nil {
		text = fmt.Sprintf("%s, %d lowered, %d withdrawn, %d last, %d left", s.Phase, len(s.Lowered), len(s.Withdrawn),
			len(s.Last), len(s.Remaining))
	}
	have, _ := l.world.Read(context.Background(), actual.Focus{})
	for _, v := range object.Of[object.Path](have) {
		text += "; " + v.Prefix.Addr().String()
		if v.LocalPref == object.MetricOf(0) {
			text += " lowered"
		}
	}
	return text
}

func (l *loop) is(t *testing.T, want string) {
	t.Helper()
	later(time.Second)
	if got := l.phase(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

const otherVM = `port vmQ on dp-pub mac "fa:16:3e:15:9e:f1 172.24.4.93" chassis cmp-1 up`

// TestDrain takes a node through all phases of a drain, and its controller through a restart
// in each of them. Neither the fuse nor any hold stands in the way.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var memory notes
		var elsewhere takers
		tune := func(c *Config) {
			drained, err := ParseDrained(memory.Remembered(NoteDrain), time.Now())
			if err != nil {
				t.Error(err)
			}
			c.Notes, c.Drained = &memory, drained
			c.Drain = DrainConfig{Wait: time.Minute, LastResort: object.LastResort{LocalPref: true}, Taken: elsewhere.get}
			c.Fuse, c.UnboundHold = FuseConfig{Share: 0.1, Least: 1, Hold: time.Hour}, time.Hour
		}
		l := run(t, nil, tune)
		l.tell(t, newVM)
		l.tell(t, otherVM)
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		restart := func() {
			t.Helper()
			if err := l.stop(); err != nil {
				t.Fatal(err)
			}
			before := l.story
			l = run(t, observe.ErrNotSynced, tune) // in a fresh world, as with a speaker in the process
			l.mu.Lock()
			l.story, l.missing = before, nil
			l.mu.Unlock()
			l.wake()
		}

		l.c.Drain(false)
		l.is(t, "lowered, 2 lowered, 0 withdrawn, 0 last, 0 left; 172.24.4.92 lowered; 172.24.4.93 lowered")
		l.causes(t, plan.CauseDrain)
		elsewhere.set("172.24.4.92/32") // nobody has had the time to turn to it
		l.wake()
		restart()
		l.is(t, "lowered, 2 lowered, 0 withdrawn, 0 last, 0 left; 172.24.4.92 lowered; 172.24.4.93 lowered")

		later(time.Minute)
		l.is(t, "waiting, 1 lowered, 1 withdrawn, 1 last, 1 left; 172.24.4.93 lowered")
		l.causes(t, plan.CauseDrain)
		elsewhere.set() // the other one loses it, or a router does not tell any more
		l.wake()
		l.is(t, "waiting, 1 lowered, 1 withdrawn, 1 last, 1 left; 172.24.4.93 lowered")
		restart()
		l.is(t, "waiting, 1 lowered, 1 withdrawn, 1 last, 1 left; 172.24.4.93 lowered")

		l.tell(t, strings.Replace(otherVM, "cmp-1", "cmp-2", 1))
		l.is(t, "safe-to-stop, 0 lowered, 1 withdrawn, 0 last, 0 left")
		l.tell(t, otherVM)
		l.is(t, "waiting, 1 lowered, 1 withdrawn, 1 last, 1 left; 172.24.4.93 lowered")
		l.c.Drain(true)
		l.is(t, "safe-to-stop, 0 lowered, 2 withdrawn, 0 last, 0 left")
		restart()
		l.is(t, "safe-to-stop, 0 lowered, 2 withdrawn, 0 last, 0 left")

		if !l.c.Undrain() || l.c.Undrain() {
			t.Error("a drain ends once")
		}
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		l.causes(t, plan.CauseDrain)
		restart()
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}

// causes demands that all steps of the last round that had any have one cause.
func (l *loop) causes(t *testing.T, want plan.Cause) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.rounds) - 1; i >= 0; i-- {
		if l.rounds[i].Plan.Empty() {
			continue
		}
		for _, op := range l.rounds[i].Plan.Ops {
			if op.Cause != want {
				t.Errorf("%s has the cause %s, want %s", op, op.Cause, want)
			}
		}
		return
	}
	t.Error("no round had steps")
}

// TestDrainInDoubt: force also withdraws what nothing wants any more and what is held
// because of the doubt; without force a database that is away changes nothing of that.
func TestDrainInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, func(c *Config) {
			c.Drain = DrainConfig{Wait: time.Minute, LastResort: object.LastResort{LocalPref: true}}
			c.UnboundHold = time.Hour
		})
		l.tell(t, newVM)
		later(time.Second)
		l.tell(t, "set vmP chassis none") // bound to nobody: held
		l.is(t, "in service; 172.24.4.92")
		l.c.Drain(false)
		later(time.Minute)
		l.is(t, "waiting, 0 lowered, 0 withdrawn, 0 last, 1 left; 172.24.4.92")
		l.c.Drain(true)
		l.is(t, "safe-to-stop, 0 lowered, 0 withdrawn, 0 last, 0 left")
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestPlanAgreesWithDrain: a plan that is asked for at any time of a drain is empty once the
// loop has done its part, so that audits do not bring anything back.
func TestPlanAgreesWithDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, func(c *Config) {
			c.Drain = DrainConfig{Wait: time.Minute, LastResort: object.LastResort{LocalPref: true}}
		})
		l.tell(t, newVM)
		l.tell(t, otherVM)
		l.c.Drain(true)
		for range 2 {
			later(time.Second)
			r, err := l.c.Plan(t.Context(), true)
			if err != nil || !r.Plan.Empty() {
				t.Errorf("%v: %s", err, r.Plan)
			}
			want, _, _, err := l.c.Desired(t.Context())
			for k, it := range want.AllOf(object.KindPath) {
				if have, _ := r.Want.Get(k); have.Value != it.Value || (have.Block == nil) != (it.Block == nil) {
					t.Errorf("desired has %+v, the round %+v", it, have)
				}
			}
			if err != nil {
				t.Error(err)
			}
			later(time.Minute)
		}
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}
