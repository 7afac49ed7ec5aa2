package control

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// PlanFileForm is what [PlanFile.Form] says.
const PlanFileForm = "bgp-ovn-plan"

// maxPlanFile bounds a plan file that is read: a step takes about 1 KiB.
const maxPlanFile = 1 << 28

// PlanFile is a plan as a file, for a person to read and for bgp-ovn apply to hold the node to:
// the steps, and what they were computed from.
type PlanFile struct {
	Version int `json:"version"`
	// Form tells the file from other answers.
	Form string `json:"form"`
	// Program made the plan, for the node of this chassis.
	Program string `json:"program"`
	Chassis string `json:"chassis"`
	// Summary counts the steps for people.
	Summary string `json:"summary"`
	// Digest stands for the steps: what they do to which objects, and what those are before
	// and after. A plan with the same digest has the same steps in the same order.
	Digest string   `json:"digest"`
	Base   PlanBase `json:"base"`
	// Ops are the steps in the order in which they are applied.
	Ops []Step `json:"ops"`
	// Notes are what stays undone, and why.
	Notes []Note `json:"notes"`
	// Names is what people call the rows that lines and sources mention by UUID.
	Names map[string]string `json:"names"`
}

// PlanBase is what a plan was computed from, as digests (SHA-256).
type PlanBase struct {
	// Rows is that of the rows of the databases as a file, Configuration that of the settings without
	// their passwords. That they are others tells where to look; only the steps decide.
	Rows          string `json:"rows"`
	Configuration string `json:"configuration"`
	// Objects are those that the steps change, as they are before.
	Objects []BaseObject `json:"objects"`
}

// BaseObject is an object as it is before a step.
type BaseObject struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Line is the object for people; "nothing" where there is none.
	Line string `json:"line"`
	// Digest is that of the value in compact JSON, where "null" is nothing.
	Digest string `json:"digest"`
}

// PlanFileOf makes a file of a plan, of which p is the answer. Rows are those of the databases as a file.
func PlanFileOf(ops []plan.Op, p Plan, program, chassis string, rows []byte, configuration string) PlanFile {
	f := PlanFile{
		Version: Version, Form: PlanFileForm, Program: program, Chassis: chassis, Summary: p.Summary,
		Digest: StepsDigest(p.Ops), Ops: p.Ops, Notes: p.Notes, Names: p.Names,
		Base: PlanBase{Rows: digest(rows), Configuration: configuration, Objects: []BaseObject{}},
	}
	for i, s := range p.Ops {
		o := BaseObject{Kind: s.Kind, Key: s.Key, Line: "nothing", Digest: digest(compact(s.Before))}
		if v := ops[i].Before; v != nil {
			o.Line = object.Text(v)
		}
		f.Base.Objects = append(f.Base.Objects, o)
	}
	return f
}

