package history_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

func drifted(at time.Time, name string, how plan.How) history.Drifted {
	return history.NewDrifted(at, object.Sysctl{Path: name}.Key(), plan.Drift{How: how, Fields: []plan.Difference{}})
}

// TestDriftsAreBounded: a million drifts of as many objects cost as much as a few, and are
// counted all the same.
func TestDriftsAreBounded(t *testing.T) {
	var l history.Drifts
	at := time.Unix(1_000_000, 0)
	for i := range 1_000 {
		at = at.Add(time.Second)
		l.Count(at, map[history.DriftKind]int{{Kind: "sysctl", How: plan.HowChanged}: 1000})
		l.Add(drifted(at, fmt.Sprint("a", i), plan.HowChanged))
	}
	counts, latest := l.Last(at, 5)
	if len(counts) != 1 || counts[0].Count != 1_000_000 {
		t.Errorf("got %v", counts)
	}
	if len(latest) != 5 || latest[0].Key != "a999" || latest[4].Key != "a995" {
		t.Errorf("got %v, want the newest first", latest)
	}
	if _, all := l.Last(at, 1_000); len(all) != history.MostDrifted {
		t.Errorf("%d are remembered", len(all))
	}
	if counts, latest = l.Last(at.Add(history.DriftWindow-5*time.Minute), 5); counts[0].Count >= 1_000_000 ||
		counts[0].Count == 0 || len(latest) != 5 {
		t.Errorf("55 minutes later: got %v, %v", counts, latest)
	}
	counts, latest = l.Last(at.Add(history.DriftWindow), 5)
	if len(counts)+len(latest) != 0 || counts == nil || latest == nil {
		t.Errorf("an hour later: got %v, %v", counts, latest)
	}
}

// TestDriftsOfOneObject are one line with how often, and only the last one waits or is
// repaired.
func TestDriftsOfOneObject(t *testing.T) {
	var l history.Drifts
	at := time.Unix(1_000_000, 0)
	l.Add(drifted(at, "a", plan.HowChanged))
	l.Add(drifted(at, "b", plan.HowChanged))
	l.Add(drifted(at.Add(time.Second), "a", plan.HowChanged))
	l.Add(drifted(at.Add(2*time.Second), "a", plan.HowDeleted))
	text := func() string {
		var out []string
		_, latest := l.Last(at, 9)
		for _, d := range latest {
			out = append(out, fmt.Sprintf("%s %s %d %s %s", d.Key, d.How, d.Times, d.State, d.Why))
		}
		return strings.Join(out, ", ")
	}
	if got, want := text(), "a deleted 1 repaired , a changed 2 repaired , b changed 1 repaired "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l.Settle("sysctl", "a", history.NotRepaired, "it waits")
	l.Settle("sysctl", "b", history.Gone, "") // it is repaired, and stays so
	l.Settle("sysctl", "c", history.NotRepaired, "nobody knows it")
	const want = "a deleted 1 not-repaired it waits, a changed 2 repaired , b changed 1 repaired "
	if got := text(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l.Settle("sysctl", "a", history.Repaired, "")
	if got := text(); !strings.HasPrefix(got, "a deleted 1 repaired ,") {
		t.Errorf("got %s", got)
	}
}

// TestLongDrift: what others can make long is cut.
func TestLongDrift(t *testing.T) {
	fields := []plan.Difference{{Field: "actions", Found: strings.Repeat("x", 1e6), Wanted: "y"}}
	d := history.NewDrifted(time.Unix(1, 0), object.Sysctl{Path: strings.Repeat("p", 1e6)}.Key(),
		plan.Drift{How: plan.HowChanged, Fields: fields})
	if n := len(d.Key) + len(d.String()); n > 2_000 {
		t.Errorf("%d octets", n)
	}
	if len(fields[0].Found) != 1e6 {
		t.Error("the plan's own text was cut")
	}
}
