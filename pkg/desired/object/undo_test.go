package object_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// printed is everything of a set that can be seen.
func printed(s object.Set) string {
	var b strings.Builder
	for _, it := range s.Sorted() {
		fmt.Fprintln(&b, object.Text(it.Value), it.Why, it.After, it.Keeps, it.Rank)
	}
	return b.String()
}

// TestAtomically: a set whose changes are taken back by panics agrees, whatever the
// nesting, with one that is replaced by a copy each time.
func TestAtomically(t *testing.T) {
	undone := 0
	rapid.Check(t, func(t *rapid.T) {
		var s, copied object.Set
		random := func() {
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(1, 4).Draw(t, "host"))})
				dev := rapid.SampledFrom([]string{"br-a", "br-b"}).Draw(t, "dev")
				it := object.Item{
					Value: object.NewRoute(200, netip.PrefixFrom(addr, 32), dev, netip.Addr{}),
					Why:   []object.Source{{Row: dev}},
				}
				verb := rapid.IntRange(0, 2).Draw(t, "verb")
				for _, set := range []*object.Set{&s, &copied} {
					switch verb {
					case 0:
						_ = set.Add(it) // a conflict leaves the set as it is
					case 1:
						set.Put(it)
					case 2:
						set.Remove(it.Value.Key())
					}
				}
			}
		}
		var attempt func(depth int)
		attempt = func(depth int) {
			before := copied.Clone()
			fails := rapid.Bool().Draw(t, "fails")
			defer func() {
				if v := recover(); v != nil {
					if v != "made up" {
						panic(v)
					}
					copied = before
					undone++
				}
			}()
			s.Atomically(func() {
				random()
				if depth > 0 {
					attempt(depth - 1)
				}
				random()
				if fails {
					panic("made up")
				}
			})
		}
		for range 3 {
			random()
			attempt(2)
		}
		if got, want := printed(s), printed(copied); got != want {
			t.Fatalf("got\n%swant\n%s", got, want)
		}
	})
	if undone == 0 {
		t.Error("no change was taken back")
	}
}
