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

// JSON renders a value as one flat object: kind, key, the value's own fields,
// why, and line, the value as a printed plan shows it. It is the form of `desired -o json`.
func JSON(v Value, why []Source) (json.RawMessage, error) {
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
	// Three objects become one: only the first brace and the last stay.
	parts := [][]byte{bytes.TrimSuffix(head, []byte("}")), bytes.Trim(body, "{}"), bytes.TrimPrefix(tail, []byte("{"))}
	return bytes.Join(parts, []byte(",")), nil
}

// Phrases prints sources one by one.
func Phrases(why []Source) []string {
	out := make([]string, len(why))
	for i, s := range why {
		out[i] = s.String()
	}
	return out
}
