package control_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// serveReading serves a socket for those who may only read.
func serveReading(t *testing.T, c control.Controller, path string) {
	t.Helper()
	l, err := control.Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "m 1\n") })
		control.ServeReading(ctx, l, c, metrics, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// The socket for reading answers every question that changes nothing, and refuses
// everything else before the controller hears of it: every method but GET, of every
// question that there is or may come to be.
func TestReadingSocket(t *testing.T) {
	c := sample()
	path := filepath.Join(t.TempDir(), "read.sock")
	serveReading(t, c, path)
	client := control.NewClient(path)
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"status":   func() error { _, err := client.Status(ctx); return err },
		"plan":     func() error { _, err := client.Plan(ctx); return err },
		"desired":  func() error { _, err := client.Desired(ctx); return err },
		"explain":  func() error { _, err := client.Explain(ctx, "192.0.2.7"); return err },
		"evpn":     func() error { _, err := client.EVPN(ctx, 0); return err },
		"audit":    func() error { _, err := client.Audit(ctx, false); return err },
		"snapshot": func() error { _, err := client.Snapshot(ctx); return err },
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.asked = nil
	const want = "changes nothing"
	for name, ask := range map[string]func() error{
		"repair":         func() error { _, err := client.Audit(ctx, true); return err },
		"reload":         func() error { _, err := client.Reload(ctx, false); return err },
		"release":        func() error { _, err := client.ReleasePeer(ctx, "192.0.2.9"); return err },
		"reload dry run": func() error { _, err := client.Reload(ctx, true); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	raw := &http.Client{Transport: transport(path)}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get", "WHATEVER"} {
		for _, name := range []string{"status", "audit", "reload", "anything"} {
			req, err := http.NewRequestWithContext(ctx, method, "http://x/v1/"+name, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := raw.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s: status %d", method, name, resp.StatusCode)
			}
		}
	}
	if len(c.asked) > 0 {
		t.Errorf("the controller was asked %v", c.asked)
	}
}

// Who has no right to the control socket reads on the other one, and learns that it
// cannot repair there. The test takes another user for a moment, because root has
// every right.
func TestClientOfTheReadingSocket(t *testing.T) {
	c := sample()
	all := serve(t, c)
	read := filepath.Join(filepath.Dir(all), "read.sock")
	serveReading(t, c, read)
	for _, path := range []string{filepath.Dir(filepath.Dir(all)), read} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	client := control.NewClient(all).OrRead(read)
	asNobody(t, func() {
		if _, err := client.Status(t.Context()); err != nil {
			t.Errorf("status: %v", err)
		}
		if _, err := client.Audit(t.Context(), true); err == nil ||
			!strings.Contains(err.Error(), all+": permission denied; run as root") {
			t.Errorf("repair: %v", err)
		}
		if _, err := control.NewClient(all).Status(t.Context()); err == nil || errors.Is(err, control.ErrNoController) {
			t.Errorf("without the other socket: %v", err)
		}
	})
	if err := os.Chmod(read, 0o600); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		if _, err := client.Status(t.Context()); err == nil || !strings.Contains(err.Error(), all+": permission denied") {
			t.Errorf("status without any right: %v", err)
		}
	})
}

// asNobody runs f with the rights of a user and group that own nothing.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	const nobody = 65534
	groups, err := syscall.Getgroups()
	if err == nil {
		err = errors.Join(syscall.Setgroups(nil), syscall.Setegid(nobody), syscall.Seteuid(nobody))
	}
	defer func() {
		if err := errors.Join(syscall.Seteuid(0), syscall.Setegid(0), syscall.Setgroups(groups)); err != nil {
			panic(err)
		}
	}()
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	f()
}

// transport asks on a unix socket.
func transport(path string) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
}
