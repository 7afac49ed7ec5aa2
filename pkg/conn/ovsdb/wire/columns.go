package wire

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
)

// kind is the type of a column as far as reading goes.
type kind string

// The kinds are the words of RFC 7047 section 3.2, and map for any map: all that are
// read have strings for keys and values.
const (
	kindString kind = "string"
	kindInt    kind = "integer"
	kindBool   kind = "boolean"
	kindUUID   kind = "uuid"
	kindMap    kind = "map"
)

// Column knows one column of a table, of whose rows R is the pointer: the code of all pointers is in the program
// once.
type Column[R any] struct {
	name string
	kind kind
	// read replaces the value.
	read func(d *Decoder, row R)
	// diff applies a difference to it; nil for a column of at most one element,
	// whose difference is the value (ovsdb-server(7), "Update Notification").
	// Neither may change what row's slices and maps point to.
	diff  func(d *Decoder, row R)
	same  func(a, b R) bool
	write func(out []byte, row R) []byte
}

// scalar makes a column of a comparable field.
func scalar[R any, F comparable](name string, k kind, at func(R) *F,
	read func(*Decoder) F, write func([]byte, F) []byte,
) Column[R] {
	return Column[R]{
		name: name, kind: k,
		read:  func(d *Decoder, row R) { *at(row) = read(d) },
		same:  func(a, b R) bool { return *at(a) == *at(b) },
		write: func(out []byte, row R) []byte { return write(out, *at(row)) },
	}
}

// Text is a column of at most one string; empty and absent are the same.
func Text[R any](name string, at func(R) *string) Column[R] {
	return scalar(name, kindString, at, func(d *Decoder) (s string) {
		d.optional(func() { s = d.String() })
		return s
	}, appendString)
}

// Address is a column of one string that is an IP address.
func Address[R any](name string, at func(R) *netip.Addr) Column[R] {
	read := func(d *Decoder) (a netip.Addr) {
		d.optional(func() {
			s := d.String()
			var err error
			if a, err = netip.ParseAddr(s); err != nil && d.bad == nil {
				d.bad = fmt.Errorf("%q is not an address", s)
			}
		})
		return a
	}
	return scalar(name, kindString, at, read, func(out []byte, a netip.Addr) []byte {
		return appendString(out, a.String())
	})
}

// Integer is a column of one integer.
func Integer[R any](name string, at func(R) *int) Column[R] {
	return scalar(name, kindInt, at, func(d *Decoder) (n int) {
		d.optional(func() { n = d.Int() })
		return n
	}, func(out []byte, n int) []byte { return strconv.AppendInt(out, int64(n), 10) })
}

// maxVLAN fits the 12 bits of a VLAN tag (IEEE 802.1Q).
const maxVLAN = 4095

// VLAN is a column of at most one VLAN id; 0 is none.
func VLAN[R any](name string, at func(R) *uint16) Column[R] {
	return scalar(name, kindInt, at, func(d *Decoder) (tag uint16) {
		d.optional(func() {
			n := d.Int()
			if (n < 0 || n > maxVLAN) && d.bad == nil {
				d.bad = fmt.Errorf("%d is not a VLAN id", n)
			}
			tag = uint16(n)
		})
		return tag
	}, func(out []byte, tag uint16) []byte {
		if tag == 0 {
			return append(out, emptySet...)
		}
		return strconv.AppendInt(out, int64(tag), 10)
	})
}

// IsFalse is a column of at most one boolean, of which only "present and false"
// is kept.
func IsFalse[R any](name string, at func(R) *bool) Column[R] {
	return scalar(name, kindBool, at, func(d *Decoder) (is bool) {
		d.optional(func() { is = !d.Bool() })
		return is
	}, func(out []byte, is bool) []byte { return strconv.AppendBool(out, !is) })
}

// Reference is a column of at most one UUID; zero is none.
func Reference[R any, U ~[16]byte](name string, at func(R) *U) Column[R] {
	return scalar(name, kindUUID, at, readUUID[U], func(out []byte, u U) []byte {
		var none U
		if u == none {
			return append(out, emptySet...)
		}
		return appendReference(out, u)
	})
}

// References is a column of any number of UUIDs, which are kept sorted.
func References[R any, U ~[16]byte](name string, at func(R) *[]U) Column[R] {
	return Column[R]{
		name: name, kind: kindUUID,
		read:  func(d *Decoder, row R) { *at(row) = ReadUUIDs[U](d) },
		diff:  func(d *Decoder, row R) { *at(row) = symmetric(*at(row), ReadUUIDs[U](d), compareUUID) },
		same:  func(a, b R) bool { return slices.Equal(*at(a), *at(b)) },
		write: func(out []byte, row R) []byte { return appendSet(out, *at(row), appendReference) },
	}
}

// Texts is a column of any number of strings.
func Texts[R any](name string, at func(R) *[]string) Column[R] {
	return Column[R]{
		name: name, kind: kindString,
		read:  func(d *Decoder, row R) { *at(row) = d.Strings() },
		diff:  func(d *Decoder, row R) { *at(row) = d.stringsDiff(*at(row)) },
		same:  func(a, b R) bool { return slices.Equal(*at(a), *at(b)) },
		write: func(out []byte, row R) []byte { return appendSet(out, *at(row), appendString) },
	}
}

// WrittenAs is the column with another way of writing it: for rows that were not
// read from a database and have no text of it.
func (c Column[R]) WrittenAs(texts func(R) []string) Column[R] {
	c.write = func(out []byte, row R) []byte { return appendSet(out, texts(row), appendString) }
	return c
}

// Mapping is a column of pairs of strings.
func Mapping[R any](name string, at func(R) *map[string]string) Column[R] {
	return Column[R]{
		name: name, kind: kindMap,
		read:  func(d *Decoder, row R) { *at(row) = d.Map() },
		diff:  func(d *Decoder, row R) { *at(row) = d.mapDiff(*at(row)) },
		same:  func(a, b R) bool { return maps.Equal(*at(a), *at(b)) },
		write: func(out []byte, row R) []byte { return appendMap(out, *at(row)) },
	}
}

// columnError is what is wrong with one column of a row.
type columnError struct {
	column string
	err    error
}

// Error reads "column mac: ...".
func (e *columnError) Error() string { return "column " + e.column + ": " + e.err.Error() }
func (e *columnError) Unwrap() error { return e.err }
