package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// An entry of the ledger, as it is stored since version 3:
//
//	1 octet   the version, 3; an entry of an older one begins with a brace (textentry.go)
//	texts     the value as it is printed in a plan, the cause, the prior value or nothing
//	varint    since when, in nanoseconds since 1970
//	list      of reasons: driver, rule, table, row, what it lists, and 1 octet, 1 if it decides
//	3 lists   of keys as texts: needs, shared needs, what it keeps
//	4 octets  CRC-32C of all before, most significant octet first
//
// A text is its length as an unsigned varint and its octets, a list is the number of its elements
// as one and they. bbolt has no checksum for what it stores, and an entry of which one bit
// is another may claim an object of others. A first round writes 100,000 of them, and JSON took
// most of its time.
const entryVersion = 3

// encoder encodes the entries of one transaction. Lists of keys that many entries
// share are printed once.
type encoder struct {
	lists map[*object.Key]encodedList
	buf   []byte
	// room is what is left of the memory from which entries are cut, and asked how much of it was asked
	// for last.
	room  []byte
	asked int
}

// An encoder asks for little memory at first, as one address more needs, and for as much as some hundred
// entries take in the end.
const leastRoom, mostRoom = 1 << 10, 64 << 10

type encodedList struct {
	length int
	raw    []byte
}

func newEncoder() *encoder { return &encoder{lists: map[*object.Key]encodedList{}} }

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns the entry as it is stored.
func (c *encoder) encode(e Entry) []byte {
	b := append(c.buf[:0], entryVersion)
	b = appendText(b, object.Text(e.Value))
	b = appendText(b, string(e.Cause))
	prior := ""
	if e.Prior != nil {
		prior = object.Text(e.Prior)
	}
	b = appendText(b, prior)
	b = binary.AppendVarint(b, e.Since.UnixNano())
	b = binary.AppendUvarint(b, uint64(len(e.Why)))
	for _, s := range e.Why {
		for _, text := range [...]string{s.Driver, s.Rule, s.Table, s.Row, string(s.Lists)} {
			b = appendText(b, text)
		}
		decides := byte(0)
		if s.Decides {
			decides = 1
		}
		b = append(b, decides)
	}
	for _, list := range [...][]object.Key{e.Relations.After, e.Relations.Shared, e.Relations.Keeps} {
		b = c.appendKeys(b, list)
	}
	b = appendSum(b)
	c.buf = b
	return c.keep(b)
}

// keep copies an entry to where it stays: bbolt has it until the transaction ends.
func (c *encoder) keep(b []byte) []byte {
	if len(b) > leastRoom {
		return bytes.Clone(b)
	}
	if len(b) > len(c.room) {
		c.asked = min(max(2*c.asked, leastRoom), mostRoom)
		c.room = make([]byte, c.asked)
	}
	n := copy(c.room, b)
	out := c.room[:n:n]
	c.room = c.room[n:]
	return out
}

func appendSum(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (c *encoder) appendKeys(b []byte, list []object.Key) []byte {
	if len(list) == 0 {
		return append(b, 0)
	}
	have, ok := c.lists[&list[0]]
	if !ok || have.length != len(list) {
		raw := binary.AppendUvarint(nil, uint64(len(list)))
		for _, k := range list {
			raw = appendText(raw, k.Text())
		}
		have = encodedList{len(list), raw}
		c.lists[&list[0]] = have
	}
	return append(b, have.raw...)
}

// decoder decodes the entries of one file. Equal texts and lists of keys become one in
// memory, as they were when they were written.
type decoder struct {
	texts map[string]string
	keys  map[string]object.Key
	lists map[string][]object.Key
}

func newDecoder() *decoder {
	return &decoder{map[string]string{}, map[string]object.Key{}, map[string][]object.Key{}}
}

var (
	errSum   = errors.New("its checksum is wrong")
	errShort = errors.New("it ends too early")
	errLong  = errors.New("it goes on behind its end")
)

// decode is the inverse of encode, and reads what earlier versions wrote.
func (c *decoder) decode(raw []byte) (Entry, error) {
	switch {
	case len(raw) > 0 && raw[0] == '{':
		return c.decodeOld(raw)
	case len(raw) < 5 || raw[0] != entryVersion:
		return Entry{}, fmt.Errorf("it is not an entry of version %d or an older one", entryVersion)
	case crc32.Checksum(raw[:len(raw)-4], castagnoli) != binary.BigEndian.Uint32(raw[len(raw)-4:]):
		return Entry{}, errSum
	}
	r := reader{raw[1 : len(raw)-4], nil}
	line, cause, prior, since := r.text(), r.text(), r.text(), r.varint()
	e := Entry{Cause: plan.Cause(c.text(cause)), Since: time.Unix(0, since).UTC()}
	for range r.count(6) {
		var s object.Source
		for _, into := range [...]*string{&s.Driver, &s.Rule, &s.Table, &s.Row, (*string)(&s.Lists)} {
			*into = c.text(r.text())
		}
		s.Decides = r.octet() == 1
		e.Why = append(e.Why, s)
	}
	for _, into := range [...]*[]object.Key{&e.Relations.After, &e.Relations.Shared, &e.Relations.Keeps} {
		var err error
		if *into, err = c.list(r.list()); err != nil {
			return Entry{}, err
		}
	}
	switch {
	case r.err != nil:
		return Entry{}, r.err
	case len(r.rest) > 0:
		return Entry{}, errLong
	}
	var err error
	if e.Value, err = object.Parse(string(line)); err != nil {
		return Entry{}, err
	}
	if len(prior) > 0 {
		e.Prior, err = object.Parse(string(prior))
	}
	return e, err
}

// text is one that is kept, such as the name of a row, which several entries have.
func (c *decoder) text(raw []byte) string {
	s, ok := c.texts[string(raw)]
	if !ok {
		s = string(raw)
		c.texts[s] = s
	}
	return s
}

// list makes a list of keys of one that is stored.
func (c *decoder) list(raw []byte) ([]object.Key, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if have, ok := c.lists[string(raw)]; ok {
		return have, nil
	}
	r := reader{raw, nil}
	var list []object.Key
	for range r.count(1) {
		k, err := c.key(string(r.text()))
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	c.lists[string(raw)] = list
	return list, r.err
}

func (c *decoder) key(text string) (object.Key, error) {
	k, ok := c.keys[text]
	if !ok {
		var err error
		if k, err = object.ParseKey(text); err != nil {
			return k, err
		}
		c.keys[text] = k
	}
	return k, nil
}

// reader takes an entry apart. After an error everything is empty.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail() {
	r.rest, r.err = nil, errShort
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) octet() byte {
	if len(r.rest) == 0 {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// count is the number of elements of a list, of which each has that many octets at least: more
// than there is room for is none.
func (r *reader) count(least int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/least) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) text() []byte {
	n := r.count(1)
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

// list is a list of texts as it is stored.
func (r *reader) list() []byte {
	from := r.rest
	for range r.count(1) {
		r.text()
	}
	return from[:len(from)-len(r.rest)]
}
