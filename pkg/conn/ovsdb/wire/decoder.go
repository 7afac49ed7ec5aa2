// Package wire reads the JSON of OVSDB (RFC 7047 section 5.1) as a stream and
// turns it into the rows of package observe. The session of package sb and the
// snapshot files of package file share it.
//
// It exists because a first synchronisation of 100,000 Port_Bindings is some
// 80 MB of JSON: nothing of that text may stay in memory, nothing may be parsed
// twice, and strings that every row repeats are kept once. It refuses to know
// about connections, methods and files.
//
// Read next: database.go for how the tables that are read are declared, store.go
// for how updates become a new set of rows.
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// The limits are far above what OVN has, and bound what a broken server can cost.
const (
	bufferSize = 128 << 10
	// MaxString bounds one string, in octets: the longest of OVN, which lists the
	// addresses of a port, have some kilobytes.
	MaxString = 16 << 20
	// MaxRaw bounds a value that is kept as text: a schema has less than 100 kB.
	MaxRaw   = 64 << 20
	maxDepth = 64
)

// SyntaxError is the place where the text stopped being JSON as OVSDB writes it.
type SyntaxError struct {
	Line   int
	Offset int64
	Msg    string
}

// Error reads "line 3 (byte 120): ...".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d (byte %d): %s", e.Line, e.Offset, e.Msg)
}

// Decoder reads JSON values one after the other. An error sticks: every later
// call returns a zero value, so callers check Err once, at the end.
//
// There are two kinds of errors. What is not JSON, or ends early, is fatal
// (Err). A value of another type than asked for is not: it is noted, the rest
// of that value is skipped by Recover, and reading goes on behind it.
type Decoder struct {
	src   io.Reader
	buf   []byte
	r, w  int   // buf[r:w] has been read from src but not decoded
	base  int64 // offset of buf[0] in the stream
	line  int   // line breaks before buf[0]
	stack []byte
	first bool  // the container was just opened
	end   int64 // offset behind which the value may not reach; 0 for none
	limit int64 // what Bound was given, for the error
	err   error // fatal
	bad   error // wrong type

	long  []byte // a string that has escapes, decoded
	pairs []pair
	names interner
}

// NewDecoder reads from src, through a buffer of its own.
func NewDecoder(src io.Reader) *Decoder {
	return &Decoder{src: src, buf: make([]byte, bufferSize), line: 1}
}

// Bound fails with a [SizeError] what reaches more than limit octets behind the
// current position, until it is called again; 0 is no bound. At most one string is
// read beyond it.
func (d *Decoder) Bound(limit int64) {
	d.limit, d.end = limit, 0
	if limit > 0 {
		d.end = d.Offset() + limit
	}
}

// SizeError says that a value is larger than it may be.
type SizeError struct {
	// Limit is how many octets it may have.
	Limit int64
}

// Error reads "more than 1048576 octets".
func (e *SizeError) Error() string { return fmt.Sprintf("more than %d octets", e.Limit) }

// Err is the error that ended decoding; io.EOF between two values.
func (d *Decoder) Err() error { return d.err }

// Offset is how many bytes have been decoded.
func (d *Decoder) Offset() int64 { return d.base + int64(d.r) }

// Line is the 1-based line of the next byte.
func (d *Decoder) Line() int { return d.line + bytes.Count(d.buf[:d.r], []byte{'\n'}) }

// Fail ends decoding with an error at the current position, unless there is
// one already.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err = &SyntaxError{Line: d.Line(), Offset: d.Offset(), Msg: fmt.Sprintf(format, args...)}
	}
}

// fill reads more behind buf[r:w]; buf[r] becomes buf[0].
func (d *Decoder) fill() bool {
	if d.err != nil {
		return false
	}
	if d.end > 0 && d.Offset() > d.end {
		d.err = &SizeError{d.limit}
		return false
	}
	d.slide()
	for range 100 {
		n, err := d.src.Read(d.buf[d.w:])
		d.w += n
		if n > 0 {
			return true
		}
		if err != nil {
			d.err = d.atEnd(err)
			return false
		}
	}
	d.err = io.ErrNoProgress
	return false
}

