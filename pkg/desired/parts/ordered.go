package parts

import (
	"iter"
	"slices"
)

// pieceSize is how long a piece of a list may be: to enter a part or to take one out moves what is
// behind it in its piece, and no more.
const pieceSize = 512

// ordered is a list of parts in their order. The zero value is empty. Most lists have one part, and some
// have all of them.
type ordered struct {
	// few are all parts, of a list with one piece.
	few []*part
	// pieces are all parts otherwise; none of them is empty.
	pieces [][]*part
}

// empty reports whether there is none.
func (o *ordered) empty() bool { return len(o.few) == 0 && len(o.pieces) == 0 }

// first is the first part of a list that is not empty.
func (o *ordered) first() *part {
	if len(o.pieces) > 0 {
		return o.pieces[0][0]
	}
	return o.few[0]
}

// all yields the parts in their order.
func (o *ordered) all() iter.Seq[*part] {
	return func(yield func(*part) bool) {
		for i := range max(1, len(o.pieces)) {
			for _, u := range *o.piece(i) {
				if !yield(u) {
					return
				}
			}
		}
	}
}

// before yields those before one of the parts, or all if that is nil.
func (o *ordered) before(end *part) iter.Seq[*part] {
	return func(yield func(*part) bool) {
		for u := range o.all() {
			if end != nil && u.compare(end) >= 0 || !yield(u) {
				return
			}
		}
	}
}

// other is a part that is not the one; nil if there is none.
func (o *ordered) other(than *part) *part {
	for u := range o.all() {
		if u != than {
			return u
		}
	}
	return nil
}

// piece is the piece with a number.
func (o *ordered) piece(i int) *[]*part {
	if len(o.pieces) == 0 {
		return &o.few
	}
	return &o.pieces[i]
}

// find is where a part is, or would be: the number of its piece and its place there.
func (o *ordered) find(u *part) (piece, at int, found bool) {
	// The last piece that does not begin behind it, or the first.
	piece, begins := slices.BinarySearchFunc(o.pieces, u, func(p []*part, u *part) int { return p[0].compare(u) })
	if !begins {
		piece = max(0, piece-1)
	}
	at, found = slices.BinarySearchFunc(*o.piece(piece), u, (*part).compare)
	return piece, at, found
}

// enter puts a part into the list; twice is once.
func (o *ordered) enter(u *part) {
	i, at, found := o.find(u)
	if found {
		return
	}
	piece := o.piece(i)
	if *piece = slices.Insert(*piece, at, u); len(*piece) <= pieceSize {
		return
	}
	// Parts mostly come in their order: the first half stays as full as it may be then.
	cut := pieceSize / 2
	if at == pieceSize {
		cut = pieceSize
	}
	head, tail := (*piece)[:cut], slices.Clone((*piece)[cut:])
	clear((*piece)[cut:]) // head has room behind it, and goes on in it
	if len(o.pieces) == 0 {
		o.few, o.pieces = nil, [][]*part{head, tail}
		return
	}
	o.pieces[i] = head
	o.pieces = slices.Insert(o.pieces, i+1, tail)
}

// leave takes a part out of the list.
func (o *ordered) leave(u *part) {
	i, at, found := o.find(u)
	if !found {
		return
	}
	piece := o.piece(i)
	*piece = slices.Delete(*piece, at, at+1)
	switch {
	case len(*piece) == 0 && len(o.pieces) > 0:
		o.pieces = slices.Delete(o.pieces, i, i+1)
	case len(*piece) == 0:
		o.few = nil
	}
	if len(o.pieces) == 1 {
		o.few, o.pieces = o.pieces[0], nil
	}
}

// single reports whether there is just one.
func (o *ordered) single() bool { return len(o.few) == 1 }
