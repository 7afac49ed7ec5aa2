package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// WhatIf prints the events, the rows that they change, and what is announced otherwise.
func WhatIf(w io.Writer, form Form, a control.WhatIf) error {
	var b strings.Builder
	for _, e := range a.Events {
		b.WriteString("if " + e.Line + "\n")
	}
	for _, r := range a.Rows {
		what := strings.TrimSpace(r.Row + " " + r.Column)
		fmt.Fprintf(&b, "  %s %s: %s -> %s\n", r.Table, what, r.Before, r.After)
	}
	for _, c := range a.Moves {
		fmt.Fprintf(&b, "moves      %s %s: %s -> %s\n", c.Kind, c.Key, someone(c.From), someone(c.To))
	}
	for _, c := range a.Nobody {
		fmt.Fprintf(&b, "nobody     %s %s: was announced by %s\n", c.Kind, c.Key, someone(c.From))
	}
	for _, c := range a.Twice {
		fmt.Fprintf(&b, "by several %s %s: %s -> %s\n", c.Kind, c.Key, someone(c.From), someone(c.To))
	}
	fmt.Fprintf(&b, "on %s: %d move, %d announced by nobody, %d by several, %d as before\n", plural(len(a.Nodes), "node"),
		len(a.Moves), len(a.Nobody), len(a.Twice), a.Same)
	if len(a.Unknown) > 0 {
		fmt.Fprintf(&b, "not known is what is announced by: %s\n", strings.Join(a.Unknown, ", "))
	}
	return Print(w, form, a, names.Relabel(b.String(), a.Names))
}

// someone names nodes.
func someone(list []string) string {
	if len(list) == 0 {
		return "nobody"
	}
	return strings.Join(list, ", ")
}
