package agent

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/bundle"
	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// The secrets of the tests here. That every key which is a secret has one is what
// TestNoSecretIsWritten of package config checks.
const (
	wordSecret = "s3cret-in-the-file"
	fileSecret = "s3cret-of-its-own"
)

// secretKeys is a configuration with both.
func secretKeys(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(fileSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return `bgp:
  listen: {port: -1}
  peers:
    - {address: 192.0.2.9, as: 65000, password: ` + wordSecret + `}
    - {address: 192.0.2.10, as: 65000, password_file: ` + path + `}`
}

func (w *world) support(c interface {
	Record(ctx context.Context, take control.Take) error
},
) *Support {
	s := w.settings()
	return &Support{
		Settings: s, Program: "bgp-ovn test", Controller: c,
		Preview: func(ctx context.Context, take control.Take) error {
			p, err := OpenPreview(ctx, s, w.log())
			if err != nil {
				return err
			}
			if err = p.WaitSnapshot(ctx); err == nil {
				err = p.Record(ctx, take)
			}
			return errors.Join(err, p.Close())
		},
		Examine: func(context.Context) ([]byte, []byte, error) {
			return nil, nil, errors.New("cannot log in with " + wordSecret)
		},
	}
}

// supportBundle writes a bundle and returns its path and all of its text.
func supportBundle(t *testing.T, s *Support) (path, text string, m bundle.Manifest) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bundle.tar.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = s.Write(t.Context(), f, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for in := tar.NewReader(zip); ; {
		h, err := in.Next()
		if err == io.EOF {
			return path, all.String(), m
		}
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("== " + h.Name + "\n")
		if _, err := io.Copy(&all, in); err != nil {
			t.Fatal(err)
		}
	}
}

// A bundle has everything but secrets, and answers as the controller did.
func TestSupportBundle(t *testing.T) {
	w := newWorld(t, secretKeys(t))
	var recent Recent
	w.recent = &recent
	c := w.start()
	ctx := t.Context()
	await(t, func() string {
		if r := w.routes(); !strings.Contains(r, here.String()) {
			return "no route to " + here.String()
		}
		if p, err := c.Plan(ctx); err != nil || len(p.Ops) > 0 {
			return "the node does not settle"
		}
		// Until both peers have been dialled, what is told of them changes.
		if x, err := c.Explain(ctx, here.String()); err != nil || strings.Count(x.First, "unreachable") < 2 {
			return fmt.Sprintf("explain says %q, %v", x.First, err)
		}
		return ""
	})
	slog.New(slog.NewTextHandler(&recent, nil)).Info("a library says", "key", fileSecret)
	path, text, m := supportBundle(t, w.support(c))
	for _, secret := range []string{wordSecret, fileSecret, "s3cret"} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s is in the bundle: %q", secret, text[max(i-200, 0):i])
		}
	}
	if !strings.Contains(text, key.Removed) || !strings.Contains(text, "a library says") {
		t.Error("the log is not in the bundle, or without what was removed")
	}
	if m.Controller != "running" || m.Chassis != "hv1" {
		t.Errorf("manifest: %+v", m)
	}
	for _, name := range append(control.Parts(), "versions.json", "kernel/link.json", "kernel/rule4.json") {
		if !strings.Contains(text, "== "+name+"\n") {
			t.Errorf("there is no %s", name)
		}
	}
	r, err := OpenRecorded(path, w.log())
	if err != nil {
		t.Fatal(err)
	}
	sameAnswers(t, c, r)
}

// sameAnswers compares what two controllers say of a node that is at rest.
func sameAnswers(t *testing.T, live, recorded control.Controller) {
	t.Helper()
	ctx := t.Context()
	for name, ask := range map[string]func(control.Controller) (any, error){
		"plan":    func(c control.Controller) (any, error) { return c.Plan(ctx) },
		"desired": func(c control.Controller) (any, error) { return c.Desired(ctx) },
		"history": func(c control.Controller) (any, error) { return c.History(ctx, history.Filter{}) },
		"history of an address": func(c control.Controller) (any, error) {
			return c.History(ctx, history.Filter{Target: here.String(), Most: 1})
		},
		"explain here":    func(c control.Controller) (any, error) { return c.Explain(ctx, here.String()) },
		"explain there":   func(c control.Controller) (any, error) { return c.Explain(ctx, there.String()) },
		"explain unknown": func(c control.Controller) (any, error) { return c.Explain(ctx, "198.51.100.77") },
		"find":            func(c control.Controller) (any, error) { return c.Find(ctx, "vm-b") },
		"evpn":            func(c control.Controller) (any, error) { return c.EVPN(ctx, 0) },
	} {
		want, err := ask(live)
		if err != nil {
			t.Fatalf("%s of the controller: %v", name, err)
		}
		if got, err := ask(recorded); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s of the bundle, %v:\n%s\nof the controller:\n%s", name, err, asJSON(t, got), asJSON(t, want))
		}
	}
}

