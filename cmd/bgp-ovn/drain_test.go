package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// draining is a node whose drain goes on each time that it is asked for its status; what it
// says last it says for ever.
type draining struct {
	control.Controller
	first    control.Drain
	statuses []control.Status
	fails    error
	asked    []string
}

func (d *draining) Drain(_ context.Context, force bool) (control.Drain, error) {
	d.asked = append(d.asked, map[bool]string{false: "drain", true: "drain by force"}[force])
	return d.first, d.fails
}

func (d *draining) Undrain(context.Context) (control.Drain, error) {
	d.asked = append(d.asked, "undrain")
	return control.Drain{Version: 1, Remaining: []control.DrainPath{}}, d.fails
}

func (d *draining) Status(context.Context) (control.Status, error) {
	s := d.statuses[0]
	if len(d.statuses) > 1 {
		d.statuses = d.statuses[1:]
	}
	return s, nil
}

func (d *draining) Retry(_ context.Context, object string) (control.Retried, error) {
	d.asked = append(d.asked, "retry "+object)
	return control.Retried{Version: 1, Objects: []control.RetriedObject{{Kind: "route", Key: "203.0.113.7/32"}}}, d.fails
}

// run runs a command against a node, and ticks as fast as it asks.
func (d *draining) run(t *testing.T, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
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
	var out, said strings.Builder
	exit = Main(ctx, environment{
		args: append(args, "--socket", serveHistory(t, d)), stdout: &out, stderr: &said,
		getenv: func(string) (string, bool) { return "", false },
		ticker: func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} },
	})
	return out.String(), said.String(), exit
}

// What a drain does when it is asked to wait: it tells each thing once on the error output,
// the end on the output, and by its exit status whether the node may be stopped.
func TestDrain(t *testing.T) {
	lowered := control.Drain{Version: 1, Phase: "lowered", Lowered: 2, Remaining: []control.DrainPath{}}
	left := control.Drain{
		Version: 1, Phase: "waiting", Left: 1, OnlyHere: 1,
		Remaining: []control.DrainPath{{Kind: "path", Key: "ipv4-unicast 203.0.113.7/32"}},
	}
	safe := control.Drain{Version: 1, Phase: "safe", SafeToStop: true, Withdrawn: 2, Remaining: []control.DrainPath{}}
	in := func(d control.Drain) control.Status {
		return control.Status{LastRound: &control.RoundTime{}, Drain: &d}
	}
	const (
		saidLowered = "draining: 2 paths announced as a last resort\n"
		saidLeft    = "not safe to stop: 1 path left, 1 of which nobody else is known to announce\n" +
			"  path ipv4-unicast 203.0.113.7/32\n" +
			"try: move them to another node, or withdraw them all the same: bgp-ovn drain --force\n"
		saidSafe = "safe to stop: 2 paths withdrawn\n"
	)
	for _, tt := range []struct {
		name           string
		node           draining
		args           string
		stdout, stderr string
		exit           int
		asked          string
	}{
		{"at once", draining{first: lowered}, "drain", saidLowered, "", 0, "drain"},
		{"by force", draining{first: safe}, "drain --force --wait", saidSafe, "", 0, "drain by force"},
		{"until it is safe", draining{
			first: lowered, statuses: []control.Status{in(lowered), in(left), in(left), in(safe)},
		}, "drain --wait", saidSafe, saidLowered + saidLeft, 0, "drain"},
		{"over a restart of the controller", draining{
			first: lowered, statuses: []control.Status{{}, {}, in(safe)},
		}, "drain --wait=5m", saidSafe, saidLowered, 0, "drain"},
		{"not in time", draining{
			first: left, statuses: []control.Status{in(left)},
		}, "drain --wait=20ms", saidLeft, saidLeft, 2, "drain"},
		{"somebody ends it", draining{
			first: lowered, statuses: []control.Status{in(lowered), {LastRound: &control.RoundTime{}}},
		}, "drain --wait", "", saidLowered + "bgp-ovn: the drain was ended by somebody else\n", 1, "drain"},
		{"refused", draining{fails: errors.New("no")}, "drain --wait", "", "bgp-ovn: the controller says: no\n", 1, "drain"},
		{"undrain", draining{}, "undrain", "in service\n", "", 0, "undrain"},
		{
			"undrain, not drained",
			draining{fails: errors.New("the node is not drained")},
			"undrain", "",
			"bgp-ovn: the controller says: the node is not drained\n", 1, "undrain",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, exit := tt.node.run(t, strings.Fields(tt.args)...)
			if stdout != tt.stdout || stderr != tt.stderr || exit != tt.exit {
				t.Errorf("exit status %d, want %d\n%s\nwant\n%s\nerror output\n%s\nwant\n%s", exit, tt.exit, stdout, tt.stdout,
					stderr, tt.stderr)
			}
			if got := strings.Join(tt.node.asked, ", "); got != tt.asked {
				t.Errorf("asked for %q, want %q", got, tt.asked)
			}
		})
	}
	for _, wait := range []string{"0", "-1s", "soon"} {
		node := draining{first: safe}
		if _, stderr, exit := node.run(t, "drain", "--wait="+wait); exit != 1 || len(node.asked) > 0 {
			t.Errorf("--wait=%s: exit status %d, asked for %q: %s", wait, exit, node.asked, stderr)
		}
	}
}

// An object is named by words as plan prints them, whatever the spaces between them; --all is
// asked for by itself.
func TestRetry(t *testing.T) {
	const again = "tried again: route 203.0.113.7/32\n"
	for _, tt := range []struct {
		args  []string
		fails error
		want  string
		exit  int
		asked string
	}{
		{
			[]string{"route", "203.0.113.7/32", "table", "201", "metric", "0"},
			nil, again, 0,
			"retry route 203.0.113.7/32 table 201 metric 0",
		},
		{
			[]string{"  route 203.0.113.7/32   table 201 metric 0 "},
			nil, again, 0,
			"retry route 203.0.113.7/32 table 201 metric 0",
		},
		{[]string{"--all"}, nil, again, 0, "retry "},
		{[]string{"--all"}, errors.New("nothing waits"), "bgp-ovn: the controller says: nothing waits\n", 1, "retry "},
		{nil, nil, "give an object as bgp-ovn plan prints it, or --all", 1, ""},
		{[]string{"--all", "route"}, nil, "give an object as bgp-ovn plan prints it, or --all", 1, ""},
	} {
		node := draining{fails: tt.fails}
		stdout, stderr, exit := node.run(t, append([]string{"retry"}, tt.args...)...)
		if exit != tt.exit || !strings.Contains(stdout+stderr, tt.want) || strings.Join(node.asked, ", ") != tt.asked {
			t.Errorf("retry %q: exit status %d, asked for %q: %s%s", tt.args, exit, node.asked, stdout, stderr)
		}
	}
}
