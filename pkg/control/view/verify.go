package view

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// Verify prints the looking points, and a line for each path at each of them.
func Verify(w io.Writer, form Form, v control.Verify) error {
	points := table{page: columnsOf(w), columns: []column{
		{"LOOKING POINT", 24},
		{"AS", 10},
		{"STATE", 11},
		{"FOR", 9},
		{"ADD-PATH", 8},
		{"RECEIVED", 8},
		{"KEPT", 8},
	}}
	for _, p := range v.Points {
		state, several := "down", "no"
		switch {
		case p.Established && p.Complete:
			state = "established"
		case p.Established:
			state = "receiving"
		}
		if p.AddPath {
			several = "yes"
		}
		points.row(p.Address, fmt.Sprint(p.AS), state, lasting(max(v.At.Sub(p.Since).Seconds(), 0)), several,
			fmt.Sprint(p.Received), fmt.Sprint(p.Kept))
		if !p.Established {
			points.note("why: " + p.Error)
		}
	}
	text := points.String()
	if len(v.Paths) > 0 {
		text += "\n" + verified(w, v) + "\n"
	}
	var counts []string
	for _, c := range v.Counts {
		counts = append(counts, fmt.Sprintf("%d %s", c.Count, c.State))
	}
	if len(counts) == 0 {
		counts = []string{"nothing that is asked for is announced"}
	}
	text += strings.Join(counts, ", ") + "\n"
	if len(v.Paths) < v.Total {
		text += shown(len(v.Paths), v.Total)
	}
	return Print(w, form, v, text)
}

func verified(w io.Writer, v control.Verify) string {
	t := table{page: columnsOf(w), columns: []column{
		{"PREFIX OR ROUTE", 20},
		{"STATE", 8},
		{"LOOKING POINT", 16},
		{"NEXT HOP", 16},
		{"AS PATH", 12},
		{"OBJECT", 18},
	}}
	for _, p := range v.Paths {
		prefix, object := p.NLRI, objects(p.Objects, v.Names)
		for _, r := range p.Results {
			t.row(prefix, string(r.State), r.Point, cmp.Or(r.NextHop, "-"), cmp.Or(r.ASPath, "-"), object)
			if prefix != "" && p.VNI != 0 {
				t.note(fmt.Sprintf("EVPN route %s, VNI %d", p.NLRI, p.VNI))
			}
			prefix, object = "", ""
			if r.State == verify.Found {
				continue
			}
			t.note("why: " + r.Text)
			switch {
			case r.State.Lost():
				t.note("sent to: " + peerNames(p.Sent) + since("; not there", p.Since))
			case r.State == verify.Extra && !p.Since.IsZero():
				t.note(since("held", p.Since))
			}
		}
	}
	return t.String()
}

func peerNames(sent []control.SentTo) string {
	var out []string
	for _, s := range sent {
		out = append(out, s.Peer+" with next hop "+s.NextHop)
	}
	return strings.Join(out, ", ")
}

func since(what string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return what + " since " + clock(t.Local())
}
