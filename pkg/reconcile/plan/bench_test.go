package plan_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// BenchmarkCompareAll compares everything that is wanted with everything that is there, as the
// first round and audits do: a route and a path for each of n addresses. The floor is to go through
// both sets, one after the other, and to look at each value.
func BenchmarkCompareAll(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			want, have := bothSides(n)
			in := plan.Input{Want: want, Have: have, Ledger: newLedger()}
			var took, floor time.Duration
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				if p := plan.Diff(in); !p.Empty() || len(p.Notes) > 0 {
					b.Fatalf("there is something to do:\n%s", p)
				}
				took += time.Since(began)
				began = time.Now()
				if routes := routesOf(want) + routesOf(have); routes != 2*n {
					b.Fatalf("%d routes, want %d", routes, 2*n)
				}
				floor += time.Since(began)
			}
			b.ReportMetric(float64(took)/float64(floor), "x-of-walk")
			b.ReportMetric(took.Seconds()*1000/float64(b.N), "ms/compare")
		})
	}
}

// routesOf counts the routes of a set by its values.
func routesOf(s object.Set) (n int) {
	for _, it := range s.All() {
		if _, is := it.Value.(object.Route); is {
			n++
		}
	}
	return n
}

// bothSides are n addresses as they are wanted and as they are there, which share nothing.
func bothSides(n int) (want, have object.Set) {
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		for _, v := range addressed(i) {
			want.Put(object.Item{Value: v, Why: []object.Source{{Table: "Port_Binding", Row: fmt.Sprint(i)}}})
		}
	}
	for _, i := range rand.New(rand.NewPCG(3, 4)).Perm(n) {
		for _, v := range addressed(i) {
			have.Put(object.Item{Value: v, Marked: true})
		}
	}
	return want, have
}

// addressed is what makes an address reachable.
func addressed(i int) []object.Value {
	dst := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	return []object.Value{object.NewRoute(201, dst, "br-ex", netip.Addr{}), object.NewPath(dst, object.OriginIGP)}
}
