package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escaped goes on with a string whose first backslash is buf[i]. It copies,
// because what was decoded is shorter than what was read.
func (d *Decoder) escaped(i int) []byte {
	d.long = append(d.long[:0], d.buf[d.r:i]...)
	d.r = i
	high := byte(utf8.RuneSelf)
	for d.err == nil {
		switch c := d.next(); {
		case d.err != nil:
		case c == '"':
			return d.checked(d.long, high)
		case c == '\\':
			d.unescape()
		case c < ' ':
			d.Fail("control character in a string")
		case len(d.long) > MaxString:
			d.Fail("a string of more than %d bytes", MaxString)
		default:
			d.long = append(d.long, c)
		}
	}
	return nil
}

// next consumes a byte, white space or not.
func (d *Decoder) next() byte {
	if d.r == d.w && !d.fill() {
		return 0
	}
	d.r++
	return d.buf[d.r-1]
}

// unescape decodes what follows a backslash (RFC 8259 section 7).
func (d *Decoder) unescape() {
	const from, to = "\"\\/bfnrt", "\"\\/\b\f\n\r\t"
	c := d.next()
	if c == 'u' {
		d.unicode()
		return
	}
	for i := range len(from) {
		if from[i] == c {
			d.long = append(d.long, to[i])
			return
		}
	}
	d.Fail("bad escape in a string")
}

// unicode decodes the digits of \uXXXX. Half a surrogate pair becomes U+FFFD,
// as in encoding/json.
func (d *Decoder) unicode() {
	r := d.hex4()
	for utf16.IsSurrogate(r) {
		if d.next() != '\\' {
			d.unread()
			break
		}
		if c := d.next(); c != 'u' {
			d.long = utf8.AppendRune(d.long, utf8.RuneError)
			d.unread()
			d.unescape()
			return
		}
		low := d.hex4()
		if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
			d.long = utf8.AppendRune(d.long, both)
			return
		}
		d.long = utf8.AppendRune(d.long, utf8.RuneError)
		r = low
	}
	d.long = utf8.AppendRune(d.long, r)
}

// unread gives back the byte that next returned; fill leaves it in the buffer
// because it is the last one consumed.
func (d *Decoder) unread() {
	if d.err == nil {
		d.r--
	}
}

// hex4 reads the four digits of an escape.
func (d *Decoder) hex4() rune {
	var r rune
	for range 4 {
		n, ok := nibble(d.next())
		if !ok {
			d.Fail("bad \\u escape in a string")
			return utf8.RuneError
		}
		r = r<<4 | rune(n)
	}
	return r
}

// nibble is the value of a hexadecimal digit; UUIDs are read with it, too.
func nibble(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
