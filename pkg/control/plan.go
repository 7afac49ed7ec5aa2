package control

import (
	"encoding/json"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Plan is the answer to what would be done: steps in the order in which they
// would be applied, then what stays undone, and why.
type Plan struct {
	Version int    `json:"version"`
	Ops     []Step `json:"ops"`
	Notes   []Note `json:"notes"`
	// Names is what people call the rows that lines and sources mention by UUID.
	Names map[string]string `json:"names"`
	// Counts counts steps and notes; Summary is the same for people.
	Counts  PlanCounts `json:"counts"`
	Summary string     `json:"summary"`
}

// PlanCounts counts what a plan has to do.
type PlanCounts struct {
	Create int `json:"create"`
	Update int `json:"update"`
	Delete int `json:"delete"`
	// Blocked are those that must wait, or that are held; Filtered what policy keeps from
	// being announced; Drained what is withdrawn because the node is drained; Unmanaged what
	// is left to others.
	Blocked   int `json:"blocked"`
	Filtered  int `json:"filtered"`
	Drained   int `json:"drained"`
	Unmanaged int `json:"unmanaged"`
}

// Step is one change. Before is null for a create, After for a delete.
type Step struct {
	Verb   string          `json:"verb"`
	Kind   string          `json:"kind"`
	Key    string          `json:"key"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
	// Needs are steps of the same plan that must succeed first.
	Needs []ObjectRef `json:"needs"`
	// Why are the rows that led to the object.
	Why  []object.Source `json:"why"`
	Note string          `json:"note,omitempty"`
	// Cause says why the step is taken, Drift what of reality moved and by whom: null
	// unless the step mends that.
	Cause plan.Cause  `json:"cause,omitempty"`
	Drift *plan.Drift `json:"drift"`
	// Line is the step as a printed plan shows it.
	Line string `json:"line"`
}

// ObjectRef names an object.
type ObjectRef struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

// Note is something that differs from what is desired and that no step will mend
// now.
type Note struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Code is stable and meant for scripts; docs/glossary.md has all of them.
	Code string `json:"code"`
	Text string `json:"text"`
	// Why are the rows that led to the object.
	Why []object.Source `json:"why"`
	// Intentional says that the configuration asks for it: it is no trouble.
	Intentional bool `json:"intentional"`
	// Line is the note as a printed plan shows it.
	Line string `json:"line"`
}

// Differs reports whether there is anything to do, or anything wrong that no
// step will mend.
func (p Plan) Differs() bool {
	if len(p.Ops) > 0 {
		return true
	}
	for _, n := range p.Notes {
		if !n.Intentional {
			return true
		}
	}
	return false
}

// PlanOf is a computed plan as an answer. An error means that a value cannot be
// encoded, which only a mistake in its type can cause.
func PlanOf(p plan.Plan) (Plan, error) {
	out := Plan{
		Version: Version, Ops: make([]Step, len(p.Ops)), Notes: make([]Note, len(p.Notes)), Summary: p.Summary(),
		Counts: PlanCounts(p.Counts()), Names: map[string]string{},
	}
	for i, op := range p.Ops {
		s := Step{
			Verb: op.Verb.String(), Kind: op.Key().Kind.String(), Key: op.Key().String(),
			Needs: make([]ObjectRef, len(op.Needs)), Why: append([]object.Source{}, op.Why...), Note: op.Note, Line: op.String(),
			Cause: op.Cause, Drift: op.Drift,
		}
		for n, k := range op.Needs {
			s.Needs[n] = ObjectRef{Kind: k.Kind.String(), Key: k.String()}
		}
		var err error
		if s.Before, err = valueJSON(op.Before); err != nil {
			return Plan{}, err
		}
		if s.After, err = valueJSON(op.After); err != nil {
			return Plan{}, err
		}
		out.Ops[i] = s
	}
	for i, n := range p.Notes {
		out.Notes[i] = NoteOf(n)
	}
	return out, nil
}

// NoteOf is what no step will mend as an answer.
func NoteOf(n plan.Note) Note {
	return Note{
		Kind: n.Key.Kind.String(), Key: n.Key.String(), Code: n.Block.Code, Text: n.Block.Text,
		Why: append([]object.Source{}, n.Why...), Intentional: n.Intentional(), Line: n.String(),
	}
}

func valueJSON(v object.Value) (json.RawMessage, error) {
	if v == nil {
		return json.RawMessage("null"), nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", v.Key().Text(), err)
	}
	return raw, nil
}
