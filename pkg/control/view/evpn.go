package view

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// EVPN prints a table with a line for each VNI or, with whole, one screen for
// each.
func EVPN(w io.Writer, form Form, e control.EVPN, whole bool) error {
	var b strings.Builder
	switch {
	case len(e.VNIs) == 0:
		b.WriteString("no VNI is wanted on this node\n")
	case whole:
		for _, v := range e.VNIs {
			vniScreen(&b, v)
		}
	default:
		t := table{page: columnsOf(w), columns: []column{
			{"VNI", 8},
			{"VRF", 13},
			{"RD", 20},
			{"ANNOUNCED", 9},
			{"REMOTE", 6},
			{"VTEPS", 5},
			{"STATE", 24},
		}}
		for _, v := range e.VNIs {
			vniRow(&t, v)
		}
		b.WriteString(t.String())
	}
	return Print(w, form, e, b.String())
}

// vniScreen is everything about one VNI.
func vniScreen(b *strings.Builder, v control.VNI) {
	kind := "stretched network"
	if v.VRF != "" {
		kind = fmt.Sprintf("VRF %s, table %d, router MAC %s", v.VRF, v.Table, v.RouterMAC)
	}
	fmt.Fprintf(b, "VNI %d  %s\n", v.VNI, kind)
	fmt.Fprintf(b, "  devices      %s in %s, VTEP %s\n", v.VXLAN, v.Bridge, v.VTEP)
	for _, part := range []struct {
		name  string
		items []string
	}{
		{"leg", lines(v.Legs, func(l control.Leg) string { return l.Line })},
		{"rd", v.RDs},
		{"rt export", v.Targets},
		{"rt import", v.Imports},
		{"announced", lines(v.Announced, func(r control.EVPNRoute) string { return r.Line })},
		{"local", lines(v.Local, routeLine)},
		{"remote", lines(v.Remote, routeLine)},
		{"vtep", lines(v.VTEPs, func(v control.VTEP) string { return v.Line })},
		{"station", lines(v.Stations, func(s control.Station) string { return s.Line })},
		{"unused", lines(v.Unused, control.Skipped.Line)},
		{"MISSING", lines(v.Missing, func(m control.Missing) string { return m.Line })},
	} {
		for _, text := range part.items {
			fmt.Fprintf(b, "  %-12s %s\n", part.name, text)
		}
	}
}

func routeLine(r control.VNIRoute) string { return r.Line }

// lines is what people see of each element of a list.
func lines[T any](list []T, line func(T) string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = line(v)
	}
	return out
}

// vniRow is the VNI in one line of the table.
func vniRow(t *table, v control.VNI) {
	state := "ok"
	if len(v.Missing) > 0 {
		state = fmt.Sprintf("%d MISSING, first: %s", len(v.Missing), v.Missing[0].Line)
	}
	t.row(fmt.Sprint(v.VNI), cmp.Or(v.VRF, "(stretched)"), cmp.Or(strings.Join(v.RDs, ","), "-"),
		fmt.Sprint(len(v.Announced)), fmt.Sprint(len(v.Remote)), fmt.Sprint(len(v.VTEPs)), state)
}
