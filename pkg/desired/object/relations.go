package object

import "slices"

// Relations are the keys of what an item needs and keeps, as they are recorded with
// it in the ledger. What its value depends on by itself is not among them.
type Relations struct {
	// After, Shared and Keeps are those of [Item].
	After, Shared, Keeps []Key
}

// Relations returns those of the item.
func (it Item) Relations() Relations { return Relations{it.After, it.Shared, it.Keeps} }

// WithRelations returns the item with these relations.
func (it Item) WithRelations(r Relations) Item {
	it.After, it.Shared, it.Keeps = r.After, r.Shared, r.Keeps
	return it
}

// Equal reports whether both say the same, in whatever order and however the needs
// are divided between After and Shared.
func (r Relations) Equal(o Relations) bool {
	if slices.Equal(r.After, o.After) && sameSlice(r.Shared, o.Shared) && sameSlice(r.Keeps, o.Keeps) {
		return true
	}
	return sameKeys(slices.Concat(r.After, r.Shared), slices.Concat(o.After, o.Shared)) && sameKeys(r.Keeps, o.Keeps)
}

// sameSlice compares slices that usually are the very same.
func sameSlice(a, b []Key) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

func sameKeys(a, b []Key) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, Key.Compare)
	slices.SortFunc(b, Key.Compare)
	return slices.Equal(a, b)
}

// Stays yields what must stay for as long as v does, given what is recorded or
// wanted with it: all that it needs, all that it keeps, and the value that comes and
// goes with it.
func Stays(v Value, r Relations) []Key {
	out := slices.Concat(v.DependsOn(), r.Shared, r.After, r.Keeps)
	if pair, ok := PairOf(v); ok {
		out = append(out, pair)
	}
	return out
}
