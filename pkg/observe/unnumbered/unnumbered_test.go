package unnumbered

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// end is a network namespace with device u0, and a source in it.
type end struct {
	*testing.T
	pid int
	s   *Source
}

// newEnd holds a namespace by a process that ends with the test.
func newEnd(t *testing.T) *end {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root for a network namespace of its own; run it with `make real`")
	}
	holder := exec.Command("unshare", "-n", "sh", "-c", "echo; exec cat")
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		holder.Wait()
	})
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return &end{T: t, pid: holder.Process.Pid}
}

// newWire connects two ends.
func newWire(t *testing.T) (a, b *end) {
	t.Helper()
	a, b = newEnd(t), newEnd(t)
	a.ip(fmt.Sprintf("link add u0 type veth peer name u0 netns %d", b.pid))
	for _, e := range []*end{a, b} {
		e.ip("link set u0 up")
	}
	return a, b
}

func (e *end) ip(args string) string {
	e.Helper()
	words := append([]string{"-t", fmt.Sprint(e.pid), "-n", "ip"}, strings.Fields(args)...)
	out, err := exec.Command("nsenter", words...).CombinedOutput()
	if err != nil {
		e.Fatalf("ip %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func (e *end) open(interfaces ...string) {
	e.Helper()
	s, err := Open(Config{Netns: fmt.Sprintf("/proc/%d/ns/net", e.pid), Interfaces: interfaces})
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() {
		if err := s.Close(); err != nil {
			e.Errorf("close: %v", err)
		}
	})
	e.s = s
}

// await waits until device u0 is as demanded; nil is that it is not listened on.
func (e *end) await(what string, ok func(*observe.UnnumberedLink) bool) {
	e.Helper()
	late := time.After(time.Minute)
	for {
		state, err := e.s.Read(e.Context())
		if err != nil && !errors.Is(err, observe.ErrNotSynced) {
			e.Fatal(err)
		}
		var link *observe.UnnumberedLink
		if err == nil {
			for i := range state.Links {
				link = &state.Links[i]
			}
			if ok(link) {
				return
			}
		}
		select {
		case <-e.s.Changed():
		case <-late:
			e.Fatalf("%s: %+v, %v", what, link, err)
		}
	}
}

func (e *end) awaitNeighbour(want string) {
	e.Helper()
	addr := netip.MustParseAddr(want)
	e.await("neighbour "+want, func(l *observe.UnnumberedLink) bool {
		return l != nil && l.Neighbour == addr && l.Trouble == ""
	})
}

// addresses replaces the link-local addresses of u0.
func (e *end) addresses(addrs ...string) {
	e.Helper()
	e.ip("-6 addr flush dev u0 scope link")
	for _, a := range addrs {
		e.ip("-6 addr add " + a + "/64 dev u0 scope link nodad")
	}
}

// TestTwoSources: two of us find each other, and follow an address that changes, a link that
// goes down, and another configuration.
func TestTwoSources(t *testing.T) {
	t.Parallel()
	a, b := newWire(t)
	a.addresses("fe80::a")
	b.addresses("fe80::b")
	a.open("u*")
	b.open("u0")
	a.awaitNeighbour("fe80::b")
	b.awaitNeighbour("fe80::a")
	b.addresses("fe80::b2")
	a.awaitNeighbour("fe80::b2")
	b.ip("link set u0 down") // takes the carrier of the other one
	a.await("the link is down", func(l *observe.UnnumberedLink) bool { return l == nil })
	b.ip("link set u0 up")
	b.addresses("fe80::b3")
	a.awaitNeighbour("fe80::b3")
	b.awaitNeighbour("fe80::a")
	a.s.Listen(nil)
	a.await("not wanted", func(l *observe.UnnumberedLink) bool { return l == nil })
	a.s.Listen([]string{"u0"})
	a.awaitNeighbour("fe80::b3")
}

// TestTwoRouters: a second router on the link is told of, and does not take the session.
func TestTwoRouters(t *testing.T) {
	t.Parallel()
	a, b := newWire(t)
	a.addresses("fe80::a")
	b.addresses("fe80::b")
	b.open("u0")
	a.open("u0")
	a.awaitNeighbour("fe80::b")
	b.ip("-6 addr add fe80::c/64 dev u0 scope link nodad")
	b.ip("-6 addr change fe80::b/64 dev u0 scope link preferred_lft forever")
	other, err := Open(Config{Netns: fmt.Sprintf("/proc/%d/ns/net", b.pid)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	l := &link{source: other}
	other.ns.Do(func() error {
		devices, err := devicesLike([]string{"u0"})
		if err != nil || len(devices) != 1 {
			t.Errorf("%v, %v", devices, err)
			return err
		}
		devices[0].own = []netip.Addr{netip.MustParseAddr("fe80::c")}
		l.meet(devices[0])
		return nil
	})
	defer l.close()
	a.await("the other router", func(l *observe.UnnumberedLink) bool {
		return l != nil && l.Neighbour == netip.MustParseAddr("fe80::b") && l.Other == netip.MustParseAddr("fe80::c")
	})
}

// TestSilentNeighbour: a speaker that advertises nothing is found in the kernel's table, once
// it has shown itself there.
func TestSilentNeighbour(t *testing.T) {
	t.Parallel()
	a, b := newWire(t)
	a.addresses("fe80::a")
	b.addresses("fe80::b")
	a.open("u0")
	a.await("nobody", func(l *observe.UnnumberedLink) bool { return l != nil && !l.Neighbour.IsValid() })
	a.ip("neigh replace fe80::b lladdr 02:00:00:00:00:0b dev u0 nud stale")
	a.awaitNeighbour("fe80::b")
}

// TestNoLinkLocal: without IPv6 on the interface the reason is told.
func TestNoLinkLocal(t *testing.T) {
	t.Parallel()
	a, _ := newWire(t)
	a.addresses()
	a.open("u0")
	a.await("trouble", func(l *observe.UnnumberedLink) bool {
		return l != nil && strings.Contains(l.Trouble, "no IPv6 link-local address")
	})
}
