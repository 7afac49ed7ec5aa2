package state

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// BenchmarkJournal measures what the state file costs: the first round of a node with many
// objects, where the floor is to write as many octets to a file beside it and to have them on
// disk, and after it rounds of two steps.
func BenchmarkJournal(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("first/%d", n), func(b *testing.B) {
			var took, floor time.Duration
			var size int64
			for b.Loop() {
				db, path := benchOpen(b)
				began := time.Now()
				benchRound(b, db, journalled(0, n))
				took += time.Since(began)
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
				info, err := os.Stat(path)
				if err != nil {
					b.Fatal(err)
				}
				size = info.Size()
				floor += written(b, path+".floor", info.Size())
			}
			b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms/round")
			b.ReportMetric(float64(took)/float64(floor), "x-of-write")
			b.ReportMetric(float64(size)/1e6, "MB")
		})
		b.Run(fmt.Sprintf("change/%d", n), func(b *testing.B) {
			db, _ := benchOpen(b)
			benchRound(b, db, journalled(0, n))
			comes, goes := journalled(n, n+1), deleted(journalled(n, n+1))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				benchRound(b, db, [][]plan.Op{comes, goes}[i%2])
			}
		})
	}
}

// benchOpen makes a state file.
func benchOpen(b *testing.B) (*DB, string) {
	path := b.TempDir() + "/state.db"
	db, err := Open(path, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db, path
}

func benchRound(b *testing.B, db *DB, ops []plan.Op) {
	p := plan.Plan{Ops: ops}
	if err := db.Begin(p); err != nil {
		b.Fatal(err)
	}
	if err := db.End(p, make([]error, len(ops)), time.Millisecond); err != nil {
		b.Fatal(err)
	}
}

// written is how long it takes to have that many octets on disk.
func written(b *testing.B, path string, size int64) time.Duration {
	began := time.Now()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, size)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// journalled are the steps that make n addresses reachable: a route and a path each, that name
// their row and need what all of them need.
func journalled(from, to int) []plan.Op {
	device := object.NewRoute(201, netip.MustParsePrefix("10.0.0.0/8"), "br-ex", netip.Addr{}).Key()
	after := []object.Key{device}
	ops := make([]plan.Op, 0, 2*(to-from))
	for i := from; i < to; i++ {
		dst := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		why := []object.Source{{
			Driver: "osp_ovn_bgp_driver", Table: "Port_Binding", Row: fmt.Sprintf("5a1e0000-0000-4000-8000-%012x", i),
			Rule: "provider port", Decides: true,
		}}
		r := object.NewRoute(201, dst, "br-ex", netip.Addr{})
		p := object.NewPath(dst, object.OriginIGP)
		rel := object.Relations{After: after}
		ops = append(ops,
			plan.Op{Verb: plan.Create, Phase: plan.Build, After: r, Why: why, Relations: rel, Cause: plan.CauseChange},
			plan.Op{Verb: plan.Create, Phase: plan.Build, After: p, Why: why, Relations: rel, Cause: plan.CauseChange})
	}
	return ops
}

// deleted are the steps that take back what others made.
func deleted(ops []plan.Op) []plan.Op {
	out := make([]plan.Op, len(ops))
	for i, op := range ops {
		out[i] = op
		out[i].Verb, out[i].Phase, out[i].Before, out[i].After = plan.Delete, plan.Withdraw, op.After, nil
	}
	return out
}
