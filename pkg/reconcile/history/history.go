// Package history is the form in which steps are remembered: what was done, when, why, to
// what, and how it went. The state file keeps it, the control socket answers with it,
// and commands print it.
//
// Package state stores it and package view prints it. Everything here is pure; times are
// given.
//
// Read next: [Of], then filter.go.
package history

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Outcome is how a step went.
type Outcome string

// The outcomes.
const (
	OK       Outcome = "ok"
	Failed   Outcome = "failed"
	NotTried Outcome = "not-tried" // what it needs failed first
	// Seen is a drift that no step mends, or none may for now; Error says why.
	Seen Outcome = "seen"
)

// Step is one step that was taken.
type Step struct {
	// Round numbers the record that has the step. It only grows; [Filter.After] takes it.
	Round uint64    `json:"round"`
	At    time.Time `json:"at"`
	// Seconds is how long it took to apply the plan that the step is of.
	Seconds float64    `json:"seconds"`
	Cause   plan.Cause `json:"cause"`
	// Verb is empty of a drift that was seen and not repaired.
	Verb string `json:"verb"`
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Before and After are what may change under the key, as a plan prints it; null where
	// there was or is nothing.
	Before *string `json:"before"`
	After  *string `json:"after"`
	// Row is the row that decided; null if none did. Rows are all that led to the object,
	// at most mostRows of them.
	Row  *RowRef  `json:"row"`
	Rows []RowRef `json:"rows"`
	// From and To are the chassis between which an address moved, one of them "here";
	// empty where no row names the other one.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Drift says what of reality moved and by whom; null unless the step mended that.
	Drift   *plan.Drift `json:"drift"`
	Note    string      `json:"note,omitempty"`
	Outcome Outcome     `json:"outcome"`
	Error   string      `json:"error,omitempty"`
	// Prefix is the address or prefix of the object; null if it has none.
	Prefix *netip.Prefix `json:"prefix"`
	// Line is the step as an older program recorded it, which recorded no more.
	Line string `json:"line,omitempty"`
}

// RowRef names a row of a database.
type RowRef struct {
	Table string `json:"table"`
	// Name is what people call it, or its UUID.
	Name string `json:"name"`
}

// String is table and name.
func (r RowRef) String() string { return strings.TrimSpace(r.Table + " " + r.Name) }

// rowOf reads the text of a reference; nil if there is none.
func rowOf(text string) *RowRef {
	if text == "" {
		return nil
	}
	table, name, _ := strings.Cut(text, " ")
	return &RowRef{Table: table, Name: shorten(name)}
}

// UnmarshalJSON also reads the text that older programs recorded.
func (r *RowRef) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		r.Table, r.Name, _ = strings.Cut(text, " ")
		return nil
	}
	type fields RowRef // without this method
	return json.Unmarshal(raw, (*fields)(r))
}

// What is kept of lists and texts that others can make long.
const (
	mostRows  = 4
	longest   = 400
	truncated = " ..."
)

// Of is a step of a plan with its outcome, without number and times.
func Of(op plan.Op, outcome error) Step {
	k := op.Key()
	s := Step{
		Cause: op.Cause, Verb: op.Verb.String(), Kind: k.Kind.String(), Key: shorten(k.String()),
		Before: attrs(op.Before), After: attrs(op.After), Rows: []RowRef{}, From: op.From, To: op.To,
		Drift: op.Drift, Note: shorten(op.Note), Outcome: OK, Row: rowOf(op.Row),
	}
	if k.Prefix.IsValid() {
		s.Prefix = &k.Prefix
	}
	for _, src := range op.Why {
		row := RowRef{Table: src.Table, Name: shorten(src.Row)}
		if src.Decides && s.Row == nil {
			s.Row = &row
		}
		if len(s.Rows) < mostRows {
			s.Rows = append(s.Rows, row)
		}
	}
	if s.Row == nil && len(s.Rows) > 0 {
		s.Row = &s.Rows[0]
	}
	if outcome != nil {
		s.Outcome, s.Error = Failed, shorten(outcome.Error())
		if strings.HasPrefix(s.Error, "not tried") {
			s.Outcome = NotTried
		}
	}
	return s
}

// SeenOf is a drift that no step mends, as it is remembered.
func SeenOf(n plan.Note, d plan.Drift) Step {
	s := Of(plan.Op{After: n.Value, Why: n.Why, Cause: plan.CauseDrift, Drift: &d}, nil)
	s.Verb, s.After, s.Outcome, s.Error = "", nil, Seen, shorten(n.Block.Text)
	return s
}

func attrs(v object.Value) *string {
	if v == nil {
		return nil
	}
	text := shorten(v.Attrs())
	return &text
}

// shorten cuts a long text off, and says how long it was.
func shorten(s string) string {
	if len(s) <= longest {
		return s
	}
	return fmt.Sprintf("%s%s (%d octets in all)", head(s), truncated, len(s))
}

// head is as much as is kept of a long text.
func head(s string) string { return strings.ToValidUTF8(s[:longest], "") }

// Key is the key of an object as steps have it: a long one is cut off.
func Key(key string) string { return shorten(key) }

// SameText reports whether an attribute text of a step, of which the end may be missing, is
// that of an object.
func SameText(step, whole string) bool {
	// Earlier programs did not record how long a text was.
	return step == shorten(whole) || len(whole) > longest && step == head(whole)+truncated
}

// Here stands for this node in [Step.From] and [Step.To].
const Here = "here"

// Moves reports whether the step tells that an address moved.
func (s Step) Moves() bool { return s.From != "" && s.To != "" }

// Object is kind and key.
func (s Step) Object() string { return s.Kind + " " + s.Key }
