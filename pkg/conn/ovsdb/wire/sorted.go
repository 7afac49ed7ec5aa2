package wire

import (
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
)

// appendEdit leaves out rows that were not there before, or are not any more.
func (t *rows[R]) appendEdit(edits []rowlist.Edit[R], row R, remove bool) []rowlist.Edit[R] {
	if t.none(row) {
		return edits
	}
	return append(edits, rowlist.Edit[R]{Row: row, Remove: remove})
}

// compare orders rows by name and then by UUID, so that equal names have one order on
// every node.
func (t *rows[R]) compare(a, b R) int {
	if c := strings.Compare(t.key(a), t.key(b)); c != 0 {
		return c
	}
	return compareUUID(*t.id(a), *t.id(b))
}

// same reports whether two pointers are the same one.
func (*rows[R]) same(a, b R) bool { return any(a) == any(b) }
