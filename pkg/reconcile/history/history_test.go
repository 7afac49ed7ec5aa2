package history_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

func create(t *testing.T, line string, why ...object.Source) history.Step {
	t.Helper()
	v, err := object.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	s := history.Of(plan.Op{Verb: plan.Create, Phase: plan.Build, After: v, Why: why, Cause: plan.CauseDrift}, nil)
	s.Round, s.At = 5, time.Unix(1000, 0)
	return s
}

// TestFilter: an address finds what leads to it, a prefix what is in it, a name the rows
// and keys that have it, and nothing finds what only looks alike.
func TestFilter(t *testing.T) {
	web := object.Source{Table: "Port_Binding", Row: "web-1", Decides: true}
	host := create(t, "route 10.0.0.5/32 table 201 metric 0  dev br-ex", web)
	subnet := create(t, "route 10.0.0.0/24 table 201 metric 0  dev br-ex  via 172.24.4.9")
	all := create(t, "route 0.0.0.0/0 table 254 metric 4098  dev eth0  via 192.0.2.1")
	neigh := create(t, "neigh 10.0.0.5 dev br-ex  lladdr 02:00:00:00:00:01")
	six := create(t, "route 2001:db8::5/128 table 201 metric 1024  dev br-ex")
	steps := map[string]history.Step{"host": host, "subnet": subnet, "all": all, "neigh": neigh, "six": six}
	for _, tt := range []struct {
		f    history.Filter
		want string
	}{
		{history.Filter{}, "all host neigh six subnet"},
		{history.Filter{Target: "10.0.0.5"}, "host neigh subnet"},
		{history.Filter{Target: "::ffff:10.0.0.5"}, "host neigh subnet"},
		{history.Filter{Target: "10.0.0.50"}, "subnet"},
		{history.Filter{Target: "10.0.0.0/30"}, "subnet"},
		{history.Filter{Target: "10.0.0.0/8"}, "host neigh subnet"},
		{history.Filter{Target: "0.0.0.0/0"}, "all host neigh subnet"},
		{history.Filter{Target: "2001:db8::5"}, "six"},
		{history.Filter{Target: "172.24.4.9"}, "subnet"},
		{history.Filter{Target: "web-1"}, "host"},
		{history.Filter{Target: "web"}, ""},
		{history.Filter{Target: "Port_Binding web-1"}, "host"},
		{history.Filter{Target: "br-ex"}, "neigh"},
		{history.Filter{Target: "route 10.0.0.5/32"}, "host"},
		{history.Filter{Target: "route 10.0.0.5/32 table 201 metric 0"}, "host"},
		{history.Filter{Target: "route"}, "all host six subnet"},
		{history.Filter{Cause: plan.CauseChange}, ""},
		{history.Filter{Cause: plan.CauseDrift, Target: "web-1"}, "host"},
		{history.Filter{After: 5}, ""},
		{history.Filter{After: 4, Target: "web-1"}, "host"},
		{history.Filter{Since: time.Unix(1001, 0)}, ""},
		{history.Filter{Since: time.Unix(1000, 0), Target: "web-1"}, "host"},
	} {
		m := history.NewMatcher(tt.f)
		var got []string
		for _, name := range []string{"all", "host", "neigh", "six", "subnet"} {
			if m.Matches(steps[name]) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: got %v, want %s", tt.f, got, tt.want)
		}
	}
}

// TestOf: what others can make long is cut, and what was not tried is told from failures.
func TestOf(t *testing.T) {
	why := make([]object.Source, 50)
	for i := range why {
		why[i] = object.Source{Table: "Port_Binding", Row: strings.Repeat("x", 5000), Decides: i == 7}
	}
	op := plan.Op{Verb: plan.Delete, Before: object.Device{Name: "d"}, Why: why}
	s := history.Of(op, errors.New("not tried: link d failed first"))
	if s.Outcome != history.NotTried || len(s.Rows) > 8 || s.Row == nil ||
		len(s.Row.Name) > 500 || s.After != nil || s.Before == nil {
		t.Errorf("got %+v", s)
	}
	if s := history.Of(op, errors.New(strings.Repeat("é", 10_000))); s.Outcome != history.Failed || len(s.Error) > 500 {
		t.Errorf("got %s, %d octets", s.Outcome, len(s.Error))
	}
	if _, err := history.ParseCause("weather"); err == nil {
		t.Error("a cause that is none was taken")
	}
}

// FuzzFilter: no target and no text in a step panics.
func FuzzFilter(f *testing.F) {
	f.Add("10.0.0.5", "route 10.0.0.5/32", "10.0.0.0/24")
	f.Add("fe80::1%eth0", "x", "::/0")
	f.Fuzz(func(_ *testing.T, target, key, prefix string) {
		s := history.Step{Kind: "route", Key: key, Rows: []history.RowRef{{Table: "Port_Binding", Name: key}}, Before: &key}
		if p, err := netip.ParsePrefix(prefix); err == nil {
			s.Prefix = &p
		}
		history.NewMatcher(history.Filter{Target: target}).Matches(s)
	})
}

// A text that is too long to be kept says how long it was, and is still known for what it
// was, also as earlier programs have cut it off.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("65000:1,", 100)
	whole := "ipv4-unicast 203.0.113.7/32 origin igp communities " + long + "65000:2"
	other := whole + "0"
	step := history.Key(whole)
	if want := fmt.Sprintf(" ... (%d octets in all)", len(whole)); !strings.HasSuffix(step, want) || len(step) > 450 {
		t.Errorf("it ends with %q, want %q", step[len(step)-40:], want)
	}
	if !history.SameText(step, whole) || history.SameText(step, other) || !history.SameText(whole[:400]+" ...", whole) {
		t.Error("a text is not known again, or taken for another one")
	}
	if short := "origin igp"; history.Key(short) != short || !history.SameText(short, short) {
		t.Error("a short text is changed")
	}
}
