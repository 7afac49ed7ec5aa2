package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// withLedger gives a loop a state file: without one nobody knows what was undone.
func withLedger(t *testing.T) func(*Config) {
	t.Helper()
	db, err := state.Open(memory(t)+"/state.db", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return func(c *Config) { c.Journal = db }
}

func (l *loop) has(t *testing.T, k object.Key) bool {
	t.Helper()
	have, err := l.world.Read(t.Context(), actual.Focus{})
	if err != nil {
		t.Fatal(err)
	}
	return have.Has(k)
}

func routeKey(i int) object.Key {
	return object.NewRoute(201, prefix(fmt.Sprintf("172.24.4.%d/32", i)), "br-ex", netip.Addr{}).Key()
}

func pathKey(t *testing.T, i int) object.Key {
	t.Helper()
	return pathKeyOf(i)
}

func vmPort(i int, chassis string) string {
	return fmt.Sprintf(`port vm%d on dp-pub mac "fa:16:3e:00:00:%02x 172.24.4.%d" chassis %s up`, i, i, i, chassis)
}

// TestChangesWaitForNothing: of 1,000 rounds that change something, 30 ms apart, the
// last ones wait as little as the first ones.
func TestChangesWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, withLedger(t))
		var worst time.Duration
		for i := range 1000 {
			chassis := []string{"cmp-1", "cmp-2"}[i/100%2]
			told := time.Now()
			l.tell(t, vmPort(100+i%100, chassis))
			later(30 * time.Millisecond)
			l.mu.Lock()
			last := l.rounds[len(l.rounds)-1]
			l.mu.Unlock()
			if last.Plan.Empty() {
				t.Fatalf("change %d: no round has taken it up within 30 ms", i)
			}
			worst = max(worst, last.Started.Sub(told))
		}
		t.Logf("1,000 changes 30 ms apart, in %d rounds: the longest wait is %s", l.count(), worst)
		if worst > quiet {
			t.Errorf("a change waited %s, want at most %s", worst, quiet)
		}
		l.stop()
	})
}

// contender is another program that removes a route of ours as soon as it is there.
func contender(t *testing.T, l *loop, key object.Key) (removed *int, stop func()) {
	removed = new(int)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(3 * time.Millisecond):
			}
			if l.has(t, key) {
				*removed++
			}
			l.world.Unset(key)
			l.world.Poke() // a notification for every attempt, as of the kernel
		}
	}()
	return removed, func() { close(end); <-ended }
}

// TestContestedKeyBacksOff: what another program removes in a loop is repaired less and
// less often, its path stays announced all the time, rounds stay few, and changes and
// drift of other keys pass at once. Once it is left in peace it comes back.
func TestContestedKeyBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, withLedger(t))
		l.tell(t, vmPort(100, "cmp-1")+"\n"+vmPort(101, "cmp-1"))
		later(time.Second)
		fought, other := routeKey(100), routeKey(101)
		writes, rounds := l.world.Writes(), l.count()
		removed, stop := contender(t, l, fought)
		later(8 * time.Second)
		// Six or so at once, then pauses of a quarter of a second, a half, 1, 2 and 4 seconds.
		if n := l.world.Writes() - writes; n < 8 || n > 14 {
			t.Errorf("%d repairs in eight seconds, want about eleven", n)
		}
		got := l.c.Contested()
		if len(got) != 1 || got[0].Key != fought || got[0].Pause != longestPause || !got[0].Next.After(time.Now()) {
			t.Errorf("got %+v, want the longest pause and the next try", got)
		}
		if !l.has(t, pathKey(t, 100)) {
			t.Error("the path of the contested route was withdrawn")
		}
		var worst time.Duration
		for i := range 100 {
			port, there := 110+i%10, i/10%2 == 0
			told := time.Now()
			if there {
				l.tell(t, vmPort(port, "cmp-1"))
			} else {
				l.tell(t, fmt.Sprintf("drop vm%d", port))
			}
			for path := pathKey(t, port); l.has(t, path) != there; {
				later(100 * time.Microsecond)
			}
			worst = max(worst, time.Since(told))
			later(7 * time.Millisecond)
		}
		if worst > 2*quiet {
			t.Errorf("a change waited %s while another key was contested", worst)
		}
		for range 4 {
			l.world.Unset(other)
			l.world.Poke()
			later(4 * quiet)
			if !l.has(t, other) {
				t.Error("drift of another key is not repaired at once")
			}
			later(500 * time.Millisecond)
		}
		stop()
		later(longestPause)
		if !l.has(t, fought) {
			t.Error("the route is not there after the longest pause since the other program has stopped")
		}
		later(quietAfter)
		if got := l.c.Contested(); len(got) != 0 {
			t.Errorf("it is left in peace, and said to be contested: %+v", got)
		}
		t.Logf("removed %d times, %d writes, %d rounds; the longest wait of another key is %s", *removed,
			l.world.Writes()-writes, l.count()-rounds, worst)
		l.stop()
	})
}

