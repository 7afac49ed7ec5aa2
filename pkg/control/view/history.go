package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// History prints what was done, the newest last: a line with the date where a day
// begins, then one for each step.
func History(w io.Writer, form Form, h control.History) error {
	var b strings.Builder
	if h.More > 0 {
		fmt.Fprintf(&b, "%d older steps are not shown: --limit %d, --since, or a narrower question\n", h.More,
			h.More+len(h.Steps))
	}
	if err := NewTimeline(&b).steps(h.Steps, h.Names); err != nil {
		return err
	}
	if len(h.Steps) == 0 {
		b.WriteString("nothing was done, as far as is remembered")
		if !h.Oldest.IsZero() {
			b.WriteString(" (since " + clock(h.Oldest.Local()) + ")")
		}
		b.WriteByte('\n')
		if len(h.Known) > 0 {
			block(&b, "  ", "looked for steps about "+strings.Join(h.Known, ", "))
		}
	}
	if h.Omitted > 0 {
		fmt.Fprintf(&b, "%d steps of large rounds are not recorded\n", h.Omitted)
	}
	if h.Damaged > 0 {
		fmt.Fprintf(&b, "%d records cannot be read and are left out\n", h.Damaged)
	}
	if h.Incomplete != "" {
		b.WriteString("the newest steps may be missing: " + h.Incomplete + "\n")
	}
	return Print(w, form, h, b.String())
}

// Timeline prints steps as they come.
type Timeline struct {
	w   io.Writer
	day string
}

// NewTimeline returns one that prints to w.
func NewTimeline(w io.Writer) *Timeline { return &Timeline{w: w} }

// Steps prints steps, as text or as one JSON object a line.
func (t *Timeline) Steps(form Form, h control.History) error {
	if form == Text {
		return t.steps(h.Steps, h.Names)
	}
	for _, s := range h.Steps {
		if err := printLine(t.w, s); err != nil {
			return err
		}
	}
	return nil
}

func (t *Timeline) steps(steps []history.Step, labels map[string]string) error {
	for _, s := range steps {
		at := s.At.Local()
		if s.Row != nil {
			s.Row = &history.RowRef{Table: s.Row.Table, Name: names.Relabel(s.Row.Name, labels)}
		}
		text := StepText(s)
		if day := at.Format(time.DateOnly); day != t.day {
			text, t.day = day+"\n"+text, day
		}
		if _, err := io.WriteString(t.w, text); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
	}
	return nil
}

// indent is that of a line which goes on with a step: below what was done.
const indent = "                      "

// width is how wide lines are at most if they can be broken.
const width = 100

// StepText is one step in a line, or two where that is too long.
func StepText(s history.Step) string {
	head := fmt.Sprintf("%s  %-6s  ", s.At.Local().Format("15:04:05.000"), s.Cause)
	if s.Line != "" {
		return head + s.Line + "\n"
	}
	what := stepWhat(s)
	var more []string
	if s.Drift != nil {
		more = append(more, s.Drift.String())
	}
	if s.Outcome != history.OK && s.Error != "" {
		more = append(more, string(s.Outcome)+": "+s.Error)
	}
	if s.Row != nil {
		more = append(more, s.Row.String())
	}
	line := head + what
	for _, text := range more {
		if last := line[strings.LastIndexByte(line, '\n')+1:]; len(last)+2+len(text) > width {
			line += "\n" + indent + text
		} else {
			line += "  " + text
		}
	}
	return line + "\n"
}

// stepWhat is what was done: where an address went, or the step as a plan prints it.
func stepWhat(s history.Step) string {
	if s.Moves() && s.Prefix != nil {
		where := s.Prefix.String()
		if s.Prefix.IsSingleIP() {
			where = s.Prefix.Addr().String()
		}
		return where + "  " + s.From + " -> " + s.To
	}
	if s.Outcome == history.Seen {
		return "! " + s.Object()
	}
	symbol, attrs := "~", ""
	switch {
	case s.Before == nil && s.After != nil:
		symbol, attrs = "+", *s.After
	case s.After == nil:
		symbol = "-"
	case *s.Before == *s.After:
		attrs = *s.After
	default:
		attrs = *s.Before + " -> " + *s.After
	}
	text := symbol + " " + s.Object()
	if attrs != "" {
		text += "  " + attrs
	}
	return text
}