// slide makes room behind the bytes that are not decoded, or doubles the buffer where
// one string fills it.
func (d *Decoder) slide() {
	d.line += bytes.Count(d.buf[:d.r], []byte{'\n'})
	d.base += int64(d.r)
	d.w = copy(d.buf, d.buf[d.r:d.w])
	d.r = 0
	if d.w < len(d.buf) {
		return
	}
	bigger := make([]byte, 2*len(d.buf))
	copy(bigger, d.buf)
	d.buf = bigger
}

// atEnd distinguishes the end of the stream between two values from one inside.
func (d *Decoder) atEnd(err error) error {
	if errors.Is(err, io.EOF) && (len(d.stack) > 0 || d.w > d.r) {
		return fmt.Errorf("line %d (byte %d): %w", d.Line(), d.base+int64(d.w), io.ErrUnexpectedEOF)
	}
	return err
}

// peek returns the next byte that is not white space, and 0 after an error.
func (d *Decoder) peek() byte {
	for d.err == nil {
		for d.r < d.w {
			switch c := d.buf[d.r]; c {
			case ' ', '\t', '\n', '\r':
				d.r++
			default:
				return c
			}
		}
		d.fill()
	}
	return 0
}

// Wait blocks until a value begins; false at the end of the stream.
func (d *Decoder) Wait() bool { return d.peek() != 0 || d.err == nil }

// Open enters an array or object: '[' or '{'.
func (d *Decoder) Open(kind byte) bool {
	if d.peek() != kind {
		d.wrong(map[byte]string{'[': "an array", '{': "an object"}[kind])
		return false
	}
	if len(d.stack) == maxDepth {
		d.Fail("nested too deeply")
		return false
	}
	d.r++
	d.stack = append(d.stack, kind+2) // '[' and ']', '{' and '}' are two apart
	d.first = true
	return true
}

// More reports whether the innermost container has another value, and leaves
// the container if not. It is false after any error.
func (d *Decoder) More() bool {
	if d.bad != nil || d.err != nil || len(d.stack) == 0 {
		return false
	}
	c := d.peek()
	if c == d.stack[len(d.stack)-1] {
		d.r++
		d.stack = d.stack[:len(d.stack)-1]
		d.first = false
		return false
	}
	if d.first {
		d.first = false
		return d.err == nil
	}
	if c != ',' {
		d.Fail("%s where ',' or %q was expected", show(c), d.stack[len(d.stack)-1])
		return false
	}
	d.r++
	return true
}

// Key reads the name of the next member of an object; valid until the next
// call.
func (d *Decoder) Key() []byte {
	if c := d.peek(); c != '"' {
		d.Fail("%s where a member's name was expected", show(c))
		return nil
	}
	name := d.text()
	if d.err != nil {
		return nil
	}
	if d.r < d.w && d.buf[d.r] == ':' {
		d.r++
		return name
	}
	name = append([]byte(nil), name...) // peek may move the buffer
	if c := d.peek(); c != ':' {
		d.Fail("%s where ':' was expected", show(c))
		return nil
	}
	d.r++
	return name
}

// show quotes a character for an error.
func show(c byte) string {
	if c == 0 {
		return "the end"
	}
	return fmt.Sprintf("%q", c)
}

// text reads a string, whose '"' is next; valid until the next call.
func (d *Decoder) text() []byte {
	d.r++
	high := byte(0)
	for i := d.r; ; {
		for i < d.w {
			switch c := d.buf[i]; {
			case c == '"':
				s := d.buf[d.r:i]
				d.r = i + 1
				return d.checked(s, high)
			case c == '\\':
				return d.escaped(i)
			case c < ' ':
				d.Fail("control character in a string")
				return nil
			default:
				high |= c
				i++
			}
		}
		n := i - d.r
		if !d.room(n) {
			return nil
		}
		i = n
	}
}

// room reads more of a string of which n bytes are there.
func (d *Decoder) room(n int) bool {
	if d.end > 0 && d.Offset()+int64(n) > d.end && d.err == nil {
		d.err = &SizeError{d.limit}
		return false
	}
	if n > MaxString {
		d.Fail("a string of more than %d bytes", MaxString)
		return false
	}
	return d.fill()
}

// checked refuses what is not UTF-8 (RFC 8259 section 8.1); high is the "or"
// of all bytes, because almost every string is ASCII.
func (d *Decoder) checked(s []byte, high byte) []byte {
	if high >= utf8.RuneSelf && !utf8.Valid(s) {
		d.Fail("a string that is not UTF-8")
		return nil
	}
	return s
}
