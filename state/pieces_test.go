package state

import (
	"errors"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// ledgerLines are the lines of a ledger.
func ledgerLines(t *testing.T, db *DB) string {
	t.Helper()
	out, err := db.Lines()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// What takes several transactions is in the file as in memory: a first round, one that takes some of
// it back, and a file that is made anew.
func TestPieces(t *testing.T) {
	at := file(t)
	db := started(t, at, Identity{Chassis: "one"})
	db.Confirm("one")
	const n = piece + 50 // of two kinds, one of which Begin enters
	ops := journalled(0, n)
	do := func(ops []plan.Op) {
		t.Helper()
		p := plan.Plan{Ops: ops}
		if err := db.Begin(p); err != nil {
			t.Fatal(err)
		}
		if err := db.End(p, make([]error, len(ops)), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	same := func(what string) {
		t.Helper()
		want := ledgerLines(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = started(t, at, Identity{Chassis: "one"})
		if got := ledgerLines(t, db); got != want {
			t.Errorf("%s: the file has %d octets of entries, want %d", what, len(got), len(want))
		}
	}
	do(ops)
	if got := len(db.Keys(object.KindRoute)) + len(db.Keys(object.KindPath)); got != 2*n {
		t.Fatalf("%d keys, want %d", got, 2*n)
	}
	same("a first round")
	do(deleted(ops[:n]))
	same("half of it taken back")
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	db.Check()
	same("a file that was removed")
	db.lose() // as when a transaction failed
	db.mu.Lock()
	db.ledger.forget(ops[len(ops)-1].Key())
	db.mu.Unlock()
	db.Check()
	same("a file that was behind")
	if trouble, ill := db.Trouble(); ill {
		t.Error(trouble.Err)
	}
}

// Of what is wanted the ledger tells what it does not have, or has otherwise, and what it has
// beside that; what is equal it has in common with what is wanted from then on.
func TestDiffer(t *testing.T) {
	at := file(t)
	db := started(t, at, Identity{Chassis: "one"})
	ops := journalled(0, 20)
	p := plan.Plan{Ops: ops}
	if err := errors.Join(db.Begin(p), db.End(p, make([]error, len(ops)), time.Second), db.Close()); err != nil {
		t.Fatal(err)
	}
	db = started(t, at, Identity{Chassis: "one"}) // nothing in memory is that of before
	var want object.Set
	differ := map[object.Key]bool{}
	for i, op := range slices.Concat(ops, journalled(20, 22)) {
		it := object.Item{Value: op.After, Why: op.Why}.WithRelations(op.Relations)
		switch {
		case i == 3: // not wanted any more
			differ[op.Key()] = true
			continue
		case i == 5:
			it.Why = nil
		case i == 6:
			it.After = nil
		case i == 8:
			it.Marked = true
		case i < len(ops):
			want.Put(it)
			continue
		}
		want.Put(it)
		differ[op.Key()] = true
	}
	for range 2 {
		got := map[object.Key]bool{}
		for k := range db.Differ(want) {
			got[k] = true
		}
		if !maps.Equal(got, differ) {
			t.Fatalf("got %v, want %v", got, differ)
		}
	}
	for k := range db.ledger.items.Differ(want) { // by what is the very same in memory
		if !differ[k] {
			t.Errorf("%s is in memory twice", k.Text())
		}
	}
	if got, want := len(db.Keys(object.KindRoute))+len(db.Keys(object.KindPath)), len(ops); got != want {
		t.Errorf("the ledger has %d keys, want %d", got, want)
	}
}

// Marks are those that entries were given, however many rounds made them.
func TestMarks(t *testing.T) {
	var l ledger
	want := map[object.Key]mark{}
	enter := func(i int, since time.Time) {
		op := journalled(i, i+1)[0]
		e := Entry{Value: op.After, Cause: plan.CauseChange, Since: since}
		l.enter(e)
		want[op.Key()] = mark{e.Cause, e.Since}
	}
	first := time.Unix(0, 0)
	for i := range 3 * marksKept {
		enter(i, first)
	}
	if len(l.marks) > 0 {
		t.Errorf("%d marks of entries that have one in common", len(l.marks))
	}
	second := time.Unix(1, 0)
	for i := range 3*marksKept - 100 {
		enter(i, second)
	}
	if l.common.since != second || len(l.marks) > 2*marksKept {
		t.Errorf("in common is %s, and %d have others", l.common.since, len(l.marks))
	}
	for i := range 3 * marksKept {
		enter(i, time.Unix(int64(i), 0))
	}
	got := map[object.Key]mark{}
	for k := range want {
		e, _ := l.get(k)
		got[k] = mark{e.Cause, e.Since}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mark{})); diff != "" {
		t.Error("-want +got:", diff)
	}
	for k := range want {
		l.forget(k)
	}
	if l.items.Len()+len(l.marks) > 0 {
		t.Errorf("%d entries and %d marks are left", l.items.Len(), len(l.marks))
	}
}
