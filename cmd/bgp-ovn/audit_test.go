package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// auditor answers audits alone.
type auditor struct {
	control.Controller
	answer control.Audit
}

func (a auditor) Audit(_ context.Context, repair bool) (control.Audit, error) {
	a.answer.Repaired = repair
	a.answer.Result, a.answer.Remaining = a.answer.Outcome()
	return a.answer, nil
}

// TestAuditSaysOneThing: the last line, the JSON form and the exit status of audit,
// with and without --repair, never contradict each other.
func TestAuditSaysOneThing(t *testing.T) {
	step := []control.Step{{Verb: "create", Kind: "route", Line: "+ route   192.0.2.7/32"}}
	foreign := control.Note{Code: object.BlockForeign, Line: "! route   192.0.2.8/32  foreign: another owner's"}
	filtered := control.Note{Code: object.BlockFiltered, Intentional: true, Line: "! path    192.0.2.9/32"}
	const down = "the Southbound database is not connected"
	for _, tt := range []struct {
		name   string
		repair bool
		audit  control.Audit
		exit   int
		result control.AuditResult
		last   string
	}{
		{"as wanted", false, control.Audit{}, 0, control.AuditAgrees, "no drift"},
		{"as wanted, to repair", true, control.Audit{}, 0, control.AuditAgrees, "no drift"},
		{"filtered", false, auditOf(nil, filtered), 0, control.AuditAgrees, "no drift"},
		{"drift", false, auditOf(step), exitDiffers, control.AuditDiffers, "1 difference remains"},
		{"drift, repaired", true, auditOf(step), 0, control.AuditAgrees, "no drift"},
		{
			"repair fails", true,
			control.Audit{Drift: control.Plan{Ops: step}, Failed: []control.FailedStep{{Line: "no device"}}},
			exitError, control.AuditFailed, "1 difference remains",
		},
		{
			"in the way", false, auditOf(nil, foreign, foreign, foreign), exitDiffers, control.AuditDiffers,
			"3 differences remain",
		},
		{
			"in the way, to repair", true, auditOf(nil, foreign, foreign, foreign), exitDiffers, control.AuditDiffers,
			"3 differences remain",
		},
		{
			"a step and what none mends", true, auditOf(step, foreign), exitDiffers, control.AuditDiffers,
			"1 difference remains",
		},
		{"database down", false, control.Audit{Incomplete: down}, exitError, control.AuditIncomplete, "no drift found"},
		{"and repair", true, control.Audit{Incomplete: down}, exitError, control.AuditIncomplete, "no drift found"},
		{
			"database down and drift", false,
			control.Audit{Drift: control.Plan{Ops: step}, Incomplete: down},
			exitDiffers,
			control.AuditDiffers, "1 difference remains",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args, socket := []string{"audit"}, serveAudit(t, tt.audit)
			if tt.repair {
				args = append(args, "--repair")
			}
			out, errs, exit := runOn(t, socket, args...)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if last := lines[len(lines)-1]; exit != tt.exit || last != tt.last {
				t.Errorf("exit %d, %q %s; want %d, %q", exit, last, errs, tt.exit, tt.last)
			}
			out, _, exit = runOn(t, socket, append(args, "-o", "json")...)
			var got control.Audit
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatal(err)
			}
			if exit != tt.exit || got.Result != tt.result {
				t.Errorf("in JSON: exit %d, %q; want %d, %q", exit, got.Result, tt.exit, tt.result)
			}
		})
	}
}

// runOn is run with the control socket of a controller.
func runOn(t *testing.T, socket string, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	var out, errs bytes.Buffer
	exit = Main(t.Context(), environment{
		args: append(args, "--socket", socket), stdout: &out, stderr: &errs,
		getenv: func(string) (string, bool) { return "", false },
	})
	return out.String(), errs.String(), exit
}

func auditOf(steps []control.Step, notes ...control.Note) control.Audit {
	return control.Audit{Drift: control.Plan{Ops: steps, Notes: notes}}
}

// serveAudit runs a controller that gives this answer, and returns its socket.
func serveAudit(t *testing.T, a control.Audit) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "audit") // short, for the address of a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.sock")
	l, err := control.Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		control.Serve(ctx, l, auditor{answer: a}, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		stop()
		<-done
		os.RemoveAll(dir)
	})
	return path
}
