package state

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

func clock() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(path, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func reopen(t *testing.T, db *DB, path string) *DB {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "state.db") }

var (
	sysctlOff = object.Sysctl{Path: "net/ipv4/ip_forward", Val: "0"}
	sysctlOn  = object.Sysctl{Path: "net/ipv4/ip_forward", Val: "1"}
	neigh     = object.Neigh{Dev: "br-ex", Addr: netip.MustParseAddr("172.24.4.146"), MAC: object.MAC{2, 0, 0, 0, 0, 1}}
	route     = object.NewRoute(201, netip.MustParsePrefix("172.24.4.146/32"), "br-ex", netip.Addr{})
	path      = object.NewPath(netip.MustParsePrefix("172.24.4.146/32"), object.OriginIncomplete)
	why       = []object.Source{{Driver: "d", Rule: "R4", Table: "Port_Binding", Row: "cr-lrp-gw1"}}
)

func build(v, before object.Value) plan.Op {
	op := plan.Op{Verb: plan.Create, Phase: plan.Build, After: v, Why: why}
	if before != nil {
		op.Verb, op.Before = plan.Update, before
	}
	return op
}

func remove(v object.Value) plan.Op {
	return plan.Op{Verb: plan.Delete, Phase: plan.Dismantle, Before: v}
}

func do(t *testing.T, db *DB, ops ...plan.Op) {
	t.Helper()
	p := plan.Plan{Ops: ops}
	if err := db.Begin(p); err != nil {
		t.Fatal(err)
	}
	if err := db.End(p, make([]error, len(ops)), time.Millisecond); err != nil {
		t.Fatal(err)
	}
}

func TestLedgerSurvives(t *testing.T) {
	at := file(t)
	db := open(t, at)
	do(t, db, build(sysctlOn, sysctlOff), build(neigh, nil), build(route, nil), build(path, nil))
	db = reopen(t, db, at)
	for _, v := range []object.Value{sysctlOn, neigh, route, path} {
		k := v.Key()
		if !db.Owned(k) || !db.Since(k).Equal(clock()) || cmp.Diff(db.Why(k), why) != "" {
			t.Errorf("%s: owned %t since %v because of %v", k.Text(), db.Owned(k), db.Since(k), db.Why(k))
		}
	}
	if prior, ok := db.Prior(sysctlOn.Key()); !ok || prior != object.Value(sysctlOff) {
		t.Errorf("prior value: got %v, %t, want %v", prior, ok, sysctlOff)
	}
	if got := db.LastKnown(); got.Len() != 4 || !got.Has(path.Key()) || !got.Has(route.Key()) || !got.Has(neigh.Key()) {
		t.Errorf("last known: got %d objects, want setting, route, neighbour and path", got.Len())
	}
	if db.Writes() != 0 {
		t.Errorf("opening a file wrote to it %d times", db.Writes())
	}
}

// TestRelationsSurvive: what an entry needs and keeps, and why it was written, comes
// back equal, and lists that many entries share are one list again.
func TestRelationsSurvive(t *testing.T) {
	at := file(t)
	db := open(t, at)
	shared := []object.Key{object.DeviceNeed("br-ex"), object.Rule{Priority: 32000, Table: 201}.Key(), sysctlOn.Key()}
	other := object.NewPath(netip.MustParsePrefix("172.24.4.147/32"), object.OriginIncomplete)
	ops := []plan.Op{build(path, nil), build(other, nil), build(neigh, nil)}
	for i := range ops[:2] {
		ops[i].Cause = plan.CauseDrift
		ops[i].Relations = object.Relations{
			After: []object.Key{route.Key()}, Shared: shared,
			Keeps: []object.Key{neigh.Key()},
		}
	}
	do(t, db, ops...)
	db = reopen(t, db, at)
	for i, op := range ops {
		it, ok := db.Recorded(op.Key())
		if !ok || it.Value != op.After || !it.Relations().Equal(op.Relations) || db.Cause(op.Key()) != op.Cause {
			t.Errorf("step %d: got %+v and cause %q, want %+v", i, it.Relations(), db.Cause(op.Key()), op.Relations)
		}
	}
	a, _ := db.Recorded(path.Key())
	b, _ := db.Recorded(other.Key())
	if &a.Shared[0] != &b.Shared[0] {
		t.Error("a shared list is in memory twice")
	}
	if known := db.LastKnown(); known.Len() != 3 {
		t.Errorf("got %d objects, want 3", known.Len())
	}
}

