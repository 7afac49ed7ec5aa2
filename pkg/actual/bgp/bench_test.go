package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

var sizes = []int{1_000, 10_000, 100_000}

// rate reports the time per path.
func rate(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/path")
	b.ReportMetric(0, "ns/op")
}

// bare are the same paths as GoBGP takes them.
func bare(paths []object.Path, withdraw bool) []*apiutil.Path {
	out := make([]*apiutil.Path, len(paths))
	for i, p := range paths {
		out[i] = originated(p.Prefix.String())
		out[i].Withdrawal = withdraw
	}
	return out
}

// Adding and deleting through the backend, against bare GoBGP.
func BenchmarkAddDelete(b *testing.B) {
	for _, n := range sizes {
		paths := manyPaths(n)
		adds, deletes, rawAdds, rawDeletes := create(paths...), remove(paths...), bare(paths, false), bare(paths, true)
		backend := start(b, noListener)
		b.Run(fmt.Sprintf("backend/add/%d", n), func(b *testing.B) {
			for b.Loop() {
				apply(b, backend, adds)
				b.StopTimer()
				apply(b, backend, deletes)
				b.StartTimer()
			}
			rate(b, n)
		})
		b.Run(fmt.Sprintf("gobgp/add/%d", n), func(b *testing.B) {
			for b.Loop() {
				move(b, backend, rawAdds)
				b.StopTimer()
				move(b, backend, rawDeletes)
				b.StartTimer()
			}
			rate(b, n)
		})
		b.Run(fmt.Sprintf("backend/delete/%d", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				apply(b, backend, adds)
				b.StartTimer()
				apply(b, backend, deletes)
			}
			rate(b, n)
		})
		b.Run(fmt.Sprintf("gobgp/delete/%d", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				move(b, backend, rawAdds)
				b.StartTimer()
				move(b, backend, rawDeletes)
			}
			rate(b, n)
		})
	}
}

func move(b *testing.B, backend *bgp.Backend, paths []*apiutil.Path) {
	if err := backend.Move(paths); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkRead(b *testing.B) {
	const n = 100_000
	backend := start(b, noListener)
	apply(b, backend, create(manyPaths(n)...))
	ctx := context.Background()
	for name, read := range map[string]func() error{
		"idle":     func() error { _, err := backend.Read(ctx, actual.Focus{}); return err },
		"complete": func() error { _, err := backend.Read(ctx, actual.Focus{Complete: true}); return err },
		"gobgp":    func() error { return backend.ListPaths() },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	extra := path("203.0.113.7/32")
	b.Run("change-and-read", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			changes := create(extra)
			if i%2 == 1 {
				changes = remove(extra)
			}
			apply(b, backend, changes)
			read(b, backend, false)
		}
	})
}

// What people ask, with 100,000 paths and one session.
func BenchmarkAsk(b *testing.B) {
	backend := start(b, nil)
	apply(b, backend, create(manyPaths(100_000)...))
	apply(b, backend, create(passive("192.0.2.2", object.IPv4Unicast)))
	n := newNeighbour(b, neighbourAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
	established(b, backend, "192.0.2.2")
	ctx := context.Background()
	b.Run("peers", func(b *testing.B) {
		for b.Loop() {
			if _, err := backend.Peers(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("advertised", func(b *testing.B) {
		for b.Loop() {
			_, sent, err := backend.Advertised(ctx, "192.0.2.2", netip.MustParsePrefix("100.64.1.1/32"))
			if err != nil || !sent {
				b.Fatal(sent, err)
			}
		}
	})
}

// A peer that is down makes GoBGP produce debug messages; this is their price.
func BenchmarkAddWhilePeerIsDown(b *testing.B) {
	const n = 10_000
	backend := start(b, noListener)
	apply(b, backend, create(passive("192.0.2.11", object.IPv4Unicast)))
	paths := manyPaths(n)
	for b.Loop() {
		apply(b, backend, create(paths...))
		b.StopTimer()
		apply(b, backend, remove(paths...))
		b.StartTimer()
	}
	rate(b, n)
}

// The same changes and reads on each form of the speaker, 100,000 paths.
func BenchmarkForms(b *testing.B) {
	const n = 100_000
	paths := manyPaths(n)
	adds, deletes := create(paths...), remove(paths...)
	backends := map[string]func() *bgp.Backend{"embedded": func() *bgp.Backend { return start(b, noListener) }}
	for form := range forms {
		backends[form] = func() *bgp.Backend { return dial(b, spawn(b, form), noListener) }
	}
	for name, start := range backends {
		backend := start()
		b.Run(name+"/add", func(b *testing.B) {
			for b.Loop() {
				apply(b, backend, adds)
				b.StopTimer()
				apply(b, backend, deletes)
				b.StartTimer()
			}
			rate(b, n)
		})
		apply(b, backend, adds)
		b.Run(name+"/read", func(b *testing.B) {
			for b.Loop() {
				if got := read(b, backend, true).Len(); got != n {
					b.Fatalf("read %d", got)
				}
			}
			rate(b, n)
		})
		b.Run(name+"/one", func(b *testing.B) {
			one := []object.Path{path("203.0.113.7/32")}
			for b.Loop() {
				apply(b, backend, create(one...))
				apply(b, backend, remove(one...))
			}
		})
	}
}
