package kube

import (
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// K-84: what a cordon leads to, before and after restarts.
func TestCordon(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	c := cordon{drain: 30 * time.Second}
	step := func(unschedulable bool, second int, want observe.NodeState, changed bool) {
		t.Helper()
		if got := c.set(unschedulable, at(second)); got != changed {
			t.Errorf("at %d s: changed %v", second, got)
		}
		if got := c.state(at(second)); got != want {
			t.Errorf("at %d s: %s, not %s", second, got, want)
		}
	}
	step(true, 0, observe.NodeDrained, true) // cordoned before the first start
	step(false, 1, observe.NodeActive, true)
	step(false, 2, observe.NodeActive, false)
	step(true, 10, observe.NodeDraining, true)
	c = cordon{drain: c.drain, at: c.at, known: true} // restart
	step(true, 30, observe.NodeDraining, false)
	step(true, 40, observe.NodeDrained, false)
	step(false, 41, observe.NodeActive, true)
	step(true, 50, observe.NodeDraining, true)
	step(false, 55, observe.NodeActive, true)

	c = cordon{drain: c.drain, known: true} // cordoned while no process was there
	step(true, 0, observe.NodeDraining, true)
}

// TestLooksEveryMinute: a kind that the API does not serve is looked for every minute (K-75), and
// pauses after failures are bounded.
func TestLooksEveryMinute(t *testing.T) {
	var cfg Config
	cfg.fill()
	if cfg.Look != time.Minute || cfg.BackoffMax != 30*time.Second {
		t.Errorf("every %s, after %s at most", cfg.Look, cfg.BackoffMax)
	}
}
