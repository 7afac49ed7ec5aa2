package wire

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// emptySet is an optional column that has no value (RFC 7047 section 5.1).
const emptySet = `["set",[]]`

// appendString writes s as JSON, without escaping what HTML would mind.
func appendString(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return append(out, quoted(s)...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

// quoted is the form of a string with characters that need escapes.
func quoted(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string always has a form
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// appendReference writes ["uuid", "..."].
func appendReference[U ~[16]byte](out []byte, u U) []byte {
	out = append(out, `["uuid","`...)
	out = append(out, UUID(u).String()...)
	return append(out, `"]`...)
}

// appendSet writes the canonical form: a single element is written without a set.
func appendSet[E any](out []byte, set []E, one func([]byte, E) []byte) []byte {
	if len(set) == 1 {
		return one(out, set[0])
	}
	out = append(out, `["set",[`...)
	for i, e := range set {
		if i > 0 {
			out = append(out, ',')
		}
		out = one(out, e)
	}
	return append(out, `]]`...)
}

// appendMap writes the pairs sorted by key: equal rows make equal files.
func appendMap(out []byte, m map[string]string) []byte {
	out = append(out, `["map",[`...)
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '[')
		out = appendString(out, k)
		out = append(out, ',')
		out = appendString(out, m[k])
		out = append(out, ']')
	}
	return append(out, `]]`...)
}
