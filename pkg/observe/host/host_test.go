package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
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
		t.Fatal("this test needs root for a network namespace of its own; run it with `make real`")
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
	cfg.RouteProtocol, cfg.Alias = 98, "bgp-ovn"
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
		case <-time.After(30 * time.Second):
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

// TestCarrier: a device whose other end goes down is up without a carrier.
func TestCarrier(t *testing.T) {
	l := newLab(t)
	l.ip("link add v0 type veth peer name v1")
	l.ip("link set v0 up")
	l.open(Config{})
	is := func(up, carrier bool) func(*observe.Host) bool {
		return func(h *observe.Host) bool {
			v, ok := h.Link("v0")
			return ok && v.Up == up && v.NoCarrier == (up && !carrier)
		}
	}
	l.await("no carrier yet", is(true, false))
	l.ip("link set v1 up")
	l.await("carrier", is(true, true))
	l.ip("link set v1 down")
	l.await("carrier lost", is(true, false))
	l.ip("link set v0 down")
	l.await("down", is(false, false))
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

// TestLoss: a queue that overflows leads to a new reading.
func TestLoss(t *testing.T) {
	l := newLab(t)
	s := l.open(Config{Queue: 1})
	s.mu.Lock() // no draining meanwhile
	for i := range 30 {
		l.ip(fmt.Sprintf("link add x%d type ifb", i))
	}
	for i := range 29 {
		l.ip(fmt.Sprintf("link del x%d", i))
	}
	s.mu.Unlock()
	l.await("loss", func(h *observe.Host) bool { return names(h) == "lo x29" })
}

func TestMissingNamespace(t *testing.T) {
	if _, err := Open(t.Context(), Config{Netns: "/no/such/namespace"}); err == nil {
		t.Error("opened")
	}
}
