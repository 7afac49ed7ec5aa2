package state

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// past reads all of the history.
func (db *DB) all(t *testing.T) Past {
	t.Helper()
	p, err := db.History(history.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestHistorySurvives: each step comes back with its cause, its rows, what was before and
// after, who is to blame and how it went, also after a restart.
func TestHistorySurvives(t *testing.T) {
	at := file(t)
	db := open(t, at)
	created, changed, gone := build(route, nil), build(sysctlOn, sysctlOff), remove(path)
	created.Cause = plan.CauseDrift
	created.Drift = &plan.Drift{How: plan.HowDeleted, Fields: []plan.Difference{}, By: "ip[42]"}
	changed.Verb, changed.Cause = plan.Update, plan.CauseStart
	gone.Cause, gone.Why, gone.From, gone.To = plan.CauseChange, why, history.Here, "cmp-7"
	p := plan.Plan{Ops: []plan.Op{created, changed, gone}}
	if err := db.Begin(p); err != nil {
		t.Fatal(err)
	}
	if err := db.End(p, []error{nil, errors.New("busy"), nil}, 1500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		steps := db.all(t).Steps
		db = reopen(t, db, at)
		if len(steps) != 3 {
			t.Fatalf("got %d steps, want 3", len(steps))
		}
		a, b, c := steps[0], steps[1], steps[2]
		if a.Cause != plan.CauseDrift || a.Drift.By != "ip[42]" || a.Before != nil || *a.After != route.Attrs() ||
			!a.At.Equal(clock()) || a.Seconds != 1.5 || a.Outcome != history.OK || a.Verb != "create" {
			t.Errorf("created: %+v", a)
		}
		if b.Outcome != history.Failed || b.Error != "busy" || *b.Before != sysctlOff.Attrs() {
			t.Errorf("failed: %+v", b)
		}
		if c.To != "cmp-7" || !c.Moves() || c.Row.String() != why[0].RowRef() || c.After != nil ||
			c.Prefix.String() != "172.24.4.146/32" {
			t.Errorf("moved: %+v", c)
		}
	}
}

// TestHistoryIsBounded by the number of steps and by their age, whatever the rounds are like.
func TestHistoryIsBounded(t *testing.T) {
	now := clock()
	at := file(t)
	db, err := Start(at, Options{
		Now: func() time.Time { return now }, History: HistoryLimits{Steps: 1200, Age: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	db.bolt.NoSync = true
	round := func(steps int, fail int) {
		t.Helper()
		p := plan.Plan{Ops: manyOps(0, steps)[:steps]}
		outcomes := make([]error, len(p.Ops))
		if fail >= 0 {
			outcomes[fail] = errors.New("busy")
		}
		if err := db.End(p, outcomes, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for range 400 {
		round(7, -1)
		if n := len(db.all(t).Steps); n > 1200 {
			t.Fatalf("%d steps are kept, want at most 1200", n)
		}
	}
	if n := len(db.all(t).Steps); n < 1190 {
		t.Errorf("only %d steps are kept, of 1200", n)
	}
	now = now.Add(59 * time.Minute)
	round(1, -1)
	now = now.Add(2 * time.Minute) // of the rounds before, 172 are left
	for range 4 {
		round(1, -1)
	}
	if n := len(db.all(t).Steps); n != 5 {
		t.Errorf("%d steps are kept after an hour, want 5", n)
	}
	round(3000, 2999)
	past := db.all(t)
	failed := slices.ContainsFunc(past.Steps, func(s history.Step) bool { return s.Outcome == history.Failed })
	if len(past.Steps) != 1200 || past.Omitted != 1800 || !failed {
		t.Errorf("a round of 3000 steps: %d kept, %d omitted, that one failed is kept: %t", len(past.Steps), past.Omitted,
			failed)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err = Start(at, Options{Now: func() time.Time { return now }, History: HistoryLimits{Steps: 10, Age: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if round(1, -1); len(db.all(t).Steps) > 10 {
		t.Errorf("after a restart with a limit of 10: %d steps", len(db.all(t).Steps))
	}
}

// TestHistoryCursor: who follows gets each step once, and the newest where all are too many.
func TestHistoryCursor(t *testing.T) {
	db := open(t, file(t))
	var seen []string
	var after uint64
	for i := range 5 {
		do(t, db, manyOps(i*10, i*10+1)...)
		p, err := db.History(history.Filter{After: after})
		if err != nil || len(p.Steps) != 2 {
			t.Fatalf("got %d steps, %v, want those of the last round", len(p.Steps), err)
		}
		seen, after = append(seen, p.Steps[0].Key, p.Steps[1].Key), p.Last
	}
	if p, err := db.History(history.Filter{After: after}); err != nil || len(p.Steps) != 0 || p.Last != after {
		t.Errorf("nothing new: %+v, %v", p, err)
	}
	p, err := db.History(history.Filter{Most: 3})
	if err != nil || len(p.Steps) != 3 || p.More != 7 || p.Steps[2].Key != seen[9] {
		t.Errorf("the newest three: %+v, %v", p, err)
	}
}

// TestDamagedRecord costs only itself.
func TestDamagedRecord(t *testing.T) {
	at := file(t)
	db := open(t, at)
	for i := range 5 {
		do(t, db, manyOps(i*10, i*10+1)...)
	}
	err := db.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketHistory)
		c := b.Cursor()
		c.First()
		k, v := c.Next()
		return b.Put(k, v[:len(v)/2])
	})
	if err != nil {
		t.Fatal(err)
	}
	db = reopen(t, db, at)
	if p := db.all(t); len(p.Steps) != 8 || p.Damaged != 1 {
		t.Errorf("got %d steps and %d damaged records, want 8 and 1", len(p.Steps), p.Damaged)
	}
	do(t, db, manyOps(0, 1)...)
}

// TestHistoryCostsNoTransaction: a round takes two, with or without what is remembered.
func TestHistoryCostsNoTransaction(t *testing.T) {
	db := open(t, file(t))
	before := db.Writes()
	do(t, db, manyOps(0, 2000)...)
	if n := db.Writes() - before; n != 2 {
		t.Errorf("a round of 2000 steps took %d transactions, want 2", n)
	}
}

// BenchmarkHistory is a question about one address, of a full history.
func BenchmarkHistory(b *testing.B) {
	db, err := Open(b.TempDir()+"/state.db", clock)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.bolt.NoSync = true
	for i := range 20 {
		p := plan.Plan{Ops: manyOps(i*500, i*500+500)}
		if err := db.End(p, make([]error, len(p.Ops)), time.Second); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		p, err := db.History(history.Filter{Target: object.NewRoute(201, route.Dst, "br-ex", route.Via).Dst.Addr().String()})
		if err != nil {
			b.Fatal(fmt.Errorf("%w: %d", err, len(p.Steps)))
		}
	}
}
