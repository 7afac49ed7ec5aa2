package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a fresh network namespace on the test's thread.
type lab struct {
	*testing.T
	dir string
	s   *Source
}

func newLab(t *testing.T, devices ...string) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root for a network namespace of its own; run it with `make netns`")
	}
	runtime.LockOSThread() // never unlocked
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	l := &lab{T: t, dir: t.TempDir()}
	for _, d := range devices {
		l.ip("link add " + d + " type ifb")
	}
	return l
}

func (l *lab) open(cfg Config) *Source {
	l.Helper()
	cfg.Marks = actual.DefaultMarks()
	cfg.TableRange = [2]uint32{200, 252}
	cfg.RtTablesPaths = []string{filepath.Join(l.dir, "rt_tables"), filepath.Join(l.dir, "rt_tables.d", "*.conf")}
	s, err := Open(l.Context(), cfg)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		if err := s.Close(); err != nil {
			l.Errorf("close: %v", err)
		}
	})
	l.s = s
	return s
}

func (l *lab) ip(args string) {
	l.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		l.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}

func (l *lab) read() *observe.Host {
	l.Helper()
	h, err := l.s.Read(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	return h
}

// await waits for signals until the state is as demanded.
func (l *lab) await(what string, ok func(*observe.Host) bool) {
	l.Helper()
	for !ok(l.read()) {
		select {
		case <-l.s.Changed():
		case <-time.After(5 * time.Second):
			l.Fatalf("%s: not signalled; have %+v", what, l.read())
		}
	}
}

func names(h *observe.Host) string {
	var out []string
	for _, l := range h.Links {
		out = append(out, l.Name)
	}
	return strings.Join(out, " ")
}

func TestLinks(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link add br-ex type bridge")
	l.open(Config{})
	first := l.read()
	if got := names(first); got != "a0 br-ex lo" {
		t.Fatalf("got %q", got)
	}
	l.ip("link set br-ex address 3a:f7:e9:54:e8:4d mtu 1400 up")
	l.await("change", func(h *observe.Host) bool {
		b, _ := h.Link("br-ex")
		return b.Up && b.MTU == 1400 && b.MAC.String() == "3a:f7:e9:54:e8:4d"
	})
	if now := l.read(); now.Revision <= first.Revision || names(now) != "a0 br-ex lo" {
		t.Errorf("revision %d after %d, links %q", now.Revision, first.Revision, names(now))
	}
	if b, _ := first.Link("br-ex"); b.Up {
		t.Error("an earlier state has changed")
	}
	l.ip("link add late0 type ifb")
	l.await("new device", func(h *observe.Host) bool { return names(h) == "a0 br-ex late0 lo" })
	l.ip("link set late0 name other0")
	l.await("rename", func(h *observe.Host) bool { return names(h) == "a0 br-ex lo other0" })
	l.ip("link del other0")
	l.await("device gone", func(h *observe.Host) bool { return names(h) == "a0 br-ex lo" })
}

// TestBridgePorts: a message about a port of a bridge is not about the device.
func TestBridgePorts(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link add b0 type bridge")
	l.open(Config{})
	l.ip("link set a0 master b0")
	l.ip("link set a0 nomaster")
	l.ip("link set a0 up")
	l.await("up", func(h *observe.Host) bool { a, ok := h.Link("a0"); return ok && a.Up })
}

// TestQuiet: what changes nothing that is observed makes no new revision.
func TestQuiet(t *testing.T) {
	l := newLab(t, "a0")
	s := l.open(Config{})
	before := l.read()
	l.ip("link set a0 alias something")
	l.ip("route add unreachable 10.0.0.0/8 table 77")
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.drain()
	s.mu.Unlock()
	if now := l.read(); now != before {
		t.Errorf("revision %d after %d", now.Revision, before.Revision)
	}
}

// TestLoss: a queue that runs over leads to a new reading.
func TestLoss(t *testing.T) {
	l := newLab(t)
	s := l.open(Config{Queue: 1})
	s.mu.Lock() // nobody drains
	for i := range 30 {
		l.ip(fmt.Sprintf("link add x%d type ifb", i))
	}
	for i := range 29 {
		l.ip(fmt.Sprintf("link del x%d", i))
	}
	s.mu.Unlock()
	l.await("loss", func(h *observe.Host) bool { return names(h) == "lo x29" })
}

func TestTables(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link set a0 up")
	if err := os.MkdirAll(filepath.Join(l.dir, "rt_tables.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"rt_tables":              "# comment\n255\tlocal\n254 main\n201 br-ex\n0x12 hex # why\n\nnonsense\n-1 minus\n202\n",
		"rt_tables.d/blue.conf":  "1001 vrf-blue\n201 br-ex\n201 second\n",
		"rt_tables.d/ignored.md": "7 ignored\n",
	} {
		if err := os.WriteFile(filepath.Join(l.dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l.ip("route add 10.0.0.0/8 dev a0 table 201 proto 98")
	l.ip("route add 10.0.0.0/9 dev a0 table 201 proto bgp")      // ours too: not foreign
	l.ip("route add 10.0.0.0/8 dev a0 table 203 proto bgp")      // foreign
	l.ip("-6 route add unreachable 2001:db8::/32 table 204")     // foreign
	l.ip("route add 10.0.0.0/8 dev a0 table 205 proto 2")        // kernel's
	l.ip("route add 10.0.0.0/8 dev a0 table 206 proto 98")       // ours
	l.ip("route add 10.0.0.0/8 dev a0 table 300 proto bgp")      // out of range
	l.ip("-6 route add 2001:db8::/32 dev a0 table 207 proto 98") // ours, and
	l.ip("route add 10.0.0.0/8 dev a0 table 207 proto bgp")      // theirs
	var log strings.Builder
	s := l.open(Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	want := []observe.RoutingTable{
		{ID: 18, Name: "hex"},
		{ID: 201, Name: "br-ex"},
		{ID: 201, Name: "second"},
		{ID: 203, Foreign: true},
		{ID: 204, Foreign: true},
		{ID: 254, Name: "main"},
		{ID: 255, Name: "local"},
		{ID: 1001, Name: "vrf-blue"},
	}
	if diff := cmp.Diff(want, l.read().Tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"nonsense", "-1 minus", `\"202\"`} {
		if !strings.Contains(log.String(), bad) {
			t.Errorf("nothing was said about %s:\n%s", bad, log.String())
		}
	}
	// A name and a foreign route come and go with a refresh.
	l.ip("route flush table 203")
	l.ip("route add 10.0.0.0/8 dev a0 table 202 proto static")
	if err := os.Remove(filepath.Join(l.dir, "rt_tables.d/blue.conf")); err != nil {
		t.Fatal(err)
	}
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want = []observe.RoutingTable{
		{ID: 18, Name: "hex"}, {ID: 201, Name: "br-ex"}, {ID: 202, Foreign: true},
		{ID: 204, Foreign: true}, {ID: 254, Name: "main"}, {ID: 255, Name: "local"},
	}
	if diff := cmp.Diff(want, l.read().Tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

// TestHeld: what cannot be read leaves what was known.
func TestHeld(t *testing.T) {
	l := newLab(t, "a0")
	file := filepath.Join(l.dir, "rt_tables")
	if err := os.WriteFile(file, []byte("201 br-ex\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := l.open(Config{})
	before := l.read()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o755); err != nil { // reading it is an error for root too
		t.Fatal(err)
	}
	if err := s.Refresh(t.Context()); err == nil {
		t.Error("no error")
	}
	if l.read() != before {
		t.Error("what was known is gone")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Refresh(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if l.read() != before {
		t.Error("what was known is gone")
	}
	if err := s.Refresh(t.Context()); err != nil || len(l.read().Tables) != 0 {
		t.Errorf("the next attempt: %v, %v", l.read().Tables, err)
	}
}

// TestBigTable: a table full of others' routes is not read to its end.
func TestBigTable(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link set a0 up")
	var batch strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&batch, "route add 10.%d.%d.%d/32 dev a0 table 210 proto bgp\n", i>>16, i>>8&255, i&255)
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := l.open(Config{})
	for range 2 {
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]observe.RoutingTable{{ID: 210, Foreign: true}}, l.read().Tables); diff != "" {
		t.Error(diff)
	}
}

func TestMissingNamespace(t *testing.T) {
	if _, err := Open(t.Context(), Config{Netns: "/no/such/namespace"}); err == nil {
		t.Error("opened")
	}
}

func FuzzParseTables(f *testing.F) {
	f.Add("201 br-ex\n")
	f.Fuzz(func(t *testing.T, text string) {
		tables, _ := parseTables(text)
		for _, table := range tables {
			if table.Name == "" || strings.ContainsAny(table.Name, " \n\t") {
				t.Errorf("name %q", table.Name)
			}
		}
	})
}
