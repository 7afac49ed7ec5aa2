package problem

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// lines are problems as text, what they explain indented.
func lines(list []Problem) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, "%s %s x%d %s\n", p.Harm, p.Code, p.Count, p.Text)
		for _, e := range p.Explains {
			fmt.Fprintf(&b, "  %s %s x%d %s\n", e.Harm, e.Code, e.Count, e.Text)
		}
	}
	return b.String()
}

func device(name string) Object { return Object{KindDevice, name} }

func TestArrange(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		found []Finding
		want  string
	}{
		{"nothing", nil, ""},
		{
			"harm before the table, the table before age",
			[]Finding{
				{Code: "router-id", Text: "a", Since: at},
				{Code: "contested", Text: "b", Since: at},
				{Code: "foreign-rule", Text: "c", Since: at.Add(time.Hour)},
				{Code: "no-peers", Text: "d"},
			},
			"down no-peers x1 d\ndegraded foreign-rule x1 c\ndegraded contested x1 b\nwarning router-id x1 a\n",
		},
		{
			"equal ones are counted",
			[]Finding{
				{Code: "step-failed", Text: "a", Try: "x"},
				{Code: "step-failed", Text: "b", Try: "x"},
				{Code: "step-failed", Text: "c", Try: "y"},
				{Code: "step-failed", Text: "d", Try: "x", Count: 310},
			},
			"degraded step-failed x312 a\ndegraded step-failed x1 c\n",
		},
		{
			"a device explains what stands on it and takes its harm",
			[]Finding{
				{Code: "peer-down", Text: "p1", On: device("up0"), Harm: Down, Like: "hold"},
				{Code: "peer-down", Text: "p2", On: device("up0"), Harm: Down, Like: "hold"},
				{Code: "peer-down", Text: "p3", On: device("up1"), Like: "hold"},
				{Code: "uplink-down", Text: "up0 is down", Object: device("up0")},
				{Code: "uplink-down", Text: "address", Object: Object{KindAddress, "203.0.113.7"}, On: device("up0")},
				{Code: "foreign-rule", Text: "rule"},
			},
			"down uplink-down x1 up0 is down\n  down peer-down x2 p1\n  degraded uplink-down x1 address\n" +
				"degraded peer-down x1 p3\ndegraded foreign-rule x1 rule\n",
		},
		{
			"a chain hangs on its first cause",
			[]Finding{
				{Code: "not-as-wanted", Text: "n", Behind: "frozen", Count: 9},
				{Code: "frozen", Text: "f"},
				{Code: "southbound-down", Text: "s"},
				{Code: "ovsdb-down", Text: "o"},
			},
			"degraded ovsdb-down x1 o\n  degraded southbound-down x1 s\n  degraded frozen x1 f\n  degraded not-as-wanted x9 n\n",
		},
		{
			"what explains it is not there",
			[]Finding{{Code: "frozen", Text: "f", Behind: "driver-panic", On: device("up0")}},
			"degraded frozen x1 f\n",
		},
		{
			"causes in a circle",
			[]Finding{
				{Code: "step-failed", Text: "a", Behind: "contested"},
				{Code: "contested", Text: "b", Behind: "step-failed"},
				{Code: "frozen", Text: "c", Behind: "frozen"},
			},
			"degraded contested x1 b\n  degraded step-failed x1 a\ndegraded frozen x1 c\n",
		},
		{
			"a code that nobody has entered",
			[]Finding{{Code: "brand-new", Text: "a"}, {Code: "router-id", Text: "b"}, {Code: "outstanding", Text: "c"}},
			"degraded outstanding x1 c\ndegraded brand-new x1 a\nwarning router-id x1 b\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := lines(Arrange(tt.found)); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// TestArrangeLosesNothing: whatever is found, each finding is counted once, and the
// same findings give the same problems.
func TestArrangeLosesNothing(t *testing.T) {
	codes := Codes()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var found []Finding
		total := 0
		for range rnd.IntN(30) {
			f := Finding{
				Code: codes[rnd.IntN(len(codes))], Text: fmt.Sprint(rnd.IntN(3)), Behind: codes[rnd.IntN(len(codes))],
				Count: rnd.IntN(3), Object: device(fmt.Sprint(rnd.IntN(4))), On: device(fmt.Sprint(rnd.IntN(4))),
			}
			total += max(f.Count, 1)
			found = append(found, f)
		}
		got := Arrange(found)
		if again := lines(Arrange(found)); again != lines(got) {
			t.Fatalf("two answers differ:\n%s\n%s", lines(got), again)
		}
		for _, p := range Flat(got) {
			total -= p.Count
		}
		if total != 0 {
			t.Fatalf("%d findings are lost of %+v:\n%s", total, found, lines(got))
		}
		for i := 1; i < len(got); i++ {
			if got[i].Harm.level() > got[i-1].Harm.level() {
				t.Fatalf("not in the order of harm:\n%s", lines(got))
			}
		}
	}
}

// TestOthers: names of equal ones are listed, and not all of very many.
func TestOthers(t *testing.T) {
	var found []Finding
	for i := range 300 {
		found = append(found, Finding{Code: "foreign-rule", Object: Object{KindAddress, fmt.Sprint(i)}, Of: 400})
	}
	p := Arrange(found)[0]
	if p.Count != 300 || p.Of != 400 || p.Object.Name != "0" || len(p.Others) != mostOthers || p.Others[0] != "1" {
		t.Errorf("got %+v", p)
	}
}

// TestCodes: no code is there twice, and what explains one comes before it or is not
// explained by it.
func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range classes {
		if seen[c.code] {
			t.Errorf("%s is there twice", c.code)
		}
		seen[c.code] = true
	}
	for _, c := range classes {
		for _, b := range c.behind {
			if !seen[b] || b == c.code {
				t.Errorf("%s is behind %s", c.code, b)
			}
		}
	}
	if Known("brand-new") || !Known("peer-down") {
		t.Error("Known is wrong")
	}
}

func TestState(t *testing.T) {
	if got := State(nil); got != Healthy {
		t.Errorf("got %s", got)
	}
	if got := State([]Problem{{Harm: Warning}, {Harm: Down}, {Harm: Degraded}}); got != Down {
		t.Errorf("got %s", got)
	}
}
