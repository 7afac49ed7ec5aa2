package rowlist

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type row struct{ key, value int }

func byKey(a, b *row) int { return cmp.Compare(a.key, b.key) }

// TestWith holds lists that are changed again and again to plain slices: their rows, what is found, and what differs
// from the list before.
func TestWith(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SampledFrom([]int{5, 700, 4_000}).Draw(t, "keys")
		model := map[int]*row{}
		for i := range rapid.IntRange(0, keys).Draw(t, "at first") {
			model[i] = &row{i, 0}
		}
		list := Of(sorted(model)...)
		for step := range rapid.IntRange(1, 12).Draw(t, "steps") {
			before, former := list, sorted(model)
			edits := change(t, model, keys, step+1)
			list = list.With(edits, byKey)
			check(t, list, sorted(model), keys)
			check(t, before, former, keys)
			gone, came := Differ(before, list, byKey)
			for _, e := range edits {
				in := came
				if e.Remove {
					in = gone
				}
				if !slices.Contains(in, e.Row) {
					t.Fatalf("%+v is not in what differs", e)
				}
			}
			if len(gone)+len(came) != len(edits) || !slices.IsSortedFunc(gone, byKey) || !slices.IsSortedFunc(came, byKey) {
				t.Fatalf("%d gone and %d came by %d edits", len(gone), len(came), len(edits))
			}
		}
	})
}

// change draws edits, and makes them in the model.
func change(t *rapid.T, model map[int]*row, keys, step int) (edits []Edit[*row]) {
	from := rapid.IntRange(0, keys-1).Draw(t, "from")
	span := rapid.SampledFrom([]int{1, 3, 600}).Draw(t, "span")
	share := rapid.IntRange(1, 4).Draw(t, "share")
	comes := rapid.IntRange(0, 2).Draw(t, "comes") // with 0 rows only go
	for key := from; key < min(keys, from+span); key++ {
		have := model[key]
		if key%share != 0 || have == nil && comes == 0 {
			continue
		}
		if have != nil {
			edits = append(edits, Edit[*row]{have, true})
			delete(model, key)
		}
		if comes > 0 && (have == nil || comes == 2) {
			model[key] = &row{key, step}
			edits = append(edits, Edit[*row]{model[key], false})
		}
	}
	return edits
}

func sorted(model map[int]*row) (out []*row) {
	for _, r := range model {
		out = append(out, r)
	}
	slices.SortFunc(out, byKey)
	return out
}

func check(t *rapid.T, list List[*row], want []*row, keys int) {
	if got := slices.Collect(list.All()); !slices.Equal(got, want) || list.Len() != len(want) ||
		!slices.Equal(list.Slice(), want) {
		t.Fatalf("%d rows (Len %d), want %d", len(got), list.Len(), len(want))
	}
	for _, piece := range list.pieces {
		if len(piece) == 0 || len(piece) > most {
			t.Fatalf("a piece of %d", len(piece))
		}
	}
	if few := 8 * (len(want)/most + 2); len(list.pieces) > few {
		t.Fatalf("%d rows in %d pieces", len(want), len(list.pieces))
	}
	for key := -1; key <= keys; key += 1 + keys/50 {
		got, ok := list.Find(func(r *row) int { return cmp.Compare(r.key, key) })
		at, there := slices.BinarySearchFunc(want, key, func(r *row, k int) int { return cmp.Compare(r.key, k) })
		if ok != there || (at == len(want)) != (got == nil) || at < len(want) && got != want[at] {
			t.Fatalf("found %v, %t for %d", got, ok, key)
		}
	}
}

// TestShared counts what one change of a long list copies: a piece and the list of pieces.
func TestShared(t *testing.T) {
	var rows []*row
	for i := range 100_000 {
		rows = append(rows, &row{i, 0})
	}
	list := Of(rows...)
	next := list.With([]Edit[*row]{{rows[777], true}, {&row{777, 1}, false}}, byKey)
	other := 0
	for i, piece := range next.pieces {
		if &piece[0] != &list.pieces[i][0] {
			other++
		}
	}
	if other != 1 {
		t.Errorf("%d of %d pieces are other ones", other, len(next.pieces))
	}
	compared := 0
	gone, came := Differ(list, next, func(a, b *row) int {
		compared++
		return byKey(a, b)
	})
	if len(gone) != 1 || len(came) != 1 || compared != 1 {
		t.Errorf("%d gone, %d came, %d compared", len(gone), len(came), compared)
	}
}
