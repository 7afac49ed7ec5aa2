package nb_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/nb"
)

const (
	schemaFile = "/usr/share/ovn/ovn-nb.ovsschema"
	// patience bounds every wait; what is waited for takes milliseconds.
	patience = 60 * time.Second
)

// server is a real ovsdb-server with a Northbound database.
type server struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
}

func newServer(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "nb") // short, for the address of a socket
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: dir}
	t.Cleanup(func() {
		s.kill()
		os.RemoveAll(dir)
	})
	run(t, "ovsdb-tool", "create", s.path("nb.db"), schemaFile)
	s.start()
	s.nbctl("init")
	return s
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }
func (s *server) remote() string          { return "unix:" + s.path("nb.sock") }

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(find(s.t, "ovsdb-server"), s.path("nb.db"), "--remote=punix:"+s.path("nb.sock"),
		"--unixctl="+s.path("ctl"), "--log-file="+s.path("log"), "-vconsole:off")
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("unix", s.path("nb.sock")); err == nil {
			c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatal("ovsdb-server does not answer")
		}
	}
}

// kill ends the server the hard way, by its pid.
func (s *server) kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) nbctl(args ...string) string {
	s.t.Helper()
	return run(s.t, "ovn-nbctl", append([]string{"--db=" + s.remote()}, args...)...)
}

func find(t *testing.T, program string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/bin/", "/usr/sbin/"} {
		if path, err := exec.LookPath(dir + program); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: these tests need the packages openvswitch-switch, ovn-common and ovn-central", program)
	return ""
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(find(t, name), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func open(t *testing.T, remote string) *nb.Source {
	t.Helper()
	s, err := nb.Open(t.Context(), ovsdb.Config{
		Remotes: []string{remote}, BackoffMin: 10 * time.Millisecond, BackoffMax: 40 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// await waits until the rows satisfy a condition, woken by Changed alone.
func await(t *testing.T, s *nb.Source, what string, holds func(*observe.Northbound) bool) *observe.Northbound {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		have, err := s.Read(ctx)
		if err == nil && holds(have) {
			return have
		}
		select {
		case <-s.Changed():
		case <-ctx.Done():
			t.Fatalf("in vain: %s; %v, %+v", what, err, s.Status())
		}
	}
}

// translated reports whether the only router translates an address.
func translated(t *testing.T, have *observe.Northbound, addr string) bool {
	t.Helper()
	n, err := have.SourceNAT(have.Routers[0], netip.MustParseAddr(addr))
	if err != nil {
		t.Fatal(err)
	}
	return n != nil
}

// SNAT is added and removed in a real database; the router's row and the NAT
// rows that it refers to are never seen apart.
func TestSNATComesAndGoes(t *testing.T) {
	srv := newServer(t)
	srv.nbctl("lr-add", "neutron-r1")
	id := srv.nbctl("get", "Logical_Router", "neutron-r1", "_uuid")
	srv.nbctl("lr-nat-add", "neutron-r1", "dnat_and_snat", "172.24.4.199", "10.0.0.5")
	s := open(t, srv.remote())
	have := await(t, s, "the router", func(nb *observe.Northbound) bool { return nb.Stale == "" })
	if len(have.Routers) != 1 || have.Routers[0].Name != "neutron-r1" || have.Routers[0].UUID.String() != id ||
		len(have.NATs) != 1 {
		t.Fatalf("got %+v", have)
	}
	if translated(t, have, "10.0.0.5") {
		t.Error("a floating IP is not SNAT of its network")
	}
	for range 20 {
		srv.nbctl("lr-nat-add", "neutron-r1", "snat", "172.24.4.146", "10.0.0.0/26")
		have = await(t, s, "SNAT", func(nb *observe.Northbound) bool { return len(nb.NATs) == 2 })
		if !translated(t, have, "10.0.0.1") || translated(t, have, "10.0.0.65") || translated(t, have, "2001:db8:1::1") {
			t.Fatalf("got %+v", have)
		}
		srv.nbctl("lr-nat-del", "neutron-r1", "snat", "10.0.0.0/26")
		have = await(t, s, "no SNAT", func(nb *observe.Northbound) bool { return len(nb.NATs) == 1 })
		if translated(t, have, "10.0.0.1") {
			t.Fatalf("got %+v", have)
		}
	}
}

// While no server answers, the last rows stay, with the reason why they may be old.
func TestStale(t *testing.T) {
	srv := newServer(t)
	srv.nbctl("lr-add", "r1")
	s := open(t, srv.remote())
	first := await(t, s, "the router", func(nb *observe.Northbound) bool { return nb.Stale == "" })
	srv.kill()
	lost := await(t, s, "a word about the loss", func(nb *observe.Northbound) bool { return nb.Stale != "" })
	if !strings.Contains(lost.Stale, "no connection to the Northbound database") || lost.Revision != first.Revision ||
		len(lost.Routers) != 1 {
		t.Errorf("got %+v", lost)
	}
	if s.Status().Synced {
		t.Error("the status reports that it is in step")
	}
	srv.start()
	back := await(t, s, "the same again", func(nb *observe.Northbound) bool { return nb.Stale == "" })
	if back.Revision != first.Revision {
		t.Errorf("revision %d -> %d for equal rows", first.Revision, back.Revision)
	}
}

// A Southbound database is not taken for a Northbound one.
func TestWrongDatabase(t *testing.T) {
	dir, err := os.MkdirTemp("", "nb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	srv := &server{t: t, dir: dir}
	t.Cleanup(srv.kill)
	run(t, "ovsdb-tool", "create", srv.path("nb.db"), "/usr/share/ovn/ovn-sb.ovsschema")
	srv.start()
	s := open(t, srv.remote())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.Read(ctx)
		if err != nil && strings.Contains(err.Error(), "the server has no database OVN_Northbound") {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("got %v", err)
		}
	}
}
