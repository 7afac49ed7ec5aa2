package control

import (
	"encoding/json"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Desired is the answer to what a node should have.
type Desired struct {
	Version int    `json:"version"`
	Chassis string `json:"chassis"`
	// Objects are in dependency order. Paths that must wait or are kept back are among
	// them, with their block, so that what is missing at the neighbours can be seen.
	Objects []Object `json:"objects"`
	// Skipped are objects that must wait, then rows that could not be used.
	Skipped []Skipped `json:"skipped"`
	// Names is what people call the rows that lines and sources mention by UUID.
	Names map[string]string `json:"names"`
}

// Object is one desired object: a flat JSON object with its kind, key, the
// fields of the kind, why and line.
type Object struct{ raw json.RawMessage }

// MarshalJSON is the object as it is.
func (o Object) MarshalJSON() ([]byte, error) { return o.raw, nil }

// UnmarshalJSON is the inverse of MarshalJSON.
func (o *Object) UnmarshalJSON(raw []byte) error {
	o.raw = append(json.RawMessage(nil), raw...)
	return nil
}

// Blocked reports whether the object must wait or is kept back: it is listed among those
// that are skipped as well.
func (o Object) Blocked() bool {
	var v struct {
		Block *object.BlockJSON `json:"block"`
	}
	return json.Unmarshal(o.raw, &v) == nil && v.Block != nil
}

// Line is the object as a printed plan shows it, with the first row that led to
// it.
func (o Object) Line() string {
	var v struct {
		Line string          `json:"line"`
		Why  []object.Source `json:"why"`
	}
	if json.Unmarshal(o.raw, &v) != nil {
		return string(o.raw) // a newer form; better than nothing
	}
	if len(v.Why) > 0 {
		v.Line += "  # " + v.Why[0].String()
	}
	return v.Line
}

// ref names the object, with its line without the row that led to it.
func (o Object) ref() (ObjectRef, string) {
	var v struct {
		ObjectRef
		Line string `json:"line"`
	}
	_ = json.Unmarshal(o.raw, &v) // a newer form names nothing
	return v.ObjectRef, v.Line
}

// Skipped is a row that could not be used or an object that must wait.
type Skipped struct {
	Table string `json:"table,omitempty"`
	Row   string `json:"row,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Key   string `json:"key,omitempty"`
	// Code is stable and meant for scripts; docs/glossary.md has all of them.
	Code string `json:"code"`
	Text string `json:"text"`
}

// Line is what is skipped and why, for people.
func (s Skipped) Line() string {
	what := s.Kind + " " + s.Key + "  "
	switch {
	case s.Kind == "" && s.Table == "":
		what = ""
	case s.Kind == "":
		what = s.Table + " " + s.Row + ": "
	}
	return what + s.Code + ": " + s.Text
}

func skippedOf(s observe.Skip) Skipped {
	return Skipped{Table: s.Table, Row: s.Row, Code: s.Code, Text: s.Text}
}

// DesiredOf is a desired set, and the rows of which nothing could be made, as an
// answer.
func DesiredOf(chassis string, want object.Set, skips []observe.Skip) (Desired, error) {
	out := Desired{
		Version: Version, Chassis: chassis, Objects: []Object{}, Skipped: []Skipped{}, Names: map[string]string{},
	}
	for _, it := range want.Sorted() {
		k := it.Value.Key()
		if it.Block != nil {
			out.Skipped = append(out.Skipped, Skipped{
				Kind: k.Kind.String(), Key: k.String(), Code: it.Block.Code, Text: it.Block.Text,
			})
			if !k.Kind.IsPath() {
				continue
			}
		}
		raw, err := object.JSON(it)
		if err != nil {
			return Desired{}, err
		}
		out.Objects = append(out.Objects, Object{raw})
	}
	for _, s := range skips {
		out.Skipped = append(out.Skipped, skippedOf(s))
	}
	return out, nil
}
