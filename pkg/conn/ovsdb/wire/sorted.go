package wire

import (
	"sort"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// edit removes a row from the sorted list or adds one.
type edit[T any] struct {
	row    *T
	remove bool
}

// appendEdit leaves out rows that were not there before, or are not any more.
func appendEdit[T any](edits []edit[T], row *T, remove bool) []edit[T] {
	if row == nil {
		return edits
	}
	return append(edits, edit[T]{row, remove})
}

// patch returns a copy of have with the edits made. The list is long and the
// edits are few, so that runs between them are copied as they are.
func patch[T any](have []*T, edits []edit[T], compare func(a, b *T) int) []*T {
	sorting.Sort(edits, func(a, b edit[T]) int { return compare(a.row, b.row) })
	out := make([]*T, 0, len(have)+len(edits))
	for _, e := range edits {
		n := sort.Search(len(have), func(i int) bool { return compare(have[i], e.row) >= 0 })
		out = append(out, have[:n]...)
		have = have[n:]
		if !e.remove {
			out = append(out, e.row)
			continue
		}
		// An addition with the same name and UUID may have sorted before.
		have = have[1:]
	}
	return append(out, have...)
}

// compare orders rows by name and then by UUID, so that equal names have one order on
// every node.
func (s *Table[DB, T]) compare(a, b *T) int {
	if c := strings.Compare(s.Key(a), s.Key(b)); c != 0 {
		return c
	}
	return compareUUID(*s.ID(a), *s.ID(b))
}
