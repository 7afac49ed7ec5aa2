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

// Rollback prints what undoing a round would be, or was, and what has become of each step.
func Rollback(w io.Writer, form Form, r control.Rollback) error {
	var b strings.Builder
	fmt.Fprintf(&b, "the steps of round %d of %s, undone:\n", r.Round, r.At.Local().Format(time.DateTime))
	for _, u := range r.Steps {
		undo := u.Line
		if undo == "" {
			undo = "  " + u.Step.Object()
		}
		b.WriteString("  " + undo + "\n")
		block(&b, "      ", string(u.State)+": "+names.Relabel(u.Text, r.Names))
	}
	if r.Stand == 0 {
		b.WriteString("nothing is left to undo\n")
	} else {
		fmt.Fprintf(&b, "%d of %d steps stand; what rows or the configuration want is undone there\n", r.Stand, len(r.Steps))
	}
	return Print(w, form, r, b.String())
}

// Rounds prints the rounds of which steps are remembered, the newest last: their numbers are
// what rollback takes.
func Rounds(w io.Writer, form Form, h control.History) error {
	var b strings.Builder
	for i := 0; i < len(h.Steps); {
		first := h.Steps[i]
		n := map[history.Outcome]int{}
		for ; i < len(h.Steps) && h.Steps[i].Round == first.Round; i++ {
			n[h.Steps[i].Outcome]++
		}
		fmt.Fprintf(&b, "%6d  %s  %-6s  %d steps", first.Round, first.At.Local().Format(time.DateTime), first.Cause,
			n[history.OK])
		if bad := n[history.Failed] + n[history.NotTried]; bad > 0 {
			fmt.Fprintf(&b, ", %d failed", bad)
		}
		b.WriteByte('\n')
	}
	if b.Len() == 0 {
		b.WriteString("no round is remembered\n")
	}
	return Print(w, form, h, b.String())
}