// TestRepairsThatLastAreNotPutOff: what another program removes once a second is there
// again at once each time: waiting would take more away than it saves.
func TestRepairsThatLastAreNotPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, withLedger(t))
		l.tell(t, vmPort(100, "cmp-1"))
		later(time.Second)
		fought := routeKey(100)
		for i := range 60 {
			l.world.Unset(fought)
			l.world.Poke()
			later(4 * quiet)
			if !l.has(t, fought) {
				t.Fatalf("the %dth time it is not repaired at once", i+1)
			}
			later(time.Second)
		}
		if got := l.c.Contested(); len(got) != 1 || got[0].Pause != repairEvery || !got[0].Next.IsZero() {
			t.Errorf("got %+v", got)
		}
		l.stop()
	})
}

// TestPauseShrinksAgain: once repairs last longer, they are made sooner.
func TestPauseShrinksAgain(t *testing.T) {
	key := object.Sysctl{Path: "a"}.Key()
	c, now := contention{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fight := func(lasts time.Duration, times int) time.Duration {
		for range times {
			now = now.Add(lasts)
			c.foundUndone(key, now)
			if due := c.next(now); !due.IsZero() {
				now = due
			}
			c.repaired(key, nil, now)
		}
		return c[key].Pause
	}
	if got := fight(time.Millisecond, 20); got != longestPause {
		t.Errorf("in vain: a pause of %s", got)
	}
	if got := fight(inVain, 1); got != longestPause/2 {
		t.Errorf("a repair has lasted: a pause of %s", got)
	}
	if got := fight(inVain, 20); got != repairEvery {
		t.Errorf("repairs last: a pause of %s", got)
	}
}

// TestContentionIsLoggedOnce, with who it is, and once more when it is over.
func TestContentionIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		ledger := withLedger(t)
		l := run(t, nil, func(c *Config) {
			ledger(c)
			c.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		l.tell(t, vmPort(100, "cmp-1"))
		later(time.Second)
		_, stop := contender(t, l, routeKey(100))
		later(30 * time.Second)
		stop()
		later(longestPause)
		if n := strings.Count(log.String(), "msg=\"contested: "); n != 1 {
			t.Errorf("%d lines of contention in:\n%s", n, log.String())
		}
		if n := strings.Count(log.String(), "msg=drift"); n != contestedAfter-1 {
			t.Errorf("%d lines of drift in:\n%s", n, log.String())
		}
		const over = "no object is contested any more"
		if strings.Contains(log.String(), over) {
			t.Errorf("it is said to be over at once:\n%s", log.String())
		}
		later(quietAfter)
		if n := strings.Count(log.String(), over); n != 1 {
			t.Errorf("%d lines that it is over in:\n%s", n, log.String())
		}
		l.stop()
	})
}

// slowBackend takes some time to read.
type slowBackend struct {
	actual.Backend
	takes time.Duration
}

func (b slowBackend) Read(ctx context.Context, f actual.Focus) (object.Set, error) {
	<-time.After(b.takes)
	return b.Backend.Read(ctx, f)
}

// TestContentionIsBounded: where a round takes 5 ms, another program that wakes the loop
// all the time has a tenth of that time, and a change of a row waits for two rounds at most.
func TestContentionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = 5 * time.Millisecond
		ledger := withLedger(t)
		l := run(t, nil, func(c *Config) {
			ledger(c)
			reader, err := actual.NewReader(slowBackend{c.Backends.Backends()[0], takes})
			if err != nil {
				t.Fatal(err)
			}
			c.Backends = reader
		})
		later(time.Second)
		l.tell(t, vmPort(100, "cmp-1"))
		later(time.Second)
		_, stop := contender(t, l, routeKey(100))
		later(time.Second)
		rounds := l.count()
		later(10 * time.Second)
		if n := l.count() - rounds; n > int(10*time.Second/(takes*(contestedShare+1)))+1 {
			t.Errorf("%d rounds of %s in ten seconds of contention", n, takes)
		}
		told := time.Now()
		l.tell(t, vmPort(101, "cmp-1"))
		for !l.has(t, pathKey(t, 101)) {
			later(100 * time.Microsecond)
		}
		if took := time.Since(told); took > 3*takes {
			t.Errorf("a change waited %s while another key was contested", took)
		}
		stop()
		l.stop()
	})
}

