package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// columns is how wide lines of a trace are at most.
const columns = 100

// Trace prints the way of a packet, a line a stage, and what breaks it with the remedy.
func Trace(w io.Writer, form Form, t control.Trace) error {
	var b strings.Builder
	what := "not announced from here"
	if t.Announced {
		what = "announced from here"
	}
	verdict := "REACHABLE HERE"
	if !t.Reachable {
		verdict = "NOT REACHABLE HERE"
	}
	fmt.Fprintf(&b, "%s  %s  from %s  %s\n", t.Address, what, strings.Join(t.From, ", "), verdict)
	for n, s := range t.Stages {
		text := fmt.Sprintf("  %2d %-9s  %-7s  %s", n+1, s.Name, s.State, s.Text)
		if s.Code != "" {
			text += " (" + s.Code + ")"
		}
		wrapLine(&b, text, "                         ")
		if s.State != reach.OK && s.Try != "" {
			wrapLine(&b, "                  try:   "+s.Try, "                         ")
		}
	}
	return Print(w, form, t, b.String())
}

// wrapLine breaks a line between words so that it fits; a word that does not fit stays whole.
func wrapLine(b *strings.Builder, line, indent string) {
	for len(line) > columns {
		at := strings.LastIndexByte(line[:columns+1], ' ')
		if at <= len(indent) {
			if at = strings.IndexByte(line[columns:], ' '); at < 0 {
				break
			}
			at += columns
		}
		b.WriteString(strings.TrimRight(line[:at], " ") + "\n")
		line = indent + strings.TrimLeft(line[at:], " ")
	}
	b.WriteString(line + "\n")
}
