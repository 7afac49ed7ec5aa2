package key

import "strings"

// nearest returns the name in a table that a mistyped one was probably meant to
// be; nothing if none is near. Names in the same group go first, then a key of that
// very name in another group.
func nearest(name, group string, table []Key) string {
	var siblings []string
	for _, k := range table {
		if rest, ok := strings.CutPrefix(k.Name, group); ok {
			sibling, _, _ := strings.Cut(strings.TrimPrefix(rest, "."), ".")
			siblings = append(siblings, sibling)
		}
	}
	if best := Closest(name, siblings); best != "" {
		return best
	}
	for _, k := range table {
		if k.Name[strings.LastIndexByte(k.Name, '.')+1:] == name || strings.ReplaceAll(k.Name, ".", "_") == name {
			return k.Name
		}
	}
	return ""
}

// Closest returns the one of some names that a mistyped one was probably meant to be; empty
// if none is near.
func Closest(name string, names []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, n := range names {
		if max(len(name)-len(n), len(n)-len(name)) >= least {
			continue
		}
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace, or swap with their
// neighbour.
func distance(a, b string) int {
	before := make([]int, len(b)+1) // of two letters less of a, once there are as many
	above := make([]int, len(b)+1)  // of one letter less
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := above[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
