package wire

import (
	"fmt"
	"slices"
	"strconv"
)

// String reads a string.
func (d *Decoder) String() string {
	if d.peek() != '"' {
		d.wrong("a string")
		return ""
	}
	return d.names.get(d.text())
}

// Int reads an integer.
func (d *Decoder) Int() int {
	c := d.peek()
	if c != '-' && (c < '0' || c > '9') {
		d.wrong("an integer")
		return 0
	}
	word := d.scalar()
	n, err := strconv.Atoi(string(word))
	if err != nil && d.err == nil && d.bad == nil {
		d.bad = fmt.Errorf("%s is not an integer", clip(word))
	}
	return n
}

// Bool reads a boolean.
func (d *Decoder) Bool() bool {
	if c := d.peek(); c != 't' && c != 'f' {
		d.wrong("a boolean")
		return false
	}
	return string(d.scalar()) == "true"
}

// IsNull reports whether the next value is null; it does not read it.
func (d *Decoder) IsNull() bool { return d.peek() == 'n' }

// Kind is the first byte of the next value.
func (d *Decoder) Kind() byte { return d.peek() }

// Next and End read arrays of a fixed length: Next before each element, End
// behind the last.
func (d *Decoder) Next() bool {
	if d.More() {
		return true
	}
	if d.bad == nil && d.err == nil {
		d.bad = fmt.Errorf("an array that is too short")
	}
	return false
}

// End leaves the array; see Next.
func (d *Decoder) End() {
	if d.More() {
		d.Skip()
		d.bad = fmt.Errorf("an array that is too long")
	}
}

// tag enters ["set", ...] and its like, behind the comma.
func (d *Decoder) tag() string {
	if !d.Open('[') || !d.Next() {
		return ""
	}
	if d.peek() != '"' {
		d.wrong(`"set", "map" or "uuid"`)
		return ""
	}
	var tag string
	switch word := d.text(); string(word) {
	case "set":
		tag = "set"
	case "map":
		tag = "map"
	case "uuid":
		tag = "uuid"
	default:
		if d.err == nil {
			d.bad = fmt.Errorf(`%q where "set", "map" or "uuid" was expected`, clip(word))
		}
		return ""
	}
	if !d.Next() {
		return ""
	}
	return tag
}

// expect enters an array with one tag and notes any other as of the wrong type.
func (d *Decoder) expect(tag string) bool {
	have := d.tag()
	if have == tag {
		return true
	}
	if d.bad == nil && d.err == nil {
		d.wrong(fmt.Sprintf("[%q, ...] instead of [%q, ...]", tag, have))
	}
	return false
}

// set calls one for each element of a set of atoms that are not UUIDs; one
// element may be written without ["set", [...]] (RFC 7047 section 5.1).
func (d *Decoder) set(one func()) {
	if d.peek() != '[' {
		one()
		return
	}
	if !d.expect("set") {
		return
	}
	for d.Open('['); d.More(); {
		one()
	}
	d.End()
}

// optional is set for a column of at most one element.
func (d *Decoder) optional(one func()) {
	n := 0
	d.set(func() {
		one()
		n++
	})
	if n > 1 && d.bad == nil {
		d.bad = fmt.Errorf("a set of %d where at most one element was expected", n)
	}
}

// Strings reads a set of strings, sorted.
func (d *Decoder) Strings() []string {
	var out []string
	d.set(func() { out = append(out, d.String()) })
	slices.Sort(out)
	return slices.Compact(out)
}

// Ints reads a set of integers, in the order of the text.
func (d *Decoder) Ints() []int {
	var out []int
	d.set(func() { out = append(out, d.Int()) })
	return out
}

// ReadUUIDs reads a set of UUIDs, sorted.
func ReadUUIDs[U ~[16]byte](d *Decoder) []U {
	var out []U
	switch tag := d.tag(); tag {
	case "uuid":
		out = append(out, U(d.uuid()))
	case "set":
		for d.Open('['); d.More(); {
			if d.expect("uuid") {
				out = append(out, U(d.uuid()))
				d.End()
			}
		}
	case "map":
		d.wrong("a set of UUIDs")
	}
	d.End()
	slices.SortFunc(out, compareUUID)
	return slices.Compact(out)
}

// readUUID reads a set of at most one UUID; zero is none.
func readUUID[U ~[16]byte](d *Decoder) U {
	var out U
	n := 0
	switch tag := d.tag(); tag {
	case "uuid":
		out = U(d.uuid())
	case "set":
		for d.Open('['); d.More(); n++ {
			if d.expect("uuid") {
				out = U(d.uuid())
				d.End()
			}
		}
	case "map":
		d.wrong("a UUID")
	}
	d.End()
	if n > 1 && d.bad == nil {
		d.bad = fmt.Errorf("%d UUIDs where at most one was expected", n)
	}
	return out
}

// uuid reads the string of ["uuid", "..."].
func (d *Decoder) uuid() UUID {
	if d.peek() != '"' {
		d.wrong("a UUID")
		return UUID{}
	}
	text := d.text()
	u, ok := parseUUID(text)
	if !ok && d.err == nil && d.bad == nil {
		d.bad = fmt.Errorf("%q is not a UUID", clip(text))
	}
	return u
}

// pair is an entry of a map, before the map is made or found.
type pair struct{ key, value string }

// entries reads the pairs of a map of strings; valid until the next call.
func (d *Decoder) entries() []pair {
	d.pairs = d.pairs[:0]
	if !d.expect("map") {
		return nil
	}
	for d.Open('['); d.More(); {
		if !d.Open('[') || !d.Next() {
			break
		}
		key := d.String()
		d.Next()
		d.pairs = append(d.pairs, pair{key, d.String()})
		d.End()
	}
	d.End()
	return d.pairs
}

// Map reads a map of strings; nil if it is empty.
func (d *Decoder) Map() map[string]string { return d.names.share(d.entries()) }
