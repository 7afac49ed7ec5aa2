package view_test

import (
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestSeen: a drift that no step mends reads as none that was taken.
func TestSeen(t *testing.T) {
	got := view.StepText(history.Step{
		At: time.Date(2026, 3, 4, 14, 2, 11, 0, time.Local), Cause: plan.CauseDrift, Kind: "route", Key: "192.0.2.7/32",
		Row: &history.RowRef{Table: "Port_Binding", Name: "web-1"}, Outcome: history.Seen,
		Error: "another owner's object wins over it: route 192.0.2.7/32",
		Drift: &plan.Drift{How: plan.HowOverridden, Fields: []plan.Difference{}, By: "ip[7]"},
	})
	compare(t, got, `14:02:11.000  drift   ! route 192.0.2.7/32  overridden, by ip[7]
                      seen: another owner's object wins over it: route 192.0.2.7/32
                      Port_Binding web-1
`)
}
