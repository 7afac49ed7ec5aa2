package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/state"
)

const fixtures = "../observe/file/testdata/"

// defaults are the settings without a file.
func defaults(t *testing.T) config.Settings {
	t.Helper()
	empty := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, problems := config.Load(config.Source{
		Path: empty, Getenv: func(string) (string, bool) { return "", false }, Flags: config.Flags(),
	})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

func replay(t *testing.T, name, chassis string) *Replay {
	t.Helper()
	snap, err := ReadSnapshot(fixtures+name, chassis)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenReplay(t.Context(), defaults(t), snap, AgainstModel, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// A snapshot file answers everything that the databases would, and the same each
// time.
func TestReplay(t *testing.T) {
	r := replay(t, "provider-flat.json", "hv1")
	ctx := t.Context()
	p, err := r.Plan(ctx)
	if err != nil || !p.Differs() {
		t.Fatalf("plan: %+v, %v", p.Summary, err)
	}
	if !slices.ContainsFunc(p.Ops, func(s control.Step) bool {
		return s.Kind == "path" &&
			strings.Contains(s.Key, "172.24.4.11/32")
	}) {
		t.Error("no path of the VM in the plan")
	}
	for range 3 {
		if again, err := r.Plan(ctx); err != nil || again.Summary != p.Summary || len(again.Ops) != len(p.Ops) {
			t.Errorf("another plan: %s, %v", again.Summary, err)
		}
	}
	a, err := r.Audit(ctx, false)
	if err != nil || len(a.Drift.Ops) != len(p.Ops) || a.Repaired || a.Failed == nil {
		t.Errorf("audit: %+v, %v", a.Drift.Summary, err)
	}
	d, err := r.Desired(ctx)
	if err != nil || d.Chassis == "" || len(d.Objects) == 0 {
		t.Errorf("desired: %+v, %v", d.Chassis, err)
	}
	for addr, want := range map[string]bool{"172.24.4.11": true, "172.24.4.12": false, "::ffff:172.24.4.11": true} {
		if e, err := r.Explain(ctx, addr); err != nil || e.Advertised != want || !e.Hypothetical {
			t.Errorf("explain %s: %+v, %v", addr, e, err)
		}
	}
	if _, err := r.Explain(ctx, "garbage"); err == nil || !strings.Contains(err.Error(), "give an IP address") {
		t.Errorf("explain garbage: %v", err)
	}
	if raw, err := r.Snapshot(ctx); err != nil || len(raw) == 0 {
		t.Errorf("snapshot: %v", err)
	}
}

func TestReplayEVPN(t *testing.T) {
	snap, err := ReadSnapshot(fixtures+"provider-flat.json", "hv1")
	if err != nil {
		t.Fatal(err)
	}
	s, problems := defaults(t).WithDriver("ovn_evpn_driver")
	if len(problems) > 0 || !s.RunsEVPN() {
		t.Fatalf("with the alias of the driver: %v", problems)
	}
	r, err := OpenReplay(t.Context(), s, snap, AgainstModel, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.EVPN(t.Context(), 9); err == nil {
		t.Error("an unknown VNI is no error")
	}
	if e, err := r.EVPN(t.Context(), 0); err != nil || e.VNIs == nil {
		t.Errorf("evpn: %+v, %v", e, err)
	}
}

func TestReadSnapshotErrors(t *testing.T) {
	for _, tt := range []struct{ name, file, chassis, want string }{
		{"missing", "/nonexistent/x.json", "", "/nonexistent/x.json"},
		{"which", fixtures + "provider-flat.json", "", "set --chassis to one of [hv1"},
		{"unknown", fixtures + "provider-flat.json", "hv9", "hv1"},
	} {
		if _, err := ReadSnapshot(tt.file, tt.chassis); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, text := range []string{"", "Model", "both"} {
		if _, err := ParseAgainst(text); err == nil {
			t.Errorf("--against %q is valid", text)
		}
	}
}

// A preview says what would be done and writes nothing: no route, no state file.
func TestPreview(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	p, err := OpenPreview(t.Context(), w.settings(), w.log())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.WaitSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	plan, err := p.Plan(t.Context())
	if err != nil || !plan.Differs() {
		t.Errorf("plan: %+v, %v", plan, err)
	}
	if _, err := p.Audit(t.Context(), true); err != nil {
		t.Errorf("a repair of a preview: %v", err)
	}
	if r := w.routes(); r != "" {
		t.Errorf("it wrote\n%s", r)
	}
	if _, err := os.Stat(w.path("state.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made a state file: %v", err)
	}
	if e, err := p.Explain(t.Context(), there.String()); err != nil || e.Advertised ||
		!slices.ContainsFunc(e.Probable, func(c string) bool { return strings.HasPrefix(c, "hv2") }) {
		t.Errorf("explain %s: %+v, %v", there, e, err)
	}
}

// Watch shows each plan once, and ends with the error of who shows it.
func TestWatch(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	p, err := OpenPreview(t.Context(), w.settings(), w.log())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	full := errors.New("disk full")
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	shown := 0
	err = p.Watch(ctx, func(plan control.Plan) error {
		if shown++; shown == 1 {
			w.bind("vm-b", "hv1")
			return nil
		}
		if !slices.ContainsFunc(plan.Ops, func(s control.Step) bool { return strings.Contains(s.Key, there.String()) }) {
			t.Errorf("the second plan lacks the address that came: %+v", plan.Summary)
		}
		return full
	})
	if !errors.Is(err, full) || shown != 2 {
		t.Errorf("ended with %v after %d plans", err, shown)
	}
}

// Cleanup removes what a node left, and shows it first. A drain is over with it.
func TestCleanup(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	drain := func(set string) string {
		t.Helper()
		db, err := state.Open(w.settings().StateFile, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if set != "" {
			db.Remember(reconcile.NoteDrain, set)
		}
		return db.Remembered(reconcile.NoteDrain)
	}
	n, err := Open(t.Context(), w.settings(), w.options())
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Converge(t.Context(), deadline, func(control.Plan) error { return nil })
	if err := errors.Join(err, n.Close()); err != nil {
		t.Fatal(err)
	}
	before := w.routes()
	w.stopServer() // it needs no database
	drain(`{"since":"2026-01-02T03:04:05Z"}`)
	for _, dryRun := range []bool{true, false, true} {
		c, err := OpenCleanup(t.Context(), w.settings(), w.log(), dryRun)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Run(t.Context())
		if err := errors.Join(err, c.Close()); err != nil {
			t.Fatal(err)
		}
		if is := drain(""); (is == "") != (w.routes() == "") {
			t.Errorf("dry run %v: the drain is %q", dryRun, is)
		}
		switch r := w.routes(); {
		case dryRun && r != "" && (!p.Differs() || r != before):
			t.Errorf("dry run: %s, routes\n%s", p.Summary, r)
		case !dryRun && r != "":
			t.Errorf("left behind\n%s", r)
		case dryRun && r == "" && len(p.Ops) > 0:
			t.Errorf("still to do: %+v", p.Ops)
		}
	}
	if rules := w.run("ip", "rule"); strings.Contains(rules, "32000:") {
		t.Errorf("rules left behind\n%s", rules)
	}
}

// ports is a ledger that records a port of Open vSwitch, or none.
type ports bool

func (p ports) Keys(k object.Kind) []object.Key {
	if p && k == object.KindOVSPort {
		return []object.Key{{Kind: k, Name: "port"}}
	}
	return nil
}

// Ports of Open vSwitch can be ours with the EVPN driver, and after it as long as
// one is recorded; never where Open vSwitch is left to others.
func TestMayMakePorts(t *testing.T) {
	plain := defaults(t)
	evpn, _ := plain.WithDriver("osp_ovn_evpn_driver")
	unmanaged := evpn
	unmanaged.Flows.Manage = false
	for _, tt := range []struct {
		name     string
		s        config.Settings
		recorded ports
		want     bool
	}{
		{"neither", plain, false, false},
		{"a port is recorded", plain, true, true},
		{"the driver", evpn, false, true},
		{"flows are left to others", unmanaged, true, false},
	} {
		if got := mayMakePorts(tt.s, tt.recorded); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