// TestRenew: relations are recorded without a step; the rest of an entry stays, and
// what was not in the ledger is entered.
func TestRenew(t *testing.T) {
	at := file(t)
	db := open(t, at)
	do(t, db, build(path, nil))
	if err := db.Renew(nil); err != nil || db.Writes() != 2 {
		t.Errorf("renewing nothing: %v, %d transactions", err, db.Writes())
	}
	newer := []object.Source{{Table: "Port_Binding", Row: "another", Decides: true, Lists: object.ListsOwn}}
	dev := object.Device{Name: "br-ex", Up: true}
	err := db.Renew([]object.Item{
		{Value: path, Why: newer, After: []object.Key{route.Key()}},
		{Value: dev, Why: why, Keeps: []object.Key{sysctlOn.Key()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, db := range []*DB{db, reopen(t, db, at)} {
		it, _ := db.Recorded(path.Key())
		if len(it.After) != 1 || !slices.Equal(it.Why, newer) {
			t.Errorf("got %+v, want the route as need and the newer provenance", it)
		}
		if it, ok := db.Recorded(dev.Key()); !ok || len(it.Keeps) != 1 || len(it.Why) != 1 {
			t.Errorf("got %+v, want the bridge with what it keeps", it)
		}
	}
}

// TestPriorIsFromBeforeOurFirstChange: later changes of ours or of others do
// not replace what is to be restored.
func TestPriorIsFromBeforeOurFirstChange(t *testing.T) {
	at := file(t)
	db := open(t, at)
	do(t, db, build(sysctlOn, sysctlOff))
	do(t, db, build(sysctlOn, object.Sysctl{Path: sysctlOn.Path, Val: "2"}))
	db = reopen(t, db, at)
	if prior, _ := db.Prior(sysctlOn.Key()); prior != object.Value(sysctlOff) {
		t.Errorf("got %v, want %v", prior, sysctlOff)
	}
	do(t, db, plan.Op{Verb: plan.Restore, Phase: plan.Dismantle, Before: sysctlOn, After: sysctlOff})
	if db.Owned(sysctlOn.Key()) {
		t.Error("a restored setting is still in the ledger")
	}
}

func TestWhatLeavesTheLedger(t *testing.T) {
	replaced := remove(neigh)
	replaced.Phase, replaced.Note = plan.Clear, plan.NoteReplaced
	room := remove(neigh)
	room.Phase, room.Note = plan.Clear, "makes room"
	for name, tc := range map[string]struct {
		op   plan.Op
		err  error
		want bool
	}{
		"deleted":     {remove(neigh), nil, false},
		"not deleted": {remove(neigh), errors.New("busy"), true},
		"replaced":    {replaced, nil, true},
		"made room":   {room, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			at := file(t)
			db := open(t, at)
			do(t, db, build(neigh, nil))
			p := plan.Plan{Ops: []plan.Op{tc.op}}
			if err := db.Begin(p); err != nil {
				t.Fatal(err)
			}
			if err := db.End(p, []error{tc.err}, 0); err != nil {
				t.Fatal(err)
			}
			for _, db := range []*DB{db, reopen(t, db, at)} {
				if got := db.Owned(neigh.Key()); got != tc.want {
					t.Errorf("in the ledger: got %t, want %t", got, tc.want)
				}
			}
		})
	}
}

// TestCrashBetweenBeginAndEnd: what the plan was about to make may be ours.
func TestCrashBetweenBeginAndEnd(t *testing.T) {
	at := file(t)
	db := open(t, at)
	if err := db.Begin(plan.Plan{Ops: []plan.Op{build(neigh, nil)}}); err != nil {
		t.Fatal(err)
	}
	db = reopen(t, db, at)
	if !db.Owned(neigh.Key()) {
		t.Error("the key is not in the ledger")
	}
	if got := db.Unfinished(); len(got.Steps) != 1 || !strings.Contains(got.Steps[0], "172.24.4.146 dev br-ex") {
		t.Errorf("unfinished plan: %v", got)
	}
	if err := db.Forget(nil); err != nil {
		t.Fatal(err)
	}
	if writes := db.Writes(); writes != 1 {
		t.Errorf("settling the plan took %d transactions, want 1", writes)
	}
	if err := db.Forget(nil); err != nil || db.Writes() != 1 {
		t.Errorf("a round without changes wrote to disk (%v)", err)
	}
	if got := reopen(t, db, at).Unfinished(); len(got.Steps) > 0 {
		t.Errorf("the plan is open again: %v", got)
	}
}

func TestForget(t *testing.T) {
	at := file(t)
	db := open(t, at)
	do(t, db, build(neigh, nil), build(route, nil))
	if err := db.Forget([]object.Key{neigh.Key()}); err != nil {
		t.Fatal(err)
	}
	db = reopen(t, db, at)
	if db.Owned(neigh.Key()) || !db.Owned(route.Key()) {
		t.Error("want the neighbour gone and the route kept")
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	at := file(t)
	db := open(t, at)
	err := db.bolt.Update(func(tx *bbolt.Tx) error { return put(tx.Bucket(bucketMeta), keyVersion, Version+1) })
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, err = Open(at, clock)
	for _, part := range []string{at, fmt.Sprint("schema version ", Version+1), "newer program"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want an error with %q", err, part)
		}
	}
}

func TestLockedFileIsNamed(t *testing.T) {
	t.Parallel()
	at := file(t)
	open(t, at)
	_, err := Open(at, clock)
	if err == nil || !strings.Contains(err.Error(), at+" is locked") {
		t.Errorf("got %v, want an error that names the file and the lock", err)
	}
}

func TestDamagedFileIsAnError(t *testing.T) {
	at := file(t)
	db := open(t, at)
	for i := range 200 { // several pages
		n := neigh
		n.Addr = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		do(t, db, build(n, nil))
	}
	db.Close()
	whole, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]func([]byte) []byte{
		"not a database": func([]byte) []byte { return []byte(strings.Repeat("garbage ", 8192)) },
		"cut short":      func(b []byte) []byte { return b[:9000] },
		"zeros behind the header": func(b []byte) []byte {
			clear(b[8192:])
			return b
		},
		"garbage behind the header": func(b []byte) []byte {
			for i := 8192; i < len(b); i++ {
				b[i] = byte(i * 7)
			}
			return b
		},
	}
	for name, hurt := range damage {
		t.Run(name, func(t *testing.T) {
			at := file(t)
			if err := os.WriteFile(at, hurt([]byte(string(whole))), 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := Open(at, clock)
			if err == nil {
				db.Close()
				t.Fatal("a damaged file was opened")
			}
			if !strings.Contains(err.Error(), at) {
				t.Errorf("got %v, want an error that names the file", err)
			}
		})
	}
}

// TestEntriesAreReadable: what people are shown of the ledger says all of each entry.
func TestEntriesAreReadable(t *testing.T) {
	db := open(t, file(t))
	do(t, db, build(sysctlOn, sysctlOff))
	want := `{"line":"sysctl net/ipv4/ip_forward  = 1","since":"2026-01-02T03:04:05Z","why":[{"driver"` +
		`:"d","rule":"R4","table":"Port_Binding","row":"cr-lrp-gw1"}],"prior":"sysctl net/ipv4/ip_forwar` +
		`d  = 0"}` + "\n"
	if got, err := db.Lines(); err != nil || string(got) != want {
		t.Errorf("got\n%s (%v)\nwant\n%s", got, err, want)
	}
}
