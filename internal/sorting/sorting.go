// Package sorting sorts lists as package slices does, by code that is in the program once.
//
// Of slices.SortFunc there is a copy of ten functions for every type that is sorted, more than
// a megabyte in all. This is for lists that are short, or sorted seldom; where each round sorts
// as many elements as there are objects, slices takes half the time.
package sorting

import "sort"

// Sort sorts a list by a comparison, like slices.SortFunc. Of elements that are equal to it, any
// may come first, and always the same one.
func Sort[E any](list []E, compare func(a, b E) int) {
	sort.Slice(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}

// Stable sorts a list by a comparison and leaves equal elements as they are, like
// slices.SortStableFunc.
func Stable[E any](list []E, compare func(a, b E) int) {
	sort.SliceStable(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}
