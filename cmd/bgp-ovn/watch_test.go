package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// changing is a node with one problem less each time that it is asked, and none after
// the third; ended is called then.
type changing struct {
	control.Controller
	asked int
	ended func()
}

func (c *changing) Status(context.Context) (control.Status, error) {
	c.asked++
	s := control.Status{Version: 1, Program: "bgp-ovn 1", Chassis: "hv1", State: problem.Healthy, Healthy: c.asked >= 3}
	for range 3 - c.asked {
		s.State = problem.Degraded
		s.Problems = append(s.Problems, control.Problem{Code: "foreign-rule", Text: "x", Count: 1})
	}
	if c.asked == 3 && c.ended != nil {
		c.ended()
	}
	return s, nil
}

func (c *changing) EVPN(context.Context, uint32) (control.EVPN, error) {
	if c.asked++; c.asked == 3 {
		c.ended()
	}
	return control.EVPN{Version: 1, VNIs: []control.VNI{}}, nil
}

// heads are the first words of each answer in an output.
func heads(out string) (n int) { return strings.Count(out, "bgp-ovn 1 on chassis hv1: ") }

// watched runs a command until it has had three answers, and ticks as fast as it asks.
func watched(t *testing.T, terminal bool, vars map[string]string, args ...string) (string, int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var out strings.Builder
	ticks := make(chan time.Time)
	go func() {
		for {
			select {
			case ticks <- time.Time{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	// The answer in which it is told to end is not printed any more.
	node := &changing{ended: stop}
	exit := Main(ctx, environment{
		args: append(args, "--socket", serveHistory(t, node)), stdout: &out, stderr: &out,
		getenv: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		ticker: func(every time.Duration) (<-chan time.Time, func()) {
			if every != 2*time.Second {
				t.Errorf("it waits for %s", every)
			}
			return ticks, func() {}
		},
		terminal: func(io.Writer) (int, bool) { return 100, terminal },
	})
	if node.asked != 3 {
		t.Errorf("asked %d times:\n%s", node.asked, out.String())
	}
	return out.String(), exit
}

// TestWatchStatus: on a terminal each answer is drawn over the one before it, otherwise
// one follows the other; the last one makes the exit status.
func TestWatchStatus(t *testing.T) {
	out, _ := watched(t, true, nil, "status", "--watch")
	if strings.Count(out, "\x1b[H") != heads(out) || strings.Count(out, "\x1b[J") != heads(out) || heads(out) < 2 ||
		!strings.Contains(out, "\x1b[33mDEGRADED, 1 problem\x1b[0m\x1b[K\n") {
		t.Errorf("on a terminal: %q", out)
	}
	out, _ = watched(t, true, map[string]string{"NO_COLOR": "1"}, "status", "--watch")
	if !strings.Contains(out, "hv1: DEGRADED, 1 problem\x1b[K\n") {
		t.Errorf("NO_COLOR: %q", out)
	}
	out, _ = watched(t, true, map[string]string{"TERM": "dumb"}, "status", "--watch")
	if strings.Contains(out, "\x1b[33m") {
		t.Errorf("a terminal without colours: %q", out)
	}
	out, _ = watched(t, false, nil, "status", "--watch")
	if strings.Contains(out, "\x1b") || heads(out) < 2 || !strings.Contains(out, "\n\nbgp-ovn 1 on chassis") {
		t.Errorf("in a pipe: %q", out)
	}
	out, _ = watched(t, true, nil, "status", "--watch", "-o", "yaml")
	if strings.Contains(out, "\x1b") || strings.Count(out, "---\n") < 2 {
		t.Errorf("YAML: %q", out)
	}
	out, _ = watched(t, false, nil, "evpn", "--watch")
	if strings.Count(out, "no VNI is wanted") < 2 {
		t.Errorf("evpn: %q", out)
	}
}

// TestOnceIsNotDrawn: without --watch nothing is cleared; a terminal has colours.
func TestOnceIsNotDrawn(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		var out strings.Builder
		exit := Main(t.Context(), environment{
			args: []string{"status", "--socket", serveHistory(t, &changing{})}, stdout: &out, stderr: &out,
			getenv:   func(string) (string, bool) { return "", false },
			terminal: func(io.Writer) (int, bool) { return 100, terminal },
		})
		if got := out.String(); exit != exitDiffers || strings.Contains(got, "\x1b[H") ||
			strings.Contains(got, "\x1b[33m") != terminal {
			t.Errorf("terminal %t: exit %d, %q", terminal, exit, got)
		}
	}
}

// TestTerminal: neither a pipe nor a file nor /dev/null is one.
func TestTerminal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, w := range []io.Writer{null, &strings.Builder{}} {
		if _, ok := terminal(w); ok {
			t.Errorf("%T is a terminal", w)
		}
	}
}
