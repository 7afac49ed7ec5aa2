package parts

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// A list has what was entered and has not left, in its order, in pieces that are neither empty nor
// too long, however parts come and go.
func TestOrdered(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var st stretch
	all := make([]*part, 5*pieceSize)
	for i := range all {
		all[i] = newPart(&st, fmt.Sprintf("%06d", i))
	}
	var o ordered
	is := map[*part]bool{}
	ways := map[string]func(n int) *part{
		"in their order": func(n int) *part { return all[n%len(all)] },
		"from the end":   func(n int) *part { return all[len(all)-1-n%len(all)] },
		"at random":      func(int) *part { return all[r.IntN(len(all))] },
	}
	for _, in := range slices.Sorted(maps.Keys(ways)) {
		for _, out := range slices.Sorted(maps.Keys(ways)) {
			for n := range len(all) {
				u := ways[in](n)
				o.enter(u)
				is[u] = true
				checkOrdered(t, &o, is, n%100 == 0 || n < 3)
			}
			for n := range 2 * len(all) {
				if len(is) == 0 {
					break
				}
				u := ways[out](n)
				o.leave(u)
				delete(is, u)
				checkOrdered(t, &o, is, n%100 == 0 || len(is) < 3)
			}
			for u := range maps.Clone(is) {
				o.leave(u)
				delete(is, u)
				checkOrdered(t, &o, is, len(is) < 3)
			}
		}
	}
}

func checkOrdered(t *testing.T, o *ordered, is map[*part]bool, whole bool) {
	t.Helper()
	if (len(o.pieces) == 0) != (len(is) == 0) || (o.single() != nil) != (len(is) == 1) {
		t.Fatalf("%d pieces, single %v of %d", len(o.pieces), o.single(), len(is))
	}
	if !whole {
		return
	}
	for _, p := range o.pieces {
		if len(p) == 0 || len(p) > pieceSize {
			t.Fatalf("a piece of %d in %d", len(p), len(o.pieces))
		}
	}
	want := slices.SortedFunc(maps.Keys(is), (*part).compare)
	if got := slices.Collect(o.all()); !slices.Equal(got, want) {
		t.Fatalf("%d parts, want %d", len(got), len(want))
	}
	for _, i := range []int{0, len(want) / 2, len(want) - 1} {
		if i < 0 || i >= len(want) {
			continue
		}
		if got := slices.Collect(o.before(want[i])); !slices.Equal(got, want[:i]) {
			t.Fatalf("%d before %d", len(got), i)
		}
		if other := o.other(want[i]); (other == nil) != (len(want) == 1) || other == want[i] {
			t.Fatalf("%v is no other", other)
		}
	}
	if len(want) > 0 && o.first() != want[0] {
		t.Fatal("another is the first")
	}
}
