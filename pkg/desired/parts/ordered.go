package parts

import (
	"iter"
	"slices"
)

// pieceSize is how long a piece of a list may be: to enter a part or to take one out moves what is
// behind it in its piece, and no more.
const pieceSize = 512

// ordered is a list of parts in their order, in pieces of which none is empty. The zero value is empty.
type ordered struct{ pieces [][]*part }

// first is the first part of a list that is not empty.
func (o *ordered) first() *part { return o.pieces[0][0] }

// all yields the parts in their order.
func (o *ordered) all() iter.Seq[*part] {
	return func(yield func(*part) bool) {
		for _, piece := range o.pieces {
			for _, u := range piece {
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

// find is where a part of a list that is not empty is, or would be: the number of its piece and its
// place there.
func (o *ordered) find(u *part) (piece, at int, found bool) {
	// The last piece that does not begin behind it, or the first.
	piece, begins := slices.BinarySearchFunc(o.pieces, u, func(p []*part, u *part) int { return p[0].compare(u) })
	if !begins {
		piece = max(0, piece-1)
	}
	at, found = slices.BinarySearchFunc(o.pieces[piece], u, (*part).compare)
	return piece, at, found
}

// enter puts a part into the list; twice is once.
func (o *ordered) enter(u *part) {
	if len(o.pieces) == 0 {
		o.pieces = [][]*part{{u}}
		return
	}
	i, at, found := o.find(u)
	if found {
		return
	}
	piece := slices.Insert(o.pieces[i], at, u)
	o.pieces[i] = piece
	if len(piece) <= pieceSize {
		return
	}
	// Parts mostly come in their order: the first half stays as full as it may be then.
	cut := pieceSize / 2
	if at == pieceSize {
		cut = pieceSize
	}
	tail := slices.Clone(piece[cut:])
	clear(piece[cut:])
	o.pieces[i] = piece[:cut] // has room behind it, and goes on in it
	o.pieces = slices.Insert(o.pieces, i+1, tail)
}

// leave takes a part out of a list that is not empty.
func (o *ordered) leave(u *part) {
	i, at, found := o.find(u)
	if !found {
		return
	}
	if o.pieces[i] = slices.Delete(o.pieces[i], at, at+1); len(o.pieces[i]) == 0 {
		o.pieces = slices.Delete(o.pieces, i, i+1)
	}
}

// single is the only part of a list; nil if it has several.
func (o *ordered) single() *part {
	if len(o.pieces) == 1 && len(o.pieces[0]) == 1 {
		return o.pieces[0][0]
	}
	return nil
}