// StepsDigest stands for steps: equal ones have equal digests.
func StepsDigest(ops []Step) string {
	h := sha256.New()
	for _, s := range ops {
		writeStep(h, s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// writeStep writes what identifies a step, each part with its length.
func writeStep(h hash.Hash, s Step) {
	for _, part := range [][]byte{[]byte(s.Verb), []byte(s.Kind), []byte(s.Key), compact(s.Before), compact(s.After)} {
		fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// compact is JSON without blanks; what is missing is null.
func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if len(raw) == 0 || json.Compact(&b, raw) != nil {
		return []byte("null")
	}
	return b.Bytes()
}

// Write writes the file.
func (f PlanFile) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// ReadPlanFile reads a file that [PlanFile.Write] wrote. One that was changed since then is an
// error: what was reviewed is what the digest stands for.
func ReadPlanFile(r io.Reader) (PlanFile, error) {
	var f PlanFile
	raw, err := io.ReadAll(io.LimitReader(r, maxPlanFile+1))
	switch {
	case err != nil:
		return f, err
	case len(raw) > maxPlanFile:
		return f, fmt.Errorf("it has more than %d MiB", maxPlanFile>>20)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, fmt.Errorf("it is no plan of bgp-ovn plan --out: %w", err)
	}
	switch {
	case f.Form != PlanFileForm:
		return f, fmt.Errorf("it is no plan of bgp-ovn plan --out: form is %.40q, want %q", f.Form, PlanFileForm)
	case f.Version != Version:
		return f, fmt.Errorf("it has version %d; this program reads version %d", f.Version, Version)
	case f.Digest != StepsDigest(f.Ops):
		return f, fmt.Errorf("its steps are not those that it was written with; make it again by bgp-ovn plan --out")
	case len(f.Base.Objects) != len(f.Ops):
		return f, fmt.Errorf("it has %d steps and %d objects; make it again by bgp-ovn plan --out", len(f.Ops),
			len(f.Base.Objects))
	}
	for i, s := range f.Ops {
		if o := f.Base.Objects[i]; o.Kind != s.Kind || o.Key != s.Key || o.Digest != digest(compact(s.Before)) {
			return f, fmt.Errorf("%s %.200s is not in it as it was before: make it again by bgp-ovn plan --out", s.Kind, s.Key)
		}
	}
	return f, nil
}

// Applied is the answer to whether a plan was applied.
type Applied struct {
	Version int `json:"version"`
	// Applied says that it was; nothing of it was if the base had moved.
	Applied bool `json:"applied"`
	// Plan is what was applied, Failed which steps of it failed.
	Plan   Plan         `json:"plan"`
	Failed []FailedStep `json:"failed"`
	// Moved is what has moved since the plan was made.
	Moved []Moved `json:"moved"`
	// RowsMoved and ConfigurationMoved say which of its sources are others than they were.
	RowsMoved          bool `json:"rows_moved"`
	ConfigurationMoved bool `json:"configuration_moved"`
	// Now is the plan as it is now, where it was not applied. The command turns it into Moved.
	Now *PlanFile `json:"now,omitempty"`
}

// Review is what waits for an operator, where changes are reviewed.
type Review struct {
	// Waiting counts the steps, Since is when the first one began to wait; null if none does.
	Waiting int        `json:"waiting"`
	Since   *time.Time `json:"since"`
}

// Moved is an object that differs from what a plan was computed from.
type Moved struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Code says what moved: before is what the object is, wanted what is wanted of it; new is
	// an object that the plan did not touch and one made now would, needless one that it did
	// and one made now would not, waits one of which a step may not be taken now.
	Code string `json:"code"`
	// Planned and Now are what the plan had, and what there is now.
	Planned string `json:"planned"`
	Now     string `json:"now"`
}

// The codes of [Moved].
const (
	MovedBefore   = "before"
	MovedWanted   = "wanted"
	MovedNew      = "new"
	MovedNeedless = "needless"
	MovedWaits    = "waits"
)

// planIndex finds the steps and notes of a plan.
type planIndex struct {
	steps map[ObjectRef][]int
	notes map[ObjectRef]Note
	file  PlanFile
}

func indexOf(f PlanFile) planIndex {
	x := planIndex{steps: map[ObjectRef][]int{}, notes: map[ObjectRef]Note{}, file: f}
	for i, s := range f.Ops {
		ref := ObjectRef{s.Kind, s.Key}
		x.steps[ref] = append(x.steps[ref], i)
	}
	for _, n := range f.Notes {
		x.notes[ObjectRef{n.Kind, n.Key}] = n
	}
	return x
}

// like finds the same step, or else the first one of the same object; false if there is none.
func (x planIndex) like(s Step) (i int, same, ok bool) {
	of := x.steps[ObjectRef{s.Kind, s.Key}]
	for _, i := range of {
		if sameStep(s, x.file.Ops[i]) {
			return i, true, true
		}
	}
	if len(of) == 0 {
		return 0, false, false
	}
	return of[0], false, true
}

// MovedSince compares a plan with one that is made now. Wanted says what is wanted now. Plans
// with the same digest differ in nothing.
func MovedSince(f, now PlanFile, wanted Desired) []Moved {
	out := []Moved{}
	if f.Digest == now.Digest {
		return out
	}
	index, planned := indexOf(now), indexOf(f)
	want := map[ObjectRef]string{}
	for _, o := range wanted.Objects {
		ref, line := o.ref()
		want[ref] = line
	}
	for i, s := range f.Ops {
		ref := ObjectRef{s.Kind, s.Key}
		m := Moved{Kind: s.Kind, Key: s.Key, Planned: s.Line}
		at, same, there := index.like(s)
		note, waits := index.notes[ref]
		line, isWanted := want[ref]
		switch {
		case same:
			continue
		case there && f.Base.Objects[i].Digest != now.Base.Objects[at].Digest:
			m.Code, m.Planned, m.Now = MovedBefore, f.Base.Objects[i].Line, now.Base.Objects[at].Line
		case there:
			m.Code, m.Now = MovedWanted, now.Ops[at].Line
		case waits:
			m.Code, m.Now = MovedWaits, note.Line
		case isWanted:
			m.Code, m.Now = MovedNeedless, "there as it is wanted: "+line
		default:
			m.Code, m.Now = MovedNeedless, "neither wanted nor there"
		}
		out = append(out, m)
	}
	for _, s := range now.Ops {
		if _, _, ok := planned.like(s); !ok {
			out = append(out, Moved{Kind: s.Kind, Key: s.Key, Code: MovedNew, Planned: "no step", Now: s.Line})
		}
	}
	if len(out) == 0 { // the steps are the same, in another order
		out = append(out, Moved{Code: MovedWanted, Planned: "the steps in their order", Now: "the same steps in another one"})
	}
	return out
}

func sameStep(a, b Step) bool {
	return a.Verb == b.Verb && bytes.Equal(compact(a.Before), compact(b.Before)) &&
		bytes.Equal(compact(a.After), compact(b.After))
}
