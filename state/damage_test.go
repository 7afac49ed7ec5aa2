package state

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// used is a state file after some rounds with that many objects: trees with several
// levels, buckets with pages of their own, free pages, and an unfinished plan.
func used(t *testing.T, objects int) []byte {
	t.Helper()
	at := file(t)
	db := open(t, at)
	many := manyOps
	do(t, db, many(0, objects)...)
	for i := range 20 {
		do(t, db, append(many(objects+i, objects+10+i), build(sysctlOn, sysctlOff))...)
	}
	var gone []plan.Op
	for _, op := range many(0, objects/7) {
		gone = append(gone, remove(op.After))
	}
	do(t, db, gone...)
	if err := db.Begin(plan.Plan{Ops: many(2000, 2010)}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// manyOps make a neighbour entry and a route for each number.
func manyOps(from, to int) []plan.Op {
	var ops []plan.Op
	for i := from; i < to; i++ {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		ops = append(ops,
			build(object.Neigh{Dev: "br-ex", Addr: addr, MAC: object.MAC{2, 0, 0, 0, 0, 1}}, nil),
			build(object.NewRoute(201, netip.PrefixFrom(addr, 32), "br-ex", netip.Addr{}), nil))
	}
	return ops
}

// damage changes a copy of a file as broken disks, half-written copies and people do.
func damage(r *rand.Rand, raw []byte) ([]byte, string) {
	out := append([]byte(nil), raw...)
	pageSize := os.Getpagesize()
	pages := len(out) / pageSize
	page := func() int { return r.IntN(pages) * pageSize }
	switch kind := r.IntN(8); kind {
	case 0:
		at := r.IntN(len(out))
		out[at] ^= 1 << r.IntN(8)
		return out, fmt.Sprintf("bit of byte %d", at)
	case 1:
		for range 1 + r.IntN(8) {
			out[r.IntN(len(out))] = byte(r.Uint32())
		}
		return out, "some bytes"
	case 2:
		at := page() + r.IntN(32) // the header of a page, or its first element
		out[at] = byte(r.Uint32())
		return out, fmt.Sprintf("header at %d", at)
	case 3:
		n := r.IntN(len(out))
		return out[:n], fmt.Sprintf("cut to %d", n)
	case 4:
		at := page()
		clear(out[at : at+pageSize])
		return out, fmt.Sprintf("page at %d is empty", at)
	case 5:
		from, to := page(), page()
		copy(out[to:to+pageSize], raw[from:from+pageSize])
		return out, fmt.Sprintf("page at %d is that at %d", to, from)
	case 6:
		// As 5, with the number of the page that it stands for: a circle.
		from, to := page(), page()
		copy(out[to+8:to+pageSize], raw[from+8:from+pageSize])
		return out, fmt.Sprintf("contents of page at %d are those at %d", to, from)
	default:
		at := page() + r.IntN(pageSize-8)
		for i := range 8 {
			out[at+i] = 0xff
		}
		return out, fmt.Sprintf("ones at %d", at)
	}
}

// use does with a file what a controller does, and returns the first error.
func use(path string) error {
	db, err := Open(path, clock)
	if err != nil {
		return err
	}
	p := plan.Plan{Ops: []plan.Op{build(neigh, nil), build(route, nil)}}
	work := []func() error{
		func() error { _, err := db.History(history.Filter{}); return err },
		func() error { return db.Begin(p) },
		func() error { return db.End(p, make([]error, len(p.Ops)), time.Millisecond) },
		func() error { return db.Forget([]object.Key{neigh.Key()}) },
		func() error { return db.Renew([]object.Item{{Value: route, Why: why}}) },
		func() error { _, err := db.History(history.Filter{}); return err },
	}
	var first error
	for _, f := range work {
		if err := f(); err != nil && first == nil {
			first = err
		}
	}
	if err := db.Close(); err != nil && first == nil {
		first = err
	}
	return first
}

// Whatever is wrong with a state file, opening, reading, writing and closing it neither
// panics nor waits for ever, and an error says which file it is and what to do.
func TestDamagedFiles(t *testing.T) {
	raw := used(t, 700)
	dir := t.TempDir()
	counts := map[string]int{}
	for seed := range uint64(300) {
		mutated, what := damage(rand.New(rand.NewPCG(seed, 7)), raw)
		path := filepath.Join(dir, fmt.Sprint("state-", seed, ".db"))
		if err := os.WriteFile(path, mutated, 0o600); err != nil {
			t.Fatal(err)
		}
		result := make(chan error, 2)
		go func() {
			reader, err := OpenReadOnly(path, clock)
			if err == nil {
				_, _ = reader.History(history.Filter{}) // its error is that of use
				err = reader.Close()
			}
			result <- err
			result <- use(path)
		}()
		for _, way := range []string{"for reading", "for writing"} {
			select {
			case err := <-result:
				if err == nil {
					counts["fine"]++
					continue
				}
				counts["refused"]++
				text := err.Error()
				if !strings.Contains(text, path) ||
					!strings.Contains(text, moveAway) && !strings.Contains(text, "install the newer program") {
					t.Errorf("seed %d, %s, %s: the error names no file or remedy: %s", seed, what, way, text)
				}
			case <-time.After(time.Minute):
				t.Fatalf("seed %d, %s, %s: it hangs", seed, what, way)
			}
		}
		os.Remove(path)
	}
	if counts["fine"] < 50 || counts["refused"] < 50 {
		t.Errorf("the damage is not what it should be: %v", counts)
	}
}

// A page that was damaged while the file was open ends what comes after it, and not the
// process: the history, which is read rarely, and the round that writes.
func TestDamagedWhileOpen(t *testing.T) {
	raw := used(t, 700)
	for seed := range uint64(40) {
		path := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(path, clock)
		if err != nil {
			t.Fatal(err)
		}
		mutated, what := damage(rand.New(rand.NewPCG(seed, 8)), raw)
		for len(mutated) < len(raw) { // a shorter file is another fault
			mutated = append(mutated, 0)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt(mutated, 0)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			p := plan.Plan{Ops: []plan.Op{build(neigh, nil)}}
			_, errHistory := db.History(history.Filter{})
			for _, err := range []error{
				errHistory, db.Begin(p), db.End(p, []error{nil}, time.Millisecond),
				db.Forget([]object.Key{neigh.Key()}), db.Close(),
			} {
				if err != nil && !strings.Contains(err.Error(), path) {
					t.Errorf("seed %d, %s: the error names no file: %v", seed, what, err)
				}
			}
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("seed %d, %s: it hangs", seed, what)
		}
	}
}

// What is no regular file is not opened, and waited for neither.
func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, "/dev/null", "/dev/zero"} {
		if db, err := Open(path, clock); err == nil {
			db.Close()
			t.Errorf("%s was opened", path)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	foreign := filepath.Join(dir, "foreign")
	const text = "this is no state file, and precious\n"
	if err := os.WriteFile(foreign, []byte(strings.Repeat(text, 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(foreign, clock); err == nil {
		db.Close()
		t.Error("another file was opened")
	}
	if raw, err := os.ReadFile(foreign); err != nil || string(raw) != strings.Repeat(text, 1000) {
		t.Errorf("another file was changed: %v", err)
	}
}
