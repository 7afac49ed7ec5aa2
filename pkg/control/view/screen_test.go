package view_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// on is what f writes to a screen.
func on(t *testing.T, columns int, colour bool, f func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(view.Screen{Writer: &b, Columns: columns, Colour: colour}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// widest is the length of the longest line.
func widest(text string) (n int) {
	for line := range strings.Lines(text) {
		n = max(n, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")))
	}
	return n
}

// TestTableFitsScreen: a table is as wide as it needs to be and no wider than the
// screen; on a very narrow one each column keeps something.
func TestTableFitsScreen(t *testing.T) {
	show := func(w io.Writer) error { return view.BGPPeers(w, view.Text, sessions()) }
	for _, tt := range []struct{ columns, want int }{{200, 106}, {120, 106}, {100, 100}, {80, 80}, {60, 63}, {1, 63}} {
		got := on(t, tt.columns, false, show)
		var table string
		for line := range strings.Lines(got) {
			if !strings.HasPrefix(line, "    ") {
				table += line
			}
		}
		if n := widest(table); n != tt.want {
			t.Errorf("%d columns: got %d, want %d\n%s", tt.columns, n, tt.want, got)
		}
	}
	if got := on(t, 200, false, show); !strings.Contains(got, "2001:db8:1234:5678:9abc:def0:1234:5678%uplink0") {
		t.Errorf("there is room for it all:\n%s", got)
	}
}

// TestExplanationFitsScreen: lines are broken between words on a screen, but for what can
// be typed, and are whole elsewhere.
func TestExplanationFitsScreen(t *testing.T) {
	e := control.Explanation{Explanation: reconcile.Explanation{Accounts: []reason.Account{{
		What: "floating IP of port web-1", Steps: []reason.Step{
			{Stage: "policy", Text: strings.Repeat("word ", 40), OK: true},
			{Stage: "ownership", Text: "elsewhere", Code: "not-owner"},
		},
	}}, First: "elsewhere", Code: "not-owner", Try: strings.Repeat("command ", 20)}}
	show := func(w io.Writer) error { return view.Explanation(w, view.Text, e) }
	plain := printed(t, show)
	if widest(plain) < 200 {
		t.Fatalf("got\n%s", plain)
	}
	got := on(t, 80, false, show)
	for line := range strings.Lines(got) {
		if n := len(line) - 1; n > 80 && !strings.Contains(line, "command") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(plain), " ") {
		t.Errorf("words are lost:\n%s", got)
	}
	if !strings.Contains(got, strings.TrimSpace(e.Try)) {
		t.Errorf("a command is broken:\n%s", got)
	}
}

// TestColour: what matters is coloured, on a screen that wants it and nowhere else, and
// nothing but colours is added.
func TestColour(t *testing.T) {
	s := control.Status{Program: "bgp-ovn 1.0", Chassis: "hv1", State: problem.Degraded, Problems: []control.Problem{
		{Code: "foreign-rule", Text: "a rule", Try: "ip rule del pref 100", Count: 1},
	}}
	status := func(w io.Writer) error { return view.Status(w, view.Text, s) }
	peers := func(w io.Writer) error { return view.BGPPeers(w, view.Text, sessions()) }
	for _, tt := range []struct {
		show func(io.Writer) error
		want string
	}{
		{status, "bgp-ovn 1.0 on chassis hv1: \x1b[33mDEGRADED, 1 problem\x1b[0m\n"},
		{status, "  ! \x1b[31mforeign-rule:\x1b[0m a rule\n"},
		{status, "    try: \x1b[36mip rule del pref 100\x1b[0m\n"},
		{peers, "  \x1b[31mActive\x1b[0m  "},
		{peers, "  \x1b[32mEstablished\x1b[0m  "},
		{peers, "\x1b[1mPEER  "},
		{func(w io.Writer) error { return view.Plan(w, view.Text, aPlan) }, "\x1b[32m+ route   192.0.2.7/32\x1b[0m\n"},
	} {
		got := on(t, 100, true, tt.show)
		if !strings.Contains(got, tt.want) {
			t.Errorf("%q is not in\n%q", tt.want, got)
		}
		plain := got
		for _, code := range []string{"0", "1", "31", "32", "33", "36"} {
			plain = strings.ReplaceAll(plain, "\x1b["+code+"m", "")
		}
		if want := on(t, 100, false, tt.show); plain != want || strings.Contains(want, "\x1b") {
			t.Errorf("got\n%q\nwant\n%q", plain, want)
		}
	}
	json := func(w io.Writer) error { return view.Status(w, view.JSON, s) }
	if got := on(t, 100, true, json); strings.Contains(got, "\x1b") {
		t.Errorf("JSON is coloured: %q", got)
	}
}
