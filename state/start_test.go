package state

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// started opens a file as a controller does.
func started(t testing.TB, path string, id Identity) *DB {
	t.Helper()
	db, err := Start(path, Options{Identity: id, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// filled is a file with a neighbour entry and a route in its ledger.
func filled(t *testing.T, id Identity) string {
	t.Helper()
	at := file(t)
	db := started(t, at, id)
	db.Confirm(id.Chassis)
	do(t, db, build(neigh, nil), build(route, nil))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return at
}

// healthy checks that a file is in order, in place, and has the keys.
func healthy(t *testing.T, db *DB, at string, keys ...object.Key) {
	t.Helper()
	if trouble, ill := db.Trouble(); ill {
		t.Errorf("trouble since %s: %v", trouble.Since, trouble.Err)
	}
	db.Close()
	again, err := Open(at, clock)
	if err != nil {
		t.Error(err)
		return
	}
	defer again.Close()
	for _, k := range keys {
		if !again.Owned(k) {
			t.Errorf("%s is not in the file", k.Text())
		}
	}
}

// A file that cannot be used does not end the start: it is set aside with every byte it
// had, the file that takes its place works, and both are told of.
func TestBadFilesAreSetAside(t *testing.T) {
	newer := func(t *testing.T, at string) {
		db := open(t, at)
		err := db.bolt.Update(func(tx *bbolt.Tx) error { return put(tx.Bucket(bucketMeta), keyVersion, Version+1) })
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	overwrite := func(with func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, at string) {
			raw, err := os.ReadFile(at)
			if err == nil {
				err = os.WriteFile(at, with(raw), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		spoil  func(*testing.T, string)
		reason string
	}{
		"empty":    {overwrite(func([]byte) []byte { return nil }), AsideDamaged},
		"half":     {overwrite(func(b []byte) []byte { return b[:len(b)/2] }), AsideDamaged},
		"no bbolt": {overwrite(func([]byte) []byte { return bytes.Repeat([]byte("text "), 9000) }), AsideDamaged},
		"other form": {
			overwrite(func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("Port_"), []byte("Post_")) }), AsideDamaged,
		},
		"newer": {newer, AsideNewer},
	} {
		t.Run(name, func(t *testing.T) {
			at := filled(t, Identity{Chassis: "hv1"})
			tt.spoil(t, at)
			raw, err := os.ReadFile(at)
			if err != nil {
				t.Fatal(err)
			}
			if db, err := Open(at, clock); err == nil && name != "empty" {
				db.Close()
				t.Error("a command opens it")
			}
			if name == "empty" {
				overwrite(func([]byte) []byte { return nil })(t, at)
			}
			db := started(t, at, Identity{})
			kept := db.Asides()
			if len(kept) != 1 || kept[0].Reason != tt.reason || !kept[0].At.Equal(clock()) {
				t.Fatalf("set aside: %+v", kept)
			}
			if now, err := os.ReadFile(kept[0].Path); err != nil || !bytes.Equal(now, raw) {
				t.Errorf("what was set aside is not what was there: %v", err)
			}
			if db.Owned(neigh.Key()) {
				t.Error("something of it is used")
			}
			do(t, db, build(neigh, nil))
			healthy(t, db, at, neigh.Key())
		})
	}
}

// What is set aside overwrites nothing, and the oldest of too many are removed; those of
// a newer program never.
func TestSetAsideIsBounded(t *testing.T) {
	at := file(t)
	for reason, want := range map[string]int{AsideDamaged: keptAside, AsideNewer: 12} {
		for i := range 12 {
			if err := os.WriteFile(at, fmt.Append(nil, i), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := setAside(at, reason, clock().Add(time.Duration(i/2)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		var texts []string
		for _, a := range asides(at) {
			raw, err := os.ReadFile(a.Path)
			if err != nil {
				t.Fatal(err)
			}
			if a.Reason == reason {
				texts = append(texts, string(raw))
			}
		}
		if len(texts) != want || texts[len(texts)-1] != "11" {
			t.Errorf("%s: kept %v, want the last %d", reason, texts, want)
		}
	}
}

// Where there can be no file the controller runs on what it remembers itself, says so
// until there is one, and that has everything.
func TestFileIsMadeOnceItCanBe(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "parent")
	if err := os.WriteFile(parent, nil, 0o600); err != nil { // no directory, for root neither
		t.Fatal(err)
	}
	at := filepath.Join(parent, "state.db")
	var log bytes.Buffer
	db, err := Start(at, Options{Now: clock, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	trouble, ill := db.Trouble()
	if !ill || !strings.Contains(trouble.Err.Error(), parent) || !strings.Contains(log.String(), "cannot be used") {
		t.Fatalf("trouble %v, log %s", trouble, log.String())
	}
	p := plan.Plan{Ops: []plan.Op{build(route, nil)}}
	if db.Begin(p) == nil || db.End(p, []error{nil}, time.Millisecond) == nil {
		t.Error("it claims to have recorded something")
	}
	if !db.Owned(route.Key()) {
		t.Error("what was made is not remembered")
	}
	for range 3 {
		db.Check()
		if again, ill := db.Trouble(); !ill || !again.Since.Equal(trouble.Since) {
			t.Errorf("the trouble went away by itself: %+v", again)
		}
	}
	if err := errors.Join(os.Remove(parent), os.Mkdir(parent, 0o700)); err != nil {
		t.Fatal(err)
	}
	db.Check()
	if !strings.Contains(log.String(), "up to date again") {
		t.Errorf("log: %s", log.String())
	}
	healthy(t, db, at, route.Key())
}

// A file that appears later, as on a disk that is mounted after the start, is read: what
// it says is united with what is remembered.
func TestFileAppearsLater(t *testing.T) {
	good := filled(t, Identity{Chassis: "hv1"})
	dir := filepath.Join(t.TempDir(), "late")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, filepath.Base(good))
	db := started(t, at, Identity{})
	db.Confirm("hv1")
	p := plan.Plan{Ops: []plan.Op{build(sysctlOn, sysctlOff)}}
	_ = db.End(p, []error{nil}, time.Millisecond) // unmarked and so not remembered
	rule := object.Rule{Priority: 32000, Table: 201}
	p = plan.Plan{Ops: []plan.Op{build(rule, nil)}}
	_ = db.End(p, []error{nil}, time.Millisecond)
	if err := errors.Join(os.Remove(dir), os.Rename(filepath.Dir(good), dir)); err != nil {
		t.Fatal(err)
	}
	db.Check()
	if got := db.Asides(); len(got) > 0 {
		t.Errorf("set aside: %+v", got)
	}
	healthy(t, db, at, rule.Key(), neigh.Key(), route.Key())
}

// A file that somebody removes or replaces while it is used is made anew with all that it
// said, at the next change or check; what took its place is kept.
func TestFileIsRemovedWhileInUse(t *testing.T) {
	for name, spoil := range map[string]func(string) error{
		"removed":  os.Remove,
		"renamed":  func(at string) error { return os.Rename(at, at+".away") },
		"replaced": func(at string) error { return errors.Join(os.Remove(at), os.WriteFile(at, []byte("other"), 0o600)) },
		"with its directory": func(at string) error {
			return os.RemoveAll(filepath.Dir(at))
		},
	} {
		for _, notice := range []string{"check", "change"} {
			t.Run(name+", "+notice, func(t *testing.T) {
				at := filled(t, Identity{Chassis: "hv1"})
				db := started(t, at, Identity{Chassis: "hv1"})
				if err := spoil(at); err != nil {
					t.Fatal(err)
				}
				if notice == "check" {
					db.Check()
				} else {
					do(t, db, build(sysctlOn, sysctlOff))
				}
				want := 0
				if name == "replaced" {
					want = 1
				}
				if got := db.Asides(); len(got) != want || want == 1 && got[0].Reason != AsideReplaced {
					t.Errorf("set aside: %+v", got)
				}
				healthy(t, db, at, neigh.Key(), route.Key())
			})
		}
	}
}

// A page that is damaged while the file is used costs the file and nothing else.
func TestDamagedWhileInUse(t *testing.T) {
	at := filled(t, Identity{Chassis: "hv1"})
	db := started(t, at, Identity{Chassis: "hv1"})
	f, err := os.OpenFile(at, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 14*4096), 2*4096); err != nil {
		t.Fatal(err)
	}
	f.Close()
	do(t, db, build(sysctlOn, sysctlOff))
	if got := db.Asides(); len(got) != 1 || got[0].Reason != AsideDamaged {
		t.Errorf("set aside: %+v", got)
	}
	healthy(t, db, at, neigh.Key(), route.Key(), sysctlOn.Key())
}

// A file that another process holds is none that could be set aside.
func TestLockedFileIsNotSetAside(t *testing.T) {
	t.Parallel()
	at := file(t)
	open(t, at)
	_, err := Start(at, Options{Now: clock})
	if err == nil || !strings.Contains(err.Error(), at+" is locked") || len(asides(at)) > 0 {
		t.Errorf("got %v, set aside %v", err, asides(at))
	}
}

// A file of this program that is in order is not written to by a start.
func TestStartWritesNothing(t *testing.T) {
	at := filled(t, Identity{Chassis: "hv1", Machine: "m"})
	raw, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	db := started(t, at, Identity{Machine: "m"})
	db.Confirm("hv1")
	db.Check()
	if n := db.Writes(); n != 0 {
		t.Errorf("%d transactions", n)
	}
	db.Close()
	if now, err := os.ReadFile(at); err != nil || !bytes.Equal(now, raw) {
		t.Errorf("the file has changed: %v", err)
	}
}

// A disk that does not answer delays the first that writes by the limit and nobody after
// that; what is remembered meanwhile is in the file once the disk answers.
func TestDiskThatDoesNotAnswer(t *testing.T) {
	at := filled(t, Identity{Chassis: "hv1"})
	db, err := Start(at, Options{Identity: Identity{Chassis: "hv1"}, Now: clock, Limit: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	answer := make(chan struct{})
	if _, err := db.turn.run(time.Millisecond, func() error { <-answer; return nil }); !errors.Is(err, errStalled) {
		t.Fatalf("a disk that does not answer: %v", err)
	}
	other := object.NewRoute(201, netip.MustParsePrefix("10.9.9.9/32"), "br-ex", netip.Addr{})
	p := plan.Plan{Ops: []plan.Op{build(other, nil)}}
	for range 1000 { // each of them would take the limit
		if err := db.Begin(p); !errors.Is(err, errStalled) {
			t.Fatal(err)
		}
	}
	if err := db.End(p, []error{nil}, time.Millisecond); !errors.Is(err, errStalled) || !db.Owned(other.Key()) {
		t.Errorf("%v, remembered: %t", err, db.Owned(other.Key()))
	}
	db.Check()
	if _, ill := db.Trouble(); !ill {
		t.Error("nobody is told")
	}
	close(answer)
	for _, ill := db.Trouble(); ill; _, ill = db.Trouble() {
		db.Check()
	}
	healthy(t, db, at, neigh.Key(), route.Key(), other.Key())
}
