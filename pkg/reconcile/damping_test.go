package reconcile

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/damping"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
	"github.com/bgp-ovn/bgp-ovn/state"
)

var dampedSoon = damping.Config{Suppress: 2500, Reuse: 500, HalfLife: 5 * time.Minute, Longest: 15 * time.Minute}

// damps has damping with a ledger: without one nobody knows what was announced before.
func damps(t *testing.T, c *Config) {
	db, err := state.Open(filepath.Join(memory(t), "state.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c.Damping, c.Journal = dampedSoon, db
}

// flaps lets the first VM come and go, that many times.
func (l *loop) flaps(t *testing.T, times int) {
	t.Helper()
	for range times {
		l.tell(t, "set vmP down")
		later(time.Second)
		l.tell(t, "set vmP up")
		later(time.Second)
	}
}

// TestPreviewLeavesAside: to ask what another damping would lead to brings nothing back.
func TestPreviewLeavesAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, func(c *Config) { damps(t, c) })
		l.tell(t, newVM)
		l.tell(t, otherVM)
		later(time.Second)
		l.flaps(t, 3)
		longer := damping.Config{Suppress: 2500, Reuse: 100, HalfLife: 20 * time.Minute, Longest: time.Hour}
		for _, other := range []damping.Config{{}, longer} {
			r, err := l.c.Preview(t.Context(), Intent{Drivers: l.c.Drivers(), Damping: other})
			if err != nil {
				t.Fatal(err)
			}
			comes := strings.Contains(r.Plan.String(), "+ path    ipv4-unicast 172.24.4.92/32")
			if comes == other.On() {
				t.Errorf("with damping %+v:\n%s", other, r.Plan)
			}
			later(time.Minute)
			l.is(t, "in service; 172.24.4.93")
			l.dampedIs(t, 1, 3)
		}
		later(13 * time.Minute) // it comes back when it was to
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		l.stop()
	})
}

// TestFlapping: a path that comes and goes is set aside by name and holds up nobody; it comes
// back once it has stayed, or by command.
func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, func(c *Config) { damps(t, c) })
		l.tell(t, newVM)
		l.tell(t, otherVM)
		later(time.Second)
		l.flaps(t, 2)
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		began := time.Now()
		l.flaps(t, 1)
		l.is(t, "in service; 172.24.4.93")
		l.dampedIs(t, 1, 3)
		l.flaps(t, 1) // which nobody sees
		l.is(t, "in service; 172.24.4.93")
		l.dampedIs(t, 1, 4)
		later(10 * time.Minute)
		l.is(t, "in service; 172.24.4.93")
		later(5 * time.Minute)
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		l.causes(t, plan.CauseRetry)
		if took := time.Since(began); took > 16*time.Minute {
			t.Errorf("it came back after %s", took)
		}
		l.dampedIs(t, 0, 0)

		l.flaps(t, 3)
		l.is(t, "in service; 172.24.4.93")
		key := object.NewPath(prefix("172.24.4.92/32"), object.OriginIncomplete).Key()
		if got := l.c.Retry(key.Text()); len(got) != 1 || got[0] != key {
			t.Errorf("tried again: %v", got)
		}
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		l.causes(t, plan.CauseRetry)
		if got := l.c.Retry(""); len(got) > 0 {
			t.Errorf("tried again: %v", got)
		}
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}

// dampedIs checks what a round tells of what is set aside: the list, the plan, the explanation.
func (l *loop) dampedIs(t *testing.T, objects, withdrawals int) {
	t.Helper()
	l.mu.Lock()
	r := l.rounds[len(l.rounds)-1]
	l.mu.Unlock()
	if len(r.Quarantined) != objects {
		t.Fatalf("set aside: %+v", r.Quarantined)
	}
	now, err := l.c.Plan(t.Context(), true)
	if err != nil || now.Mismatch {
		t.Fatal(now.Mismatch, err)
	}
	e := l.c.Explain(now, prefix("172.24.4.92/32").Addr(), nil, false)
	for _, q := range r.Quarantined {
		if !q.Flapping || q.Tries != withdrawals || q.Key.Prefix != prefix("172.24.4.92/32") || !q.Next.After(q.Since) {
			t.Errorf("%+v", q)
		}
		if len(now.Plan.Notes) != 1 || now.Plan.Notes[0].Block.Code != object.BlockFlapping ||
			!strings.Contains(now.Plan.Notes[0].String(), "bgp-ovn retry path ipv4-unicast 172.24.4.92/32") {
			t.Errorf("notes: %v", now.Plan.Notes)
		}
		if e.Advertised || e.Code != object.BlockFlapping || !strings.Contains(e.Try, "bgp-ovn history 172.24.4.92") {
			t.Errorf("explained as %s", e)
		}
	}
	if objects == 0 && e.Code == object.BlockFlapping {
		t.Errorf("explained as %s", e)
	}
}

// TestNoFlapping: what an operator does, what nobody has seen, and what is not known, is no
// flapping; and without damping nothing is.
func TestNoFlapping(t *testing.T) {
	both := "in service; 172.24.4.92; 172.24.4.93"
	for name, tt := range map[string]struct {
		tune func(*Config)
		once func(t *testing.T, l *loop)
	}{
		"off": {func(c *Config) { c.Damping = damping.Config{} }, func(t *testing.T, l *loop) { l.flaps(t, 1) }},
		"drained": {nil, func(t *testing.T, l *loop) {
			l.c.Drain(true)
			later(time.Minute)
			l.c.Undrain()
		}},
		"bridged by a hold": {func(c *Config) { c.UnboundHold = time.Minute }, func(t *testing.T, l *loop) {
			l.tell(t, "set vmP chassis none")
			later(time.Second)
			l.tell(t, "set vmP chassis cmp-1")
		}},
		"not known": {nil, func(t *testing.T, l *loop) {
			l.tell(t, `stale sb "the connection is lost"`)
			l.tell(t, `stale sb ""`)
		}},
		"reloaded": {nil, func(t *testing.T, l *loop) {
			l.c.Reconfigure(Intent{Damping: dampedSoon})
			later(time.Second)
			l.c.Reconfigure(Intent{Damping: dampedSoon, Drivers: []desired.Driver{bgp.New(defaults())}})
		}},
		"seldom": {nil, func(t *testing.T, l *loop) { l.flaps(t, 1); later(20 * time.Minute) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := run(t, nil, func(c *Config) {
					damps(t, c)
					if tt.tune != nil {
						tt.tune(c)
					}
				})
				l.tell(t, newVM)
				l.tell(t, otherVM)
				for range 5 {
					later(time.Second)
					tt.once(t, l)
					later(time.Second)
				}
				l.is(t, both)
				if err := l.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