// TestContestedKeysAreTold with their count, rate and since when, until a repair has lasted.
func TestContestedKeysAreTold(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	key := routeKey(92)
	began, seen := n.clock.Now(), 0
	for i := 1; i <= 8; i++ {
		n.world.Unset(key)
		seen += len(n.round().Drift.Seen)
		got := n.c.Contested()
		if told := len(got) == 1; told != (i >= contestedAfter) {
			t.Fatalf("after %d repairs: got %v", i, got)
		}
		want := Contested{
			Key: key, Count: i, Since: began, Last: n.clock.Now(), Pause: repairEvery, PerMinute: min(i, 12),
		}
		if len(got) == 1 && got[0] != want {
			t.Errorf("after %d repairs: got %+v", i, got[0])
		}
		n.clock.advance(5 * time.Second)
	}
	if seen != 1 {
		t.Errorf("the history tells %d times that it is contested, want once", seen)
	}
	n.clock.advance(quietAfter)
	if got := n.c.Contested(); len(got) != 0 {
		t.Errorf("a while later: got %v", got)
	}
	n.clock.advance(contentionWindow)
	for range 20 { // twenty in as many minutes are no contention
		n.world.Unset(key)
		if n.round(); len(n.c.Contested()) != 0 {
			t.Fatalf("once a minute: got %v", n.c.Contested())
		}
		n.clock.advance(61 * time.Second)
	}
}

// TestContestedDoesNotDelayTheRows: what another program keeps removing goes at once
// when the rows ask for that, and a plan that is only shown counts nothing.
func TestContestedDoesNotDelayTheRows(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	key := routeKey(92)
	for n.world.Unset(key); !n.round().Plan.Empty(); n.world.Unset(key) {
	}
	r, err := n.c.Preview(t.Context(), Intent{Drivers: n.c.cfg.Drivers, Fuse: n.c.cfg.Fuse})
	if err != nil || len(r.Plan.Notes) == 0 || r.Plan.Notes[0].Block.Code != object.BlockContested {
		t.Errorf("got %v and %v, want the reason for the wait", r.Plan, err)
	}
	happen(t, s, []*node{n}, "set vmP chassis cmp-2")
	if r := n.round(); r.Plan.Empty() || contains(n.world.String(), "path ipv4-unicast 172.24.4.92/32") {
		t.Errorf("the path is not withdrawn at once:\n%s", r.Plan)
	}
}

// TestContentionByRandomRepairs: whatever the times of repairs are, forward or back, a
// key is never repaired more often than its allowance, and never waits longer than the
// longest pause.
func TestContentionByRandomRepairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	key := object.Sysctl{Path: "a"}.Key()
	for range 200 {
		c, now := contention{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var repairs []time.Time
		for range 500 {
			now = now.Add(time.Duration(rng.Int64N(int64(100 * time.Millisecond))))
			if rng.IntN(100) == 0 { // the clock is set
				now = now.Add(time.Duration(rng.Int64N(int64(4*time.Hour))) - 2*time.Hour)
				repairs = nil
			}
			c.prune(object.Set{}, now)
			if wait := c.waiting(now); len(wait) > 0 {
				c.foundUndone(key, now)
				if due := c.next(now); due.Sub(now) > longestPause || !due.After(now) {
					t.Fatalf("at %s the next repair is at %s", now, due)
				}
				continue
			}
			c.repaired(key, nil, now)
			repairs = append(repairs, now)
			if most := repairBurst + 2; len(repairs) > most {
				if took := now.Sub(repairs[len(repairs)-1-most]); took < repairEvery {
					t.Fatalf("%d repairs within %s", most+1, took)
				}
			}
		}
	}
}

// TestOnlyContested: a round counts as one of contested keys alone if every step
// repairs one of them.
func TestOnlyContested(t *testing.T) {
	a, b := object.Sysctl{Path: "a", Val: "1"}, object.Sysctl{Path: "b", Val: "1"}
	c := contention{}
	c.repaired(a.Key(), a, time.Now())
	for _, tt := range []struct {
		ops  []plan.Op
		want bool
	}{
		{nil, true},
		{[]plan.Op{{After: a, Cause: plan.CauseDrift}}, true},
		{[]plan.Op{{After: a, Cause: plan.CauseChange}}, false},
		{[]plan.Op{{After: a, Cause: plan.CauseDrift}, {After: b, Cause: plan.CauseDrift}}, false},
	} {
		if got := c.only(plan.Plan{Ops: tt.ops}); got != tt.want {
			t.Errorf("%v: got %v", tt.ops, got)
		}
	}
}

// TestProgram: of who it was, the name counts, not the number and not what came between.
func TestProgram(t *testing.T) {
	for by, want := range map[string]string{
		"": "", "ip[1234]": "ip", "process 1234": "", "the kernel": "",
		"the kernel, when address 10.0.0.1/24 went, by systemd-network[7]": "systemd-network",
		"the kernel, when device d0 went down":                             "",
	} {
		if got := program(by); got != want {
			t.Errorf("%q: got %q, want %q", by, got, want)
		}
	}
}
