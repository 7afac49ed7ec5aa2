package object

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MarshalText is String for JSON.
func (w Words) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// JSON renders a value as one flat object: kind, key, the value's own fields
// and why. It is the form of `desired -o json`.
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
		Why []string `json:"why"`
	}{Phrases(why)})
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
