package metrics_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/metrics"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// TestDriftTotal: drift is counted by kind and way, and both are there before the first.
func TestDriftTotal(t *testing.T) {
	m := metrics.New("bgp-ovn test")
	want := func(line string) {
		t.Helper()
		if text := scrape(t, m); !strings.Contains(text, line+"\n") {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
	want(`bgp_ovn_drift_total{how="deleted",kind="route"} 0`)
	want(`bgp_ovn_drift_total{how="foreign-mark",kind="rule"} 0`)
	r := reconcile.Round{Drift: reconcile.RoundDrift{Counts: map[history.DriftKind]int{
		{Kind: "route", How: plan.HowDeleted}: 2, {Kind: "flow", How: plan.HowChanged}: 1,
	}}}
	m.Observe(r)
	m.Observe(r)
	m.Observe(reconcile.Round{})
	want(`bgp_ovn_drift_total{how="deleted",kind="route"} 4`)
	want(`bgp_ovn_drift_total{how="changed",kind="flow"} 2`)
}

// TestContested: the gauge follows what the last round found.
func TestContested(t *testing.T) {
	m := metrics.New("bgp-ovn test")
	for _, n := range []int{0, 2, 0} {
		m.Observe(reconcile.Round{Contested: make([]reconcile.Contested, n)})
		if line := fmt.Sprintf("bgp_ovn_contested %d\n", n); !strings.Contains(scrape(t, m), line) {
			t.Errorf("no %s", line)
		}
	}
}

// TestMismatchTotal: a plan by what has changed that was wrong is counted.
func TestMismatchTotal(t *testing.T) {
	m := metrics.New("bgp-ovn test")
	m.Observe(reconcile.Round{})
	m.Observe(reconcile.Round{Mismatch: true})
	if line := "bgp_ovn_plan_mismatch_total 1\n"; !strings.Contains(scrape(t, m), line) {
		t.Errorf("no %s in\n%s", line, scrape(t, m))
	}
}