// hanging tells one part and then nothing more.
type hanging struct{ control.Controller }

func (h hanging) Record(ctx context.Context, take control.Take) error {
	if err := take(control.Part{Name: control.PartLog, Data: []byte("the last words\n")}); err != nil {
		return err
	}
	return errors.New("the controller has sent nothing for a while")
}

// A controller that hangs, and one that does not run, keep no bundle from being written:
// what it has not told is computed, and the manifest says what is missing.
func TestSupportBundleWithoutController(t *testing.T) {
	w := newWorld(t, secretKeys(t))
	for name, c := range map[string]interface {
		Record(ctx context.Context, take control.Take) error
	}{
		"none": control.NewClient(w.path("control.sock")), "hanging": hanging{},
	} {
		path, text, m := supportBundle(t, w.support(c))
		if strings.Contains(text, "s3cret") {
			t.Errorf("%s: a secret is in the bundle", name)
		}
		if m.Controller == "running" {
			t.Errorf("%s: the manifest says that the controller runs", name)
		}
		missing := map[string]string{}
		for _, x := range m.Missing {
			missing[x.Name] = x.Why
		}
		for _, part := range []string{control.PartStatus, control.PartHistory, control.PartMetrics, "doctor.json"} {
			if missing[part] == "" {
				t.Errorf("%s: the manifest does not say why there is no %s", name, part)
			}
		}
		if got := strings.Contains(text, "the last words"); got != (name == "hanging") {
			t.Errorf("%s: what it has told is in the bundle: %t", name, got)
		}
		r, err := OpenRecorded(path, w.log())
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.Plan(t.Context())
		if err != nil || len(p.Ops) == 0 {
			t.Errorf("%s: plan %+v, %v", name, p, err)
		}
		e, err := r.Explain(t.Context(), here.String())
		if err != nil || e.Advertised || e.Code == "no-row" {
			t.Errorf("%s: explain %+v, %v", name, e, err)
		}
		if _, err := r.Status(t.Context()); err == nil {
			t.Errorf("%s: there is a status", name)
		}
	}
}

// FuzzRecorded: whatever the members of a bundle are, answers come or errors do.
func FuzzRecorded(f *testing.F) {
	snapshot, err := os.ReadFile("../observe/file/testdata/provider-flat.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("chassis: hv3\n"), snapshot, []byte(`{"notes": [{"kind": "path", "key": "ipv4-unicast 10.0.0.1/32"}]}`),
		[]byte("route 10.0.0.1/32 table 201 metric 0  dev br-ex\n"), []byte(`[{"address": "10.0.0.1"}]`), "10.0.0.1")
	f.Fuzz(func(t *testing.T, conf, snapshot, plan, current, explained []byte, target string) {
		var b bytes.Buffer
		w := bundle.NewWriter(&b, "p", time.Time{})
		for name, data := range map[string][]byte{
			control.PartConfiguration: conf, control.PartSnapshot: snapshot, control.PartPlan: plan,
			control.PartCurrent: current, control.PartExplanations: explained, control.PartHistory: plan,
			control.PartStatus: explained, control.PartPeers: plan,
		} {
			if err := w.Add(name, data); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := bundle.Decode(&b, control.Parts()...)
		if err != nil {
			t.Fatal(err)
		}
		r := &Recorded{got, slog.New(slog.DiscardHandler)}
		_, _ = r.Plan(t.Context())
		_, _ = r.Explain(t.Context(), target)
		_, _ = r.EVPN(t.Context(), 0)
		_, _ = r.Find(t.Context(), target)
		_, _ = r.Status(t.Context())
		_, _ = r.BGPPeers(t.Context(), target)
		_, _ = r.History(t.Context(), history.Filter{Target: target})
	})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
