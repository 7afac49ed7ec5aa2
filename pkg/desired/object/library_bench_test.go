package object

import (
	"runtime"
	"testing"
	"time"

	"github.com/benbjohnson/immutable"
)

// keyHasher lets the library use the hash that Set uses.
type keyHasher struct{}

func (keyHasher) Hash(k Key) uint32   { return uint32(hashOf(k)) }
func (keyHasher) Equal(a, b Key) bool { return a == b }

// libraryMap is a persistent map of the library that comes closest: a hash array mapped trie. What
// two of its maps share it does not say.
type libraryMap = immutable.Map[Key, *Item]

// BenchmarkSetBesideLibrary does with a set and with that map what a round does: fill one of
// 100,000, change one item of a copy, look all up, walk over all, and find what differs between two that
// differ by one item.
func BenchmarkSetBesideLibrary(b *testing.B) {
	const n = 100_000
	items, keys := make([]Item, n), make([]Key, n)
	for i := range items {
		items[i], keys[i] = Item{Value: routeTo(i)}, numbered(i)
	}
	fillSet := func() Set {
		var s Set
		for i := range items {
			s.Put(items[i])
		}
		return s
	}
	fillLibrary := func() *libraryMap {
		m := immutable.NewMapBuilder[Key, *Item](keyHasher{})
		for i, k := range keys {
			it := items[i] // Set has its own copy, too
			m.Set(k, &it)
		}
		return m.Map()
	}
	set, library := fillSet(), fillLibrary()
	other := Item{Value: items[1].Value, Why: []Source{{Rule: "R1"}}}
	changed := set.Clone()
	changed.Put(other)
	changedLibrary := library.Set(keys[1], &other)
	for _, work := range []struct {
		name         string
		set, library func()
	}{
		{"fill", func() { fillSet() }, func() { fillLibrary() }},
		{"change-one", func() {
			s := set.Clone()
			s.Put(other)
		}, func() { library.Set(keys[1], &other) }},
		{"get-all", func() {
			for _, k := range keys {
				if _, ok := set.Get(k); !ok {
					b.Fatal(k)
				}
			}
		}, func() {
			for _, k := range keys {
				if _, ok := library.Get(k); !ok {
					b.Fatal(k)
				}
			}
		}},
		{"walk", func() {
			for range set.All() {
			}
		}, func() {
			for it := library.Iterator(); !it.Done(); {
				it.Next()
			}
		}},
		{"differ-by-one", func() {
			found := 0
			for range set.Differ(changed) {
				found++
			}
			mustBe(b, found, 1)
		}, func() { mustBe(b, differing(library, changedLibrary), 1) }},
	} {
		b.Run(work.name, func(b *testing.B) {
			ours, theirs := timed(work.set), timed(work.library)
			for b.Loop() {
				ours, theirs = min(ours, timed(work.set)), min(theirs, timed(work.library))
			}
			b.ReportMetric(ours*1e6, "us")
			b.ReportMetric(ours/theirs, "x-of-library")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
			ours, theirs := held(func() any { return fillSet() }), held(func() any { return fillLibrary() })
			b.ReportMetric(ours/n, "octets/item")
			b.ReportMetric(ours/theirs, "x-of-library")
		}
		b.ReportMetric(0, "ns/op")
	})
}

// differing is how many keys two maps have different items under.
func differing(a, b *libraryMap) (n int) {
	for it := a.Iterator(); !it.Done(); {
		k, v, _ := it.Next()
		if other, ok := b.Get(k); !ok || other != v {
			n++
		}
	}
	for it := b.Iterator(); !it.Done(); {
		k, _, _ := it.Next()
		if _, ok := a.Get(k); !ok {
			n++
		}
	}
	return n
}

func mustBe(b *testing.B, got, want int) {
	b.Helper()
	if got != want {
		b.Fatalf("got %d, want %d", got, want)
	}
}

// held is the memory that what is made holds, in octets.
func held(build func() any) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	made := build()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(made)
	return float64(after.HeapAlloc) - float64(before.HeapAlloc)
}

// timed is how long some work takes, in seconds.
func timed(work func()) float64 {
	began := time.Now()
	work()
	return time.Since(began).Seconds()
}
