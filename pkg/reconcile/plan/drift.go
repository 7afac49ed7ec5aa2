package plan

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// How is what became of an object without our doing.
type How string

// The ways of drift.
const (
	HowDeleted     How = "deleted"      // it is there no more
	HowChanged     How = "changed"      // it is there, and not as we wrote it
	HowForeignMark How = "foreign-mark" // it is there with the mark of another owner, or none
	HowAdded       How = "added"        // something with our mark is there that we have not made
	HowOverridden  How = "overridden"   // it is there as we wrote it, and what another owner has wins over it
)

// Hows are all ways of drift.
func Hows() []How { return []How{HowDeleted, HowChanged, HowForeignMark, HowAdded, HowOverridden} }

// Drift says how reality moved away from what was written.
type Drift struct {
	How How `json:"how"`
	// Fields are what differs of an object that was changed.
	Fields []Difference `json:"fields"`
	// By is who did it, such as "ip[1234]" or "the kernel"; empty if that is not known.
	By string `json:"by,omitempty"`
}

// Difference is one field of an object, as it was found and as it is wanted.
type Difference struct {
	// Field is its name in JSON; "found" stands for what no field expresses.
	Field  string `json:"field"`
	Found  string `json:"found"`
	Wanted string `json:"wanted"`
}

// String is the drift as one phrase: "changed: dev fabric0 -> br-ex; by ip[1234]".
func (d Drift) String() string {
	s := string(d.How)
	for i, f := range d.Fields {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		s += sep + f.Field + " " + f.Found
		if f.Wanted != "" {
			s += " -> " + f.Wanted
		}
	}
	if d.By != "" {
		s += ", by " + d.By
	}
	return s
}

// DriftOf says how reality moved, of a step that mends that. Of a replacement, the half
// that makes the object anew tells.
func DriftOf(o Op) *Drift {
	d := &Drift{Fields: []Difference{}}
	switch {
	case o.Note == NoteReplaced && o.After == nil:
		return nil
	case o.Before != nil && o.After != nil:
		if d.How, d.Fields = HowChanged, differences(o.Before, o.After); o.Reclaim && o.Key().HasMark() {
			d.How = HowForeignMark
		}
		if what, ok := strings.CutPrefix(o.Note, NoteFound); ok {
			d.Fields = append(d.Fields, Difference{Field: "found", Found: what})
		}
	case o.Note == NoteReplaced:
		d.How = HowChanged
	case o.After != nil:
		d.How = HowDeleted
	default:
		d.How = HowAdded
	}
	return d
}

// differences are the fields of the JSON form in which two values differ, sorted.
func differences(found, wanted object.Value) []Difference {
	out := []Difference{}
	if found == wanted {
		return out
	}
	a, b := fieldsOf(found), fieldsOf(wanted)
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a[name] != b[name] {
			out = append(out, Difference{name, a[name], b[name]})
		}
	}
	return out
}

// fieldsOf are the fields of a value as text.
func fieldsOf(v object.Value) map[string]string {
	out := map[string]string{}
	raw, err := json.Marshal(v)
	if err != nil {
		return out // what cannot be encoded has no fields to tell of
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return out
	}
	for name, value := range fields {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		out[name] = text
	}
	return out
}
