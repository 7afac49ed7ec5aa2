package agent

import (
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// TestLastHourSurvivesARestart: what went wrong and went is told by the next process, too.
func TestLastHourSurvivesARestart(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	gone := func(s control.Status) *problem.Past {
		at := slices.IndexFunc(s.LastHour, func(p problem.Past) bool { return p.Code == "southbound-down" })
		if at < 0 {
			return nil
		}
		return &s.LastHour[at]
	}
	var before problem.Past
	outer := t
	t.Run("first process", func(t *testing.T) {
		w.t = t // it ends with this part
		defer func() { w.t = outer }()
		c := w.start()
		w.stopServer()
		awaitStatus(t, c, hasProblem("southbound-down", ""))
		await(t, func() string { // one that was there for no time is not worth to be remembered
			s, err := c.Status(t.Context())
			for _, p := range problem.Flat(s.Problems) {
				if err == nil && p.Code == "southbound-down" && s.At.Sub(p.Since) > problem.Brief {
					return ""
				}
			}
			return "the database is not away for long"
		})
		w.startServer()
		awaitStatus(t, c, func(s control.Status) string {
			if p := gone(s); p != nil {
				before = *p
				return ""
			}
			return "the problem has not gone"
		})
	})
	s, err := w.start().Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after := gone(s); after == nil || !after.From.Equal(before.From) || after.Text != before.Text {
		t.Errorf("the last hour has %+v, want %+v", s.LastHour, before)
	}
}
