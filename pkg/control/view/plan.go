package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// Plan prints one line a step, then what stays undone and why, then the counts.
func Plan(w io.Writer, form Form, p control.Plan) error { return Print(w, form, p, planText(p)) }

func planText(p control.Plan) string {
	var b strings.Builder
	for _, s := range p.Ops {
		b.WriteString(s.Line + "\n")
	}
	for _, n := range p.Notes {
		b.WriteString(n.Line + "\n")
	}
	b.WriteString(p.Summary + "\n")
	return names.Relabel(b.String(), p.Names)
}

// PlanFile prints a plan that was written to a file.
func PlanFile(w io.Writer, form Form, f control.PlanFile, path string) error {
	text := planText(control.Plan{Ops: f.Ops, Notes: f.Notes, Summary: f.Summary, Names: f.Names})
	if len(f.Ops) > 0 {
		text += "apply it: bgp-ovn apply " + path + "\n"
	}
	return Print(w, form, f, text)
}

// Applied prints what was applied, or what has moved so that nothing was.
func Applied(w io.Writer, form Form, a control.Applied) error {
	var b strings.Builder
	if a.Applied {
		b.WriteString(planText(a.Plan))
		for _, f := range a.Failed {
			b.WriteString("failed: " + f.Line + "\n")
		}
		fmt.Fprintf(&b, "applied %d of %d steps\n", len(a.Plan.Ops)-len(a.Failed), len(a.Plan.Ops))
		return Print(w, form, a, b.String())
	}
	fmt.Fprintf(&b, "nothing was applied: %s moved since the plan was made\n", plural(len(a.Moved), "object"))
	for _, m := range a.Moved {
		fmt.Fprintf(&b, "  %s %s: %s\n    planned: %s\n    now:     %s\n", m.Kind, m.Key, movedText(m.Code), m.Planned, m.Now)
	}
	if a.ConfigurationMoved {
		b.WriteString("the configuration is another one than it was\n")
	}
	if a.RowsMoved {
		b.WriteString("the rows of the databases are others than they were\n")
	}
	b.WriteString("try: bgp-ovn plan --out FILE, and read it again\n")
	return Print(w, form, a, names.Relabel(b.String(), a.Plan.Names))
}

// movedText says in words what moved.
func movedText(code string) string {
	switch code {
	case control.MovedBefore:
		return "it is not as it was before"
	case control.MovedWanted:
		return "it is wanted otherwise"
	case control.MovedNew:
		return "the plan did not touch it"
	case control.MovedNeedless:
		return "the step is not needed any more"
	case control.MovedWaits:
		return "the step may not be taken now"
	default:
		return code
	}
}

// Desired prints one line an object, then what must wait or was skipped.
func Desired(w io.Writer, form Form, d control.Desired) error {
	var b strings.Builder
	for _, o := range d.Objects {
		if o.Blocked() {
			continue // among those that must wait, below
		}
		b.WriteString(o.Line() + "\n")
	}
	for _, s := range d.Skipped {
		b.WriteString("! " + s.Line() + "\n")
	}
	return Print(w, form, d, names.Relabel(b.String(), d.Names))
}

// Audit prints the drift, what differed and by whom, what of it was mended, and in the last line what the exit
// status says too.
func Audit(w io.Writer, form Form, a control.Audit) error {
	text := ""
	for _, s := range a.Drift.Ops {
		if text += s.Line + "\n"; s.Drift != nil {
			text += "    " + s.Drift.String() + "\n"
		}
	}
	text += planText(control.Plan{Notes: a.Drift.Notes, Summary: a.Drift.Summary})
	text = names.Relabel(text, a.Drift.Names)
	for _, f := range a.Failed {
		text += "failed: " + f.Line + "\n"
	}
	if a.Incomplete != "" {
		text += "incomplete: " + a.Incomplete + "; compared with what is known, and what should be removed is not\n"
	}
	result, remaining := a.Outcome()
	if n := len(a.Drift.Ops); a.Repaired {
		text += fmt.Sprintf("repaired %d of %d differences\n", n-len(a.Failed), n)
	}
	switch result {
	case control.AuditAgrees:
		text += "no drift\n"
	case control.AuditIncomplete:
		text += "no drift found\n"
	default:
		text += remain(remaining)
	}
	return Print(w, form, a, text)
}

func remain(n int) string {
	if n == 1 {
		return "1 difference remains\n"
	}
	return fmt.Sprintf("%d differences remain\n", n)
}

// Retried prints what is tried again.
func Retried(w io.Writer, form Form, r control.Retried) error {
	var b strings.Builder
	for _, o := range r.Objects {
		b.WriteString("tried again: " + o.Kind + " " + o.Key + "\n")
	}
	return Print(w, form, r, b.String())
}

// Released prints who is configured again.
func Released(w io.Writer, form Form, r control.Released) error {
	return Print(w, form, r, "released: "+r.Peer+"\n")
}

// Reload prints the keys that changed, and what a dry run would lead to.
func Reload(w io.Writer, form Form, r control.Reload) error {
	text := "nothing changed\n"
	if len(r.Changed) > 0 {
		text = "changed: " + strings.Join(r.Changed, ", ") + "\n"
	}
	if len(r.Restart) > 0 {
		text += "only a restart takes up: " + strings.Join(r.Restart, ", ") + "\n"
	}
	if r.Plan != nil {
		text += planText(*r.Plan)
	}
	return Print(w, form, r, text)
}
