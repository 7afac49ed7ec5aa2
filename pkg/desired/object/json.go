package object

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// MarshalText is String for JSON.
func (w Words) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText is the inverse of MarshalText; blanks are an error.
func (w *Words) UnmarshalText(b []byte) error {
	if bytes.ContainsAny(b, " \t\r\n") {
		return fmt.Errorf("%q is not a list of words with commas", b)
	}
	list := slices.DeleteFunc(strings.Split(string(b), ","), func(s string) bool { return s == "" })
	*w = WordsOf(list...)
	return nil
}

// UnmarshalText is the inverse of MarshalText.
func (m *MAC) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMAC(string(b))
	return err
}

// UnmarshalText is the inverse of MarshalText; an unknown word is an error.
func (o *Origin) UnmarshalText(b []byte) error {
	for _, known := range []Origin{OriginIGP, OriginEGP, OriginIncomplete} {
		if known.String() == string(b) {
			*o = known
			return nil
		}
	}
	return fmt.Errorf("unknown origin %q: use igp, egp or incomplete", b)
}

// UnmarshalText is the inverse of MarshalText.
func (f *Family) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFamily(string(b))
	return err
}

// UnmarshalText is the inverse of MarshalText.
func (n *NextHop) UnmarshalText(b []byte) (err error) {
	*n = NextHop{}
	if string(b) != "self" {
		n.Addr, err = netip.ParseAddr(string(b))
	}
	return err
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (m *Metric) UnmarshalJSON(b []byte) error {
	*m = Metric{}
	if string(b) == "null" {
		return nil
	}
	v, err := strconv.ParseUint(string(b), 10, 32)
	if err != nil {
		return fmt.Errorf("metric %s: use a number of 32 bits", b)
	}
	*m = MetricOf(uint32(v))
	return nil
}

// BlockJSON is why a wanted path is not announced, as JSON shows it.
type BlockJSON struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Detailed is implemented by values that JSON shows in more detail than their fields.
type Detailed interface {
	Value
	// Details is a struct, or nil if there is nothing to add.
	Details() any
}

// JSON renders an item as one flat object: kind, key, the value's own fields, of a path
// its block (null if it has none), why, and line, the value as a printed plan shows it.
// It is the form of `desired -o json`.
func JSON(it Item) (json.RawMessage, error) {
	v, why := it.Value, it.Why
	head, err := json.Marshal(struct {
		Kind Kind   `json:"kind"`
		Key  string `json:"key"`
	}{v.Key().Kind, v.Key().String()})
	if err != nil {
		return nil, fmt.Errorf("encode key of %s: %w", v.Key().Text(), err)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", v.Key().Text(), err)
	}
	tail, err := json.Marshal(struct {
		Why  []Source `json:"why"`
		Line string   `json:"line"`
	}{append([]Source{}, why...), Text(v)})
	if err != nil {
		return nil, fmt.Errorf("encode sources of %s: %w", v.Key().Text(), err)
	}
	more, err := details(it)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", v.Key().Text(), err)
	}
	// Several objects become one: only the first brace and the last stay.
	parts := [][]byte{bytes.TrimSuffix(head, []byte("}")), inner(body)}
	parts = append(parts, more...)
	return bytes.Join(append(parts, bytes.TrimPrefix(tail, []byte("{"))), []byte(",")), nil
}

// inner is an object without its braces.
func inner(object []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimPrefix(object, []byte("{")), []byte("}"))
}

// details are the fields of an item beside those of its value.
func details(it Item) (out [][]byte, err error) {
	add := func(v any) {
		var raw []byte
		if err == nil {
			raw, err = json.Marshal(v)
			out = append(out, inner(raw))
		}
	}
	if d, ok := it.Value.(Detailed); ok {
		if more := d.Details(); more != nil {
			add(more)
		}
	}
	if it.Value.Key().Kind.IsPath() {
		var block *BlockJSON
		if it.Block != nil {
			block = &BlockJSON{it.Block.Code, it.Block.Text}
		}
		add(struct {
			Block *BlockJSON `json:"block"`
		}{block})
	}
	return out, err
}

// Phrases prints sources one by one.
func Phrases(why []Source) []string {
	out := make([]string, len(why))
	for i, s := range why {
		out[i] = s.String()
	}
	return out
}
