package kernel

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// lab is a fresh network namespace with devices d0 and d1 (veth pairs, so that
// they have carrier) and a backend in it. The test's goroutine is on a thread
// of that namespace.
type lab struct {
	t testing.TB
	b *Backend
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root for a network namespace of its own; run it with `make real`")
	}
}

// isolate moves the goroutine's thread into a new network namespace. The
// thread is never given back.
func isolate(t testing.TB) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("unshare: %v", err)
	}
}

func newLab(t testing.TB) *lab {
	t.Helper()
	isolate(t)
	l := &lab{t: t}
	// By netlink and not by ip: there are hundreds of labs, and a process takes 50 ms
	// in a guest.
	l.up("lo")
	for _, i := range []string{"0", "1"} {
		veth := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: "p" + i}
		veth.Name = "d" + i
		if err := netlink.LinkAdd(veth); err != nil {
			t.Fatalf("add %s: %v", veth.Name, err)
		}
		l.up("p" + i)
		l.up("d" + i)
	}
	l.open(Config{})
	return l
}

// up sets a device up.
func (l *lab) up(device string) {
	l.t.Helper()
	link, err := netlink.LinkByName(device)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err != nil {
		l.t.Fatalf("set %s up: %v", device, err)
	}
}

func (l *lab) open(cfg Config) {
	l.t.Helper()
	cfg.Marks = actual.DefaultMarks()
	b, err := New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	l.b = b
	l.t.Cleanup(func() {
		if err := b.Close(); err != nil {
			l.t.Errorf("close: %v", err)
		}
	})
}

// run executes a program in the namespace: children inherit that of the
// thread which starts them.
func (l *lab) run(name string, args ...string) string {
	l.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (l *lab) ip(args string) string {
	l.t.Helper()
	return l.run("ip", strings.Fields(args)...)
}

func (l *lab) read(focus actual.Focus) object.Set {
	l.t.Helper()
	set, err := l.b.Read(context.Background(), focus)
	if err != nil {
		l.t.Fatalf("read: %v", err)
	}
	return set
}

func (l *lab) apply(changes ...object.Change) []error {
	l.t.Helper()
	return l.b.Apply(context.Background(), changes)
}

// must applies and demands success.
func (l *lab) must(changes ...object.Change) {
	l.t.Helper()
	for i, err := range l.apply(changes...) {
		if err != nil {
			l.t.Fatalf("%s: %v", changes[i].Key().Text(), err)
		}
	}
}

// quiet demands that nothing is signalled. The signal is given under the lock
// by whoever drains, so after a drain of our own it is there or it is not.
func (l *lab) quiet() {
	l.t.Helper()
	l.b.mu.Lock()
	l.b.drain()
	l.b.announce()
	l.b.mu.Unlock()
	select {
	case <-l.b.Changed():
		l.t.Error("signalled without a reason")
	default:
	}
}

// woken demands a signal.
func (l *lab) woken() {
	l.t.Helper()
	select {
	case <-l.b.Changed():
	case <-time.After(5 * time.Second):
		l.t.Error("not signalled")
	}
}

// clearSignals drops the signals so far.
func (l *lab) clearSignals() {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.b.drain()
	l.b.unreported = false
	select {
	case <-l.b.changed:
	default:
	}
}

func create(v object.Value) object.Change { return object.Change{After: v} }
func remove(v object.Value) object.Change { return object.Change{Before: v} }
func update(before, after object.Value) object.Change {
	return object.Change{Before: before, After: after}
}

func parse(t testing.TB, line string) object.Value {
	t.Helper()
	v, err := object.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wanting is a focus on these values.
func wanting(t testing.TB, values ...object.Value) actual.Focus {
	t.Helper()
	set, err := object.SetOf(values...)
	if err != nil {
		t.Fatal(err)
	}
	return actual.Focus{Want: set}
}

func complete(f actual.Focus) actual.Focus { f.Complete = true; return f }

// text prints a set in order, ours with a star.
func text(s object.Set) string {
	var lines []string
	for _, it := range s.Sorted() {
		mark := "  "
		if it.Marked {
			mark = "* "
		}
		lines = append(lines, mark+object.Text(it.Value))
	}
	return strings.Join(lines, "\n")
}

func host(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

// elsewhere runs programs in the lab's namespace from other threads.
type elsewhere struct {
	t  testing.TB
	ns *rtnl.Namespace
}

func (l *lab) namespace() elsewhere {
	l.t.Helper()
	ns, err := rtnl.OpenNamespace("")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { ns.Close() })
	return elsewhere{l.t, ns}
}

// batch runs ip -force -batch; lines may fail.
func (e elsewhere) batch(script string) {
	err := e.ns.Do(func() error {
		cmd := exec.Command("ip", "-force", "-batch", "-")
		cmd.Stdin = strings.NewReader(script)
		_, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil
		}
		return err
	})
	if err != nil {
		e.t.Error(err)
	}
}
