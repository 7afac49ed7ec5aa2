package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// Found lists what a target stands for, a line for each address; command is what was to
// be asked about one.
func Found(w io.Writer, form Form, command string, f control.Found) error {
	t := table{page: columnsOf(w), columns: []column{{"ADDRESS", 39}, {"IS", 28}, {"ON", 24}, {"ANNOUNCED", 9}}}
	for _, m := range f.Matches {
		for _, a := range m.Addresses {
			announced := "no"
			if a.Announced {
				announced = "yes"
			}
			t.row(a.Addr.String(), addressOf(m, a), where(m), announced)
		}
		if len(m.Addresses) == 0 {
			t.row("-", m.What()+" "+m.Name, where(m), "-")
		}
	}
	text := fmt.Sprintf("%s stands for %s; ask about one: bgp-ovn %s ADDRESS\n", f.Target,
		plural(len(f.Addresses()), "address"), command) + t.String()
	if f.Total > len(f.Matches) {
		text += fmt.Sprintf("%d of %d are shown; ask for less\n", len(f.Matches), f.Total)
	}
	return Print(w, form, f, text)
}

// FoundLine is a match in a line, before what is said about its address.
func FoundLine(m names.Match) string {
	text := m.What() + " " + m.Name
	if m.ID != m.Name {
		text += " (" + m.ID + ")"
	}
	if m.Network != "" {
		text += ", of " + m.Network
	}
	if m.Chassis != "" {
		text += ", on chassis " + m.Chassis
	}
	return strings.Join(wrap(text, maxColumns), "\n  ") + "\n"
}

// addressOf says whose address it is.
func addressOf(m names.Match, a names.Address) string {
	whose := m.What() + " " + names.Short(m.Name)
	switch {
	case m.Kind == names.KindNetwork:
		return "on " + whose
	case a.Relation == names.Floating:
		return "floating IP of " + whose
	case a.Relation == names.Routed:
		return "routed by " + whose
	}
	return whose
}

// where is the network and the chassis of a match.
func where(m names.Match) string {
	parts := []string{}
	for _, p := range []string{m.Network, m.Chassis} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}
