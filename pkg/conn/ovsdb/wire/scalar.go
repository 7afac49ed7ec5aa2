package wire

import (
	"errors"
	"fmt"
	"io"
)

// Skip reads over one value of any type; it must be JSON all the same.
func (d *Decoder) Skip() {
	switch d.peek() {
	case '{':
		for d.Open('{'); d.More(); {
			d.Key()
			d.Skip()
		}
	case '[':
		for d.Open('['); d.More(); {
			d.Skip()
		}
	case '"':
		d.text()
	default:
		d.scalar()
	}
}

// scalar reads a number, true, false or null; valid until the next call.
func (d *Decoder) scalar() []byte {
	if c := d.peek(); d.err == nil && !begins(c) {
		d.Fail("%s where a value was expected", show(c))
	}
	n := 0
	for {
		for d.r+n < d.w && !ends(d.buf[d.r+n]) {
			n++
		}
		if d.err != nil || d.r+n < d.w || !d.room(n) {
			break
		}
	}
	if len(d.stack) == 0 && n > 0 && errors.Is(d.err, io.ErrUnexpectedEOF) {
		d.err = nil // outside of any container the end of the text ends a number
	}
	word := d.buf[d.r : d.r+n]
	if d.err != nil {
		return nil
	}
	if !isLiteral(word) && !isNumber(word) {
		d.Fail("%q is not a value", clip(word))
		return nil
	}
	d.r += n
	return word
}

// begins reports whether a number or literal may begin so.
func begins(c byte) bool {
	return c == '-' || c >= '0' && c <= '9' || c == 't' || c == 'f' || c == 'n'
}

// ends reports whether a number or literal ends before the character.
func ends(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', ',', ':', ']', '}', '[', '{', '"':
		return true
	}
	return false
}

// isLiteral knows the three words of JSON.
func isLiteral(w []byte) bool {
	return string(w) == "true" || string(w) == "false" || string(w) == "null"
}

// isNumber checks the grammar of RFC 8259 section 6.
func isNumber(w []byte) bool {
	if len(w) > 0 && w[0] == '-' {
		w = w[1:]
	}
	whole := digits(w)
	if whole == 0 || whole > 1 && w[0] == '0' {
		return false
	}
	w = w[whole:]
	if len(w) > 0 && w[0] == '.' {
		n := digits(w[1:])
		if n == 0 {
			return false
		}
		w = w[1+n:]
	}
	if len(w) > 0 && w[0]|0x20 == 'e' {
		w = w[1:]
		if len(w) > 0 && (w[0] == '+' || w[0] == '-') {
			w = w[1:]
		}
		n := digits(w)
		return n > 0 && n == len(w)
	}
	return len(w) == 0
}

// digits counts the digits at the beginning.
func digits(w []byte) int {
	n := 0
	for n < len(w) && w[n] >= '0' && w[n] <= '9' {
		n++
	}
	return n
}

// clip shortens what is quoted in an error: a value may have megabytes.
func clip(w []byte) []byte {
	if len(w) > 40 {
		return w[:40]
	}
	return w
}

// wrong notes that the next value is not what was asked for, and skips it.
func (d *Decoder) wrong(want string) {
	if d.bad != nil || d.err != nil {
		return
	}
	have := d.describe()
	d.Skip()
	d.bad = fmt.Errorf("%s where %s was expected", have, want)
}

// describe names the type of the next value, for errors.
func (d *Decoder) describe() string {
	switch c := d.peek(); c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

// Depth is how many containers are open; for Recover.
func (d *Decoder) Depth() int { return len(d.stack) }

// Recover leaves the containers that a value of the wrong type left open, down
// to depth, and returns what was wrong; nil if nothing was.
func (d *Decoder) Recover(depth int) error {
	bad := d.bad
	d.bad = nil
	for len(d.stack) > depth && d.err == nil {
		object := d.stack[len(d.stack)-1] == '}'
		for inside := len(d.stack); len(d.stack) == inside && d.More(); {
			if object {
				d.Key()
			}
			d.Skip()
		}
	}
	return bad
}
