package plan

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// String prints the plan as the dry run shows it: one line a step, then what
// stays undone and why, then the counts.
func (p Plan) String() string {
	var b strings.Builder
	for _, op := range p.Ops {
		b.WriteString(op.String())
		b.WriteByte('\n')
	}
	for _, n := range p.Notes {
		b.WriteString(n.String())
		b.WriteByte('\n')
	}
	b.WriteString(p.Summary())
	b.WriteByte('\n')
	return b.String()
}

// Summary is the last line of a printed plan.
func (p Plan) Summary() string {
	c := p.Counts()
	s := fmt.Sprintf("%d to create, %d to update, %d to delete", c.Create, c.Update, c.Delete)
	if c.Blocked > 0 {
		s += fmt.Sprintf(", %d blocked or held", c.Blocked)
	}
	if c.Filtered > 0 {
		s += fmt.Sprintf(", %d filtered by policy", c.Filtered)
	}
	if c.Drained > 0 {
		s += fmt.Sprintf(", %d drained", c.Drained)
	}
	if c.Unmanaged > 0 {
		s += fmt.Sprintf(", %d left to others", c.Unmanaged)
	}
	return s
}

// Counts says how many steps and notes of each sort there are.
type Counts struct{ Create, Update, Delete, Blocked, Filtered, Drained, Unmanaged int }

// Counts counts steps and notes.
func (p Plan) Counts() Counts {
	c := Counts{Create: p.Count(Create), Update: p.Count(Update, Restore), Delete: p.Count(Delete)}
	for _, n := range p.Notes {
		switch n.Block.Code {
		case object.BlockUnmanaged:
			c.Unmanaged++
		case object.BlockFiltered:
			c.Filtered++
		case object.BlockDrained:
			c.Drained++
		default:
			c.Blocked++
		}
	}
	return c
}

// String prints one step.
func (o Op) String() string {
	line := fmt.Sprintf("%s %-7s %s", o.Verb.symbol(), o.Key().Kind, o.Key())
	switch attrs := o.attrs(); {
	case attrs != "":
		line += "  " + attrs
	}
	if o.Note != "" {
		line += "  (" + o.Note + ")"
	}
	return line + comment(o.Why)
}

func (o Op) attrs() string {
	switch o.Verb {
	case Create:
		return o.After.Attrs()
	case Update, Restore:
		if o.Before == nil || o.Before == o.After && strings.HasPrefix(o.Note, NoteFound) {
			return o.After.Attrs()
		}
		return o.Before.Attrs() + " -> " + o.After.Attrs()
	default:
		return ""
	}
}

// String prints one note.
func (n Note) String() string {
	text := n.Block.Text
	if n.Block.Until != "" {
		text += " (until " + n.Block.Clock() + ")"
	}
	return fmt.Sprintf("! %-7s %s  %s: %s", n.Key.Kind, n.Key, n.Block.Code, text) + comment(n.Why)
}

// comment prints the first source and how many more there are.
func comment(why []object.Source) string {
	if len(why) == 0 {
		return ""
	}
	s := "  # " + why[0].String()
	if more := len(why) - 1; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// jsonOp is the stable form of a step for scripts.
type jsonOp struct {
	Verb   Verb            `json:"verb"`
	Kind   object.Kind     `json:"kind"`
	Key    string          `json:"key"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
	Needs  []string        `json:"needs"`
	Why    []string        `json:"why"`
	Note   string          `json:"note,omitempty"`
	Cause  Cause           `json:"cause,omitempty"`
	Drift  *Drift          `json:"drift,omitempty"`
}

type jsonNote struct {
	Kind  object.Kind `json:"kind"`
	Key   string      `json:"key"`
	Code  string      `json:"code"`
	Text  string      `json:"text"`
	Until string      `json:"until,omitempty"`
	Why   []string    `json:"why"`
}

// MarshalJSON renders {"version":1,"ops":[...],"notes":[...]}.
func (p Plan) MarshalJSON() ([]byte, error) {
	out := struct {
		Version int        `json:"version"`
		Ops     []jsonOp   `json:"ops"`
		Notes   []jsonNote `json:"notes"`
	}{Version: 1, Ops: []jsonOp{}, Notes: []jsonNote{}}
	for _, op := range p.Ops {
		j := jsonOp{
			Verb: op.Verb, Kind: op.Key().Kind, Key: op.Key().String(),
			Needs: make([]string, len(op.Needs)), Why: object.Phrases(op.Why), Note: op.Note, Cause: op.Cause,
			Drift: op.Drift,
		}
		for i, k := range op.Needs {
			j.Needs[i] = k.Text()
		}
		var err error
		if j.Before, err = marshalValue(op.Before); err != nil {
			return nil, err
		}
		if j.After, err = marshalValue(op.After); err != nil {
			return nil, err
		}
		out.Ops = append(out.Ops, j)
	}
	for _, n := range p.Notes {
		out.Notes = append(out.Notes, jsonNote{
			n.Key.Kind, n.Key.String(), n.Block.Code, n.Block.Text, n.Block.Until, object.Phrases(n.Why),
		})
	}
	return json.Marshal(out)
}

func marshalValue(v object.Value) (json.RawMessage, error) {
	if v == nil {
		return json.RawMessage("null"), nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", v.Key().Text(), err)
	}
	return b, nil
}
