package object

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Parse reads one line as Text prints it. It is the inverse of Text for every
// value without a secret.
func Parse(line string) (Value, error) {
	f := &fields{words: strings.Fields(line)}
	word := f.word()
	for _, kind := range table {
		if kind.name != word {
			continue
		}
		v, err := kind.parse(f)
		if err != nil {
			return nil, fmt.Errorf("parse %q: %w", line, err)
		}
		return v, nil
	}
	return nil, fmt.Errorf("parse %q: unknown kind %q", line, word)
}

// ParseKey reads a key as Key.Text prints it.
func ParseKey(text string) (Key, error) {
	f := &fields{words: strings.Fields(text)}
	word := f.word()
	for _, kind := range table {
		if kind.name != word {
			continue
		}
		k := kind.readKey(f)
		if err := f.end(); err != nil {
			return Key{}, fmt.Errorf("parse key %q: %w", text, err)
		}
		k.Kind = kind.kind
		return k, nil
	}
	return Key{}, fmt.Errorf("parse key %q: unknown kind %q", text, word)
}

// fields reads the words of a line from left to right and keeps the first
// error, so that a kind's parser is a list of what it expects.
type fields struct {
	words []string
	err   error
}

func (f *fields) more() bool { return f.err == nil && len(f.words) > 0 }

func (f *fields) word() string {
	if f.err != nil {
		return ""
	}
	if len(f.words) == 0 {
		f.err = fmt.Errorf("the line ends too early")
		return ""
	}
	w := f.words[0]
	f.words = f.words[1:]
	return w
}

func (f *fields) literal(want string) {
	if got := f.word(); f.err == nil && got != want {
		f.err = fmt.Errorf("got %q, want %q", got, want)
	}
}

func (f *fields) wordAfter(label string) string {
	f.literal(label)
	return f.word()
}

func (f *fields) oneOf(words ...string) string {
	got := f.word()
	for _, w := range words {
		if got == w {
			return got
		}
	}
	if f.err == nil {
		f.err = fmt.Errorf("got %q, want one of %v", got, words)
	}
	return ""
}

func (f *fields) number(bits int) uint64 {
	w := f.word()
	if f.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(w, 0, bits)
	if err != nil {
		f.err = fmt.Errorf("%q is not a number of %d bits", w, bits)
	}
	return n
}

func (f *fields) numberAfter(label string, bits int) uint64 {
	f.literal(label)
	return f.number(bits)
}

func (f *fields) uint32After(label string) uint32 { return uint32(f.numberAfter(label, 32)) }

func (f *fields) addr() netip.Addr {
	w := f.word()
	if f.err != nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(w)
	if err != nil {
		f.err = err
	}
	return a
}

func (f *fields) prefix() netip.Prefix {
	w := f.word()
	if f.err != nil {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(w)
	if err != nil {
		f.err = err
	}
	return p
}

// host reads an address as a host prefix.
func (f *fields) host() netip.Prefix {
	a := f.addr()
	if f.err != nil {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

func (f *fields) mac() MAC {
	w := f.word()
	if f.err != nil {
		return MAC{}
	}
	m, err := ParseMAC(w)
	if err != nil {
		f.err = err
	}
	return m
}

func (f *fields) origin() Origin {
	switch f.oneOf("igp", "egp", "incomplete") {
	case "egp":
		return OriginEGP
	case "incomplete":
		return OriginIncomplete
	default:
		return OriginIGP
	}
}

func (f *fields) rest() string {
	r := strings.Join(f.words, " ")
	f.words = nil
	return r
}

func (f *fields) unknown(w string) error { return fmt.Errorf("unexpected word %q", w) }

// end demands that nothing is left over.
func (f *fields) end() error {
	if f.err == nil && len(f.words) > 0 {
		return f.unknown(f.words[0])
	}
	return f.err
}
