package view_test

import (
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

func text(s string) *string { return &s }

// aHistory has a step of each form.
func aHistory() control.History {
	at := time.Date(2026, 3, 4, 14, 2, 11, 418e6, time.Local)
	fields := []plan.Difference{{Field: "dev", Found: "fabric0", Wanted: "br-ex"}}
	addr := netip.MustParsePrefix("203.0.113.7/32")
	return control.History{Version: 1, Steps: []history.Step{
		{
			At: at.Add(-24 * time.Hour), Cause: plan.CauseStart, Kind: "route", Key: "203.0.113.7/32 table 201 metric 0",
			After: text("dev br-ex"), Row: &history.RowRef{Table: "Port_Binding", Name: "web-1"},
			Outcome: history.OK,
		},
		{
			At: at, Cause: plan.CauseDrift, Kind: "route", Key: "203.0.113.7/32 table 201 metric 0", After: text("dev br-ex"),
			Drift: &plan.Drift{How: plan.HowDeleted, By: "ip[1234]"}, Row: &history.RowRef{Table: "Port_Binding", Name: "web-1"},
			Outcome: history.OK,
		},
		{
			At: at, Cause: plan.CauseDrift, Kind: "route", Key: "203.0.113.7/32 table 201 metric 0", Before: text("dev fabric0"),
			After: text("dev br-ex"), Outcome: history.Failed, Error: "update route: network is down",
			Drift: &plan.Drift{How: plan.HowChanged, Fields: fields, By: "zebra[7]"},
		},
		{
			At: at, Cause: plan.CauseChange, Kind: "path", Key: "ipv4-unicast 203.0.113.7/32", Before: text("next-hop self"),
			From: history.Here, To: "cmp-7", Row: &history.RowRef{Table: "Port_Binding", Name: "web-1"},
			Prefix: &addr, Outcome: history.OK,
		},
		{At: at, Line: "+ route   203.0.113.8/32  dev br-ex", Cause: plan.CauseChange},
	}}
}

func TestHistory(t *testing.T) {
	h := aHistory()
	h.More, h.Omitted, h.Damaged, h.Incomplete = 3, 2, 1, "disk full"
	got := printed(t, func(w io.Writer) error { return view.History(w, view.Text, h) })
	compare(t, got, `3 older steps are not shown: --limit 8, --since, or a narrower question
2026-03-03
14:02:11.418  start   + route 203.0.113.7/32 table 201 metric 0  dev br-ex  Port_Binding web-1
2026-03-04
14:02:11.418  drift   + route 203.0.113.7/32 table 201 metric 0  dev br-ex  deleted, by ip[1234]
                      Port_Binding web-1
14:02:11.418  drift   ~ route 203.0.113.7/32 table 201 metric 0  dev fabric0 -> dev br-ex
                      changed: dev fabric0 -> br-ex, by zebra[7]
                      failed: update route: network is down
14:02:11.418  change  203.0.113.7  here -> cmp-7  Port_Binding web-1
14:02:11.418  change  + route   203.0.113.8/32  dev br-ex
2 steps of large rounds are not recorded
1 records cannot be read and are left out
the newest steps may be missing: disk full
`)
	for line := range strings.Lines(got) {
		if len(line) > 101 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	compare(t, printed(t, func(w io.Writer) error {
		return view.History(w, view.Text, control.History{Oldest: time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)})
	}), "nothing was done, as far as is remembered (since 2026-03-04 05:06:07)\n")
}

// TestTimeline: who follows sees each date once, and scripts a JSON object a line.
func TestTimeline(t *testing.T) {
	steps := aHistory().Steps
	got := printed(t, func(w io.Writer) error {
		line := view.NewTimeline(w)
		for _, s := range steps {
			if err := line.Steps(view.Text, control.History{Steps: []history.Step{s}}); err != nil {
				return err
			}
		}
		return nil
	})
	if strings.Count(got, "2026-03-04\n") != 1 {
		t.Errorf("got\n%s", got)
	}
	got = printed(t, func(w io.Writer) error {
		return view.NewTimeline(w).Steps(view.JSON, control.History{Steps: steps})
	})
	if strings.Count(got, "\n") != len(steps) || !strings.Contains(got, `"drift":{"how":"deleted"`) {
		t.Errorf("got\n%s", got)
	}
}
