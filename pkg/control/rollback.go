package control

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// Rollback is what undoing the steps of a round would be, or was, and which of it would not last:
// what is desired follows from the rows and the configuration alone.
type Rollback struct {
	Version int       `json:"version"`
	Round   uint64    `json:"round"`
	At      time.Time `json:"at"`
	// Steps are those of the round, the last one first, as they would be undone.
	Steps []Undo `json:"steps"`
	// Stand counts the steps that are not undone: rows or the configuration want them, or
	// nothing wants what they deleted.
	Stand int `json:"stand"`
	// Names is what people call the rows that steps mention by UUID.
	Names map[string]string `json:"names"`
}

// UndoState says what has become of a step.
type UndoState string

// What has become of a step.
const (
	// UndoWanted is a step that would be taken again at once.
	UndoWanted UndoState = "wanted"
	// UndoUnwanted is an object that was deleted and that nothing wants.
	UndoUnwanted UndoState = "unwanted"
	// UndoSuperseded is an object that is desired with other attributes since.
	UndoSuperseded UndoState = "superseded"
	// UndoDone is a step of which the opposite is what is desired now.
	UndoDone UndoState = "undone"
	// UndoBlocked is an object that is desired and kept back.
	UndoBlocked UndoState = "blocked"
	// UndoMade is an object that nothing wants and that was made again by command, and
	// UndoFailed one that could not be.
	UndoMade   UndoState = "made-again"
	UndoFailed UndoState = "failed"
	// UndoNever is a step that had no effect: it failed, or was only seen.
	UndoNever UndoState = "no-effect"
)

// Undo is one step, what undoing it would be, and what has become of it.
type Undo struct {
	Step history.Step `json:"step"`
	// Line is the opposite of the step as a plan prints it; empty if it had no effect.
	Line  string    `json:"line,omitempty"`
	State UndoState `json:"state"`
	Text  string    `json:"text"`
	// again is the object that can be made again; nil if none can.
	again object.Value
}

// Again are the objects of the steps that can be made again, and the indexes of these in Steps.
func (r Rollback) Again() (values []object.Value, index []int) {
	for i, u := range r.Steps {
		if u.again != nil {
			values, index = append(values, u.again), append(index, i)
		}
	}
	return values, index
}

// Failed reports whether an object could not be made again.
func (r Rollback) Failed() bool {
	return slices.ContainsFunc(r.Steps, func(u Undo) bool { return u.State == UndoFailed })
}

// Made notes what became of the step with an index when its object was to be made again.
func (r *Rollback) Made(index int, err error) {
	u := &r.Steps[index]
	if u.again = nil; err != nil {
		u.State, u.Text = UndoFailed, err.Error()
		return
	}
	r.Stand--
	u.State = UndoMade
	u.Text = "made again; that nothing wants it waits for you: bgp-ovn plan"
}

// ParseRound reads the number of a round.
func ParseRound(text string) (uint64, error) {
	round, err := strconv.ParseUint(text, 10, 64)
	if err != nil || round == 0 {
		return 0, fmt.Errorf("rollback %.40q: give the number of a round; bgp-ovn rollback lists them", text)
	}
	return round, nil
}

// RollbackOf holds the steps of a round of the history against what is desired now.
func RollbackOf(h History, round uint64, d Desired) (Rollback, error) {
	out := Rollback{Version: Version, Round: round, Steps: []Undo{}, Names: h.Names}
	if out.Names == nil {
		out.Names = map[string]string{}
	}
	want, blocked := map[ObjectRef]string{}, map[ObjectRef]string{}
	for _, o := range d.Objects {
		ref, line := o.ref()
		attrs := strings.TrimPrefix(strings.TrimPrefix(line, ref.Kind+" "+ref.Key), "  ")
		ref.Key = history.Key(ref.Key)
		want[ref] = attrs
	}
	for _, s := range d.Skipped {
		if s.Kind != "" {
			blocked[ObjectRef{Kind: s.Kind, Key: history.Key(s.Key)}] = s.Text
		}
	}
	for i := len(h.Steps) - 1; i >= 0; i-- {
		s := h.Steps[i]
		if s.Round != round {
			continue
		}
		u := undoOf(s, want, blocked)
		if u.State == UndoWanted || u.State == UndoUnwanted {
			out.Stand++
		}
		out.At, out.Steps = s.At, append(out.Steps, u)
	}
	if len(out.Steps) == 0 {
		return out, fmt.Errorf("no round %d in the history: bgp-ovn rollback lists those that there are", round)
	}
	return out, nil
}

// undoOf judges one step.
func undoOf(s history.Step, want, blocked map[ObjectRef]string) Undo {
	u := Undo{Step: s, State: UndoNever, Text: "it had no effect"}
	if s.Outcome != history.OK || s.Before == nil && s.After == nil {
		return u
	}
	ref := ObjectRef{Kind: s.Kind, Key: s.Key}
	now, wanted := want[ref]
	why, kept := blocked[ref]
	by := "the configuration"
	if s.Row != nil {
		by = s.Row.String()
	}
	u.Line = opposite(s)
	switch {
	case kept:
		u.State, u.Text = UndoBlocked, "it is desired and kept back: "+why
	case s.After == nil && wanted:
		u.State, u.Text = UndoDone, "it is desired again"
	case s.After == nil:
		u.State = UndoUnwanted
		var why string
		if u.again, why = againOf(s); why == "" {
			why = "where changes are reviewed, it is made again and stays"
		}
		u.Text = "nothing wants it any more; " + why
	case !wanted:
		u.State, u.Text = UndoDone, "nothing wants it any more"
	case history.SameText(*s.After, now):
		u.State = UndoWanted
		u.Text = by + " wants it: it would be taken again at once. Change that instead"
	case s.Before != nil && history.SameText(*s.Before, now):
		u.State, u.Text = UndoDone, "what was before is desired again"
	default:
		u.State, u.Text = UndoSuperseded, "it is desired otherwise since: "+now
	}
	return u
}

// againOf reads the object that a step deleted, or says why it cannot be made again.
func againOf(s history.Step) (object.Value, string) {
	line := s.Object() + "  " + *s.Before
	v, err := object.Parse(line)
	if err != nil || strings.TrimRight(object.Text(v), " ") != strings.TrimRight(line, " ") {
		return nil, "its value is not remembered in full"
	}
	if why := reconcile.NotAgain(v.Key().Kind); why != "" {
		return nil, why
	}
	return v, ""
}

// opposite is what undoing a step would be, as a plan prints it.
func opposite(s history.Step) string {
	switch {
	case s.Before == nil:
		return "- " + s.Object()
	case s.After == nil:
		return "+ " + s.Object() + "  " + *s.Before
	default:
		return "~ " + s.Object() + "  " + *s.After + " -> " + *s.Before
	}
}
