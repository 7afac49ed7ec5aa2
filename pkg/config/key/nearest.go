package key

import "strings"

// nearest returns the name in a table that a mistyped one was probably meant to
// be; nothing if none is near. Names in the same group go first, then a key of that
// very name in another group.
func nearest(name, group string, table []Key) string {
	best, least := "", max(1, len(name)/3)+1
	for _, k := range table {
		rest, ok := strings.CutPrefix(k.Name, group)
		if !ok {
			continue
		}
		sibling, _, _ := strings.Cut(strings.TrimPrefix(rest, "."), ".")
		if d := distance(name, sibling); d < least {
			best, least = sibling, d
		}
	}
	if best != "" {
		return best
	}
	for _, k := range table {
		if k.Name[strings.LastIndexByte(k.Name, '.')+1:] == name || strings.ReplaceAll(k.Name, ".", "_") == name {
			return k.Name
		}
	}
	return ""
}

// distance is the number of letters to insert, delete or replace, that of
// Levenshtein. Names longer than any key are far from all of them.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
