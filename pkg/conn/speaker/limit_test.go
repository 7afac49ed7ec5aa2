package speaker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

// limited is a server with the bounds of a speaker process and nothing to call.
func limited(t *testing.T) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "grpc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(serverOptions()...)
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)
	return path
}

// connect speaks gRPC with the server, or returns why not.
func connect(ctx context.Context, path string) error {
	conn, err := grpc.NewClient("unix://"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if !conn.WaitForStateChange(ctx, state) {
			return ctx.Err()
		}
	}
	return nil
}

// Clients that connect and say nothing are served up to the limit and no further, and
// lose their places, so that a controller gets one.
func TestLingeringClientsOfTheSpeaker(t *testing.T) {
	path := limited(t)
	var lingering []net.Conn
	for range 3 * maxClients {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		lingering = append(lingering, c)
	}
	turned := 0
	for _, c := range lingering {
		if err := c.SetReadDeadline(time.Now().Add(helloLimit / 10)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); err == nil { // the server has closed it
			turned++
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			turned++
		}
	}
	if turned < 2*maxClients {
		t.Errorf("%d of %d clients were turned away, want at least %d", turned, 3*maxClients, 2*maxClients)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := connect(ctx, path); err != nil {
		t.Errorf("a controller does not get a place: %v", err)
	}
}

// A place that was given back can be taken again, and is given back only once.
func TestPlaces(t *testing.T) {
	g := greeter{insecure.NewCredentials(), make(chan struct{}, 1)}
	a, _ := net.Pipe()
	first, _, err := g.ServerHandshake(a)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := net.Pipe()
	if _, _, err := g.Clone().ServerHandshake(b); err == nil {
		t.Error("a second client got the only place")
	}
	first.Close()
	first.Close()
	if second, _, err := g.ServerHandshake(b); err != nil {
		t.Error(err)
	} else if len(g.places) != 1 {
		t.Errorf("%d places are taken", len(g.places))
	} else {
		second.Close()
	}
}

// What is no dead socket stays where it is.
func TestServeLeavesFilesAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "precious")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file: "a regular file exists there", empty: "a directory exists there", link: "a symbolic link exists there",
	} {
		err := Serve(t.Context(), "unix:"+path, slog.New(slog.DiscardHandler), func() { t.Error("it serves") })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("it was removed: %v", err)
		}
	}
}
