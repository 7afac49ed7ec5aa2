// Package rowlist keeps a long sorted list of rows in pieces. A list is never changed: one with other rows
// shares the pieces in which nothing is different, so that making it, and finding what differs between both,
// costs what differs.
//
// It refuses to know what rows are. It is pure, and a leaf.
package rowlist

import (
	"iter"
	"slices"
	"sort"
)

// List is a sorted list of rows, of which P is a pointer. The zero value has none. P is any, because then all pointers
// share one copy of the code, and of what is comparable each has its own.
type List[P any] struct {
	pieces [][]P // none is empty, and none has more than most
	n      int
}

// most is how many rows a piece may have. With 100,000 rows there are as many pieces as rows in one, within a
// factor of two, so that copying a piece and copying the list of pieces cost about the same.
const most = 512

// Of returns the list of rows that are sorted already. The slice becomes part of it.
func Of[P any](rows ...P) List[P] {
	return List[P]{cut(make([][]P, 0, len(rows)/most+1), rows), len(rows)}
}

// cut appends rows to pieces, in pieces that are all nearly as long.
func cut[P any](pieces [][]P, rows []P) [][]P {
	for count := (len(rows) + most - 1) / most; count > 0; count-- {
		n := (len(rows) + count - 1) / count
		pieces, rows = append(pieces, rows[:n:n]), rows[n:]
	}
	return pieces
}

// Len is the number of rows.
func (l List[P]) Len() int { return l.n }

// All yields the rows in their order.
func (l List[P]) All() iter.Seq[P] {
	return func(yield func(P) bool) {
		for _, piece := range l.pieces {
			for _, row := range piece {
				if !yield(row) {
					return
				}
			}
		}
	}
}

// Slice returns the rows in a slice of their own.
func (l List[P]) Slice() []P { return slices.Concat(l.pieces...) }

// Find returns the first row for which order, which compares a row with what is looked for, is not negative,
// and whether it is 0.
func (l List[P]) Find(order func(P) int) (row P, found bool) {
	i := sort.Search(len(l.pieces), func(i int) bool { return order(l.pieces[i][len(l.pieces[i])-1]) >= 0 })
	if i == len(l.pieces) {
		return row, false
	}
	piece := l.pieces[i]
	row = piece[sort.Search(len(piece), func(j int) bool { return order(piece[j]) >= 0 })]
	return row, order(row) == 0
}

// Edit removes a row from a list, or adds one.
type Edit[P any] struct {
	Row    P
	Remove bool
}

// With returns a list with some edits made, which are sorted by their rows. What is removed must be in the
// list, and what is added must not be, except where an edit removes its equal.
func (l List[P]) With(edits []Edit[P], compare func(a, b P) int) List[P] {
	out := List[P]{pieces: make([][]P, 0, len(l.pieces)+1), n: l.n}
	rest := l.pieces
	for len(edits) > 0 {
		// The piece in which the first edit is, and all others that are in it.
		at := sort.Search(len(rest), func(i int) bool { return compare(rest[i][len(rest[i])-1], edits[0].Row) >= 0 })
		at = min(at, max(0, len(rest)-1))
		out.pieces, rest = append(out.pieces, rest[:at]...), rest[at:]
		var piece []P
		if len(rest) > 0 {
			piece, rest = rest[0], rest[1:]
		}
		in := len(edits)
		if len(rest) > 0 && len(piece) > 0 {
			last := piece[len(piece)-1]
			in = max(1, sort.Search(len(edits), func(i int) bool { return compare(edits[i].Row, last) > 0 }))
		}
		rows := patch(piece, edits[:in], compare)
		out.n += len(rows) - len(piece)
		edits = edits[in:]
		out.pieces = join(out.pieces, rows)
	}
	out.pieces = append(out.pieces, rest...)
	return out
}

// join appends rows to pieces. A few are put into the piece before them, so that pieces from which much has been
// removed do not add up.
func join[P any](pieces [][]P, rows []P) [][]P {
	if last := len(pieces) - 1; last >= 0 && len(rows) < most/4 && len(pieces[last]) < most/2 {
		pieces, rows = pieces[:last], slices.Concat(pieces[last], rows)
	}
	return cut(pieces, rows)
}

// patch returns a copy of have with the edits made. Runs between them are copied as they are.
func patch[P any](have []P, edits []Edit[P], compare func(a, b P) int) []P {
	out := make([]P, 0, len(have)+len(edits))
	for _, e := range edits {
		n := sort.Search(len(have), func(i int) bool { return compare(have[i], e.Row) >= 0 })
		out = append(out, have[:n]...)
		have = have[n:]
		if !e.Remove {
			out = append(out, e.Row)
			continue
		}
		// An addition with the same name and UUID may have sorted before.
		have = have[1:]
	}
	return append(out, have...)
}

// Differ returns the rows of one list that are not in another one, and the reverse, each in their order. Rows that
// are the same pointer are the same; of those that compare as equal and are not, each is in both results. What both
// lists share is passed over.
func Differ[P any](before, after List[P], compare func(a, b P) int) (gone, came []P) {
	a, b := cursor[P]{rest: before.pieces}, cursor[P]{rest: after.pieces}
	for len(a.rest) > 0 && len(b.rest) > 0 {
		x, y := a.row(), b.row()
		if any(x) == any(y) {
			if !a.pass(&b) {
				a.next()
				b.next()
			}
			continue
		}
		order := compare(x, y)
		if order <= 0 {
			gone = append(gone, x)
			a.next()
		}
		if order >= 0 {
			came = append(came, y)
			b.next()
		}
	}
	for ; len(a.rest) > 0; a.next() {
		gone = append(gone, a.row())
	}
	for ; len(b.rest) > 0; b.next() {
		came = append(came, b.row())
	}
	return gone, came
}

// cursor is a place in a list.
type cursor[P any] struct {
	rest [][]P // the first is the piece in which it is
	at   int
}

// row is the row at the cursor, which is not at the end.
func (c *cursor[P]) row() P { return c.rest[0][c.at] }

func (c *cursor[P]) next() {
	if c.at++; c.at == len(c.rest[0]) {
		c.rest, c.at = c.rest[1:], 0
	}
}

// pass takes two cursors past a piece that both are at the beginning of, if it is the same.
func (c *cursor[P]) pass(o *cursor[P]) bool {
	p, q := c.rest[0], o.rest[0]
	if c.at != 0 || o.at != 0 || len(p) != len(q) || &p[0] != &q[0] {
		return false
	}
	c.rest, o.rest = c.rest[1:], o.rest[1:]
	return true
}
