package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// chronicler answers questions about the past alone: with one more step each time.
type chronicler struct {
	control.Controller
	mu    sync.Mutex
	asked []history.Filter
	enter func(n int)
}

func (c *chronicler) History(_ context.Context, f history.Filter) (control.History, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, f)
	n := uint64(len(c.asked))
	if c.enter != nil {
		c.enter(len(c.asked))
	}
	attrs := "dev br-ex"
	return control.History{Version: 1, Last: n, Steps: []history.Step{{
		Round: n, At: time.Unix(int64(n), 0), Cause: plan.CauseDrift, Kind: "route", Key: "10.0.0.5/32", After: &attrs,
		Rows: []history.RowRef{}, Outcome: history.OK,
		Drift: &plan.Drift{How: plan.HowDeleted, Fields: []plan.Difference{}, By: "ip[7]"},
	}}}, nil
}

func serveHistory(t *testing.T, c control.Controller) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hist")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := control.Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		control.Serve(ctx, l, c, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() { stop(); <-done; os.RemoveAll(dir) })
	return path
}

// TestHistory: the question arrives as it was asked, and the answer is printed.
func TestHistory(t *testing.T) {
	c := &chronicler{}
	socket := serveHistory(t, c)
	out, errs, exit := runOn(t, socket, "history", "route", "10.0.0.5/32", "--since", "1h", "--cause", "drift")
	if exit != 0 || !strings.Contains(out, "+ route 10.0.0.5/32  dev br-ex  deleted, by ip[7]") {
		t.Fatalf("exit %d\n%s%s", exit, out, errs)
	}
	f := c.asked[0]
	if age := time.Since(f.Since); f.Target != "route 10.0.0.5/32" || f.Cause != plan.CauseDrift || f.Most != 1000 ||
		age < time.Hour || age > time.Hour+time.Minute {
		t.Errorf("asked %+v", f)
	}
	out, _, exit = runOn(t, socket, "history", "-o", "json")
	var h control.History
	if err := json.Unmarshal([]byte(out), &h); err != nil || exit != 0 || h.Steps[0].Drift.By != "ip[7]" {
		t.Errorf("exit %d, %v\n%s", exit, err, out)
	}
	for _, args := range [][]string{{"--since", "yesterday"}, {"--cause", "weather"}, {"--limit", "-1"}} {
		if _, errs, exit := runOn(t, socket, append([]string{"history"}, args...)...); exit != 1 ||
			!strings.Contains(errs, "use ") {
			t.Errorf("%v: exit %d, %s", args, exit, errs)
		}
	}
}

// TestHistoryFollows what comes after what it has printed, until it is ended.
func TestHistoryFollows(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	c := &chronicler{enter: func(n int) {
		if n == 3 {
			stop()
		}
	}}
	var out strings.Builder
	env := environment{
		args: []string{"history", "-f", "--socket", serveHistory(t, c)}, stdout: &out, stderr: &out,
		getenv: func(string) (string, bool) { return "", false },
	}
	if exit := Main(ctx, env); exit != 0 {
		t.Errorf("exit %d\n%s", exit, out.String())
	}
	if len(c.asked) != 3 || c.asked[1].After != 1 || c.asked[2].After != 2 || strings.Count(out.String(), "route") < 2 {
		t.Errorf("asked %+v, printed\n%s", c.asked, out.String())
	}
}

// TestHistoryWithoutController reads the state file; without one the error says so.
func TestHistoryWithoutController(t *testing.T) {
	dir := t.TempDir()
	args := []string{"history", "--state", filepath.Join(dir, "state.db")}
	if _, errs, exit := run(t, nil, args...); exit != 1 || !strings.Contains(errs, "no state file") {
		t.Errorf("exit %d, %s", exit, errs)
	}
	db, err := state.Open(filepath.Join(dir, "state.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Plan{Ops: []plan.Op{{
		Verb: plan.Create, Phase: plan.Build, After: object.Device{Name: "br-ex", Up: true}, Cause: plan.CauseStart,
	}}}
	if err := db.Begin(p); err != nil {
		t.Fatal(err)
	}
	if err := db.End(p, []error{nil}, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	out, errs, exit := run(t, nil, args...)
	if exit != 0 || !strings.Contains(out, "start   + device br-ex") ||
		!strings.Contains(errs, "no controller is running") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
}
