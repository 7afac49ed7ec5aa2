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

// distance is the number of letters to insert, delete, replace, or swap with their
// neighbour. Names longer than any key are far from all of them.
func distance(a, b string) int {
	const longest = 64
	if len(a) >= longest || len(b) >= longest {
		return longest
	}
	var d [longest][longest]int // of the first i letters of a and j of b
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			if i == 0 || j == 0 {
				d[i][j] = i + j
				continue
			}
			replaced := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			d[i][j] = min(replaced, d[i-1][j]+1, d[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
