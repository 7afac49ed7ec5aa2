package sorting_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// pair is sorted by its first number only, so that some are equal to each other.
type pair struct{ by, at int }

func byFirst(a, b pair) int { return cmp.Compare(a.by, b.by) }

// Lists are sorted as package slices sorts them.
func TestAsSlices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []pair
		for i, by := range rapid.SliceOfN(rapid.IntRange(0, 9), 0, 60).Draw(t, "list") {
			list = append(list, pair{by: by, at: i})
		}
		want := slices.Clone(list)
		slices.SortStableFunc(want, byFirst)

		stable := slices.Clone(list)
		sorting.Stable(stable, byFirst)
		if !slices.Equal(stable, want) {
			t.Errorf("Stable(%v) = %v, want %v", list, stable, want)
		}
		both := func(a, b pair) int { return cmp.Or(byFirst(a, b), cmp.Compare(a.at, b.at)) }
		sorting.Sort(list, both)
		if !slices.Equal(list, want) {
			t.Errorf("Sort = %v, want %v", list, want)
		}
	})
}
