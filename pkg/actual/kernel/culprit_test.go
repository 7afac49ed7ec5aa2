package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// who runs ip and returns the two ways to name it: it may have ended before anybody
// could ask for its name.
func (l *lab) who(args string) []string {
	l.t.Helper()
	cmd := exec.Command("ip", strings.Fields(args)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
	pid := cmd.Process.Pid
	return []string{fmt.Sprintf("ip[%d]", pid), fmt.Sprintf("process %d", pid)}
}

func oneOf(got string, want []string) bool {
	for _, w := range want {
		if strings.HasSuffix(got, w) {
			return true
		}
	}
	return false
}

// TestCulprits: who changes something of ours is named, whatever it is, until we have
// written it again.
func TestCulprits(t *testing.T) {
	const (
		route = "route 10.0.0.5/32 table 201 metric 0  dev d0"
		six   = "route 2001:db8::5/128 table 201 metric 1024  dev d0"
		rule  = "rule inet priority 32000 lookup 201 suppress_prefixlength 0"
		neigh = "neigh 10.0.0.7 dev d0  lladdr 02:00:00:00:00:07"
		addr  = "address 169.254.1.1/32 dev d0"
	)
	for _, tt := range []struct{ line, do string }{
		{route, "route del 10.0.0.5 table 201"},
		{route, "route change 10.0.0.5 dev d1 table 201 proto 98"},
		{route, "route change 10.0.0.5 dev d0 table 201 proto static"},
		{route, "route change 10.0.0.5 dev d0 table 201 proto 98 mtu 1400"},
		{route, "route flush table 201"},
		{six, "-6 route del 2001:db8::5 table 201"},
		{rule, "rule del priority 32000"},
		{neigh, "neigh del 10.0.0.7 dev d0"},
		{neigh, "neigh change 10.0.0.7 dev d0 lladdr 02:00:00:00:00:08 nud permanent"},
		{addr, "addr del 169.254.1.1/32 dev d0"},
		{addr, "addr change 169.254.1.1/32 dev d0 valid_lft 600 preferred_lft 600"},
	} {
		t.Run(strings.ReplaceAll(tt.do, "/", " "), func(t *testing.T) {
			l := newLab(t)
			v := parse(t, tt.line)
			focus := wanting(t, v)
			l.read(focus)
			l.must(create(v))
			l.read(focus)
			if by := l.b.ChangedBy(v); by != "" {
				t.Fatalf("what we write ourselves is blamed on %s", by)
			}
			l.clearSignals()
			want := l.who(tt.do)
			l.woken()
			l.read(focus)
			if by := l.b.ChangedBy(v); !oneOf(by, want) {
				t.Errorf("got %q, want one of %q", by, want)
			}
			have, _ := l.read(focus).Get(v.Key())
			l.must(object.Change{Before: have.Value, After: v, Reclaim: true})
			if by := l.b.ChangedBy(v); strings.HasPrefix(by, "ip") {
				t.Errorf("after it was written again: %q", by)
			}
		})
	}
}

// TestCulpritOfIPv6Address: the kernel does not tell who took one away, and that it went
// because it went is no answer.
func TestCulpritOfIPv6Address(t *testing.T) {
	for do, want := range map[string]string{
		"addr del 2001:db8::1/128 dev d0": "",
		"link del d0":                     "the kernel, when device d0 was deleted",
	} {
		t.Run(do[:4], func(t *testing.T) {
			l := newLab(t)
			v := parse(t, "address 2001:db8::1/128 dev d0")
			focus := wanting(t, v)
			l.read(focus)
			l.must(create(v))
			l.read(focus)
			l.clearSignals()
			l.ip(do)
			l.woken()
			if l.read(focus).Has(v.Key()) {
				t.Fatal("the address is still there")
			}
			if by := l.b.ChangedBy(v); by != want && !(want != "" && strings.HasPrefix(by, want)) {
				t.Errorf("got %q, want %q", by, want)
			}
		})
	}
}

// TestCulpritWithSeveralSockets: only the first socket of a process has its number as
// port; the others are found by who has them open.
func TestCulpritWithSeveralSockets(t *testing.T) {
	l := newLab(t)
	v := parse(t, "route 10.0.0.5/32 table 201 metric 0  dev d0")
	focus := wanting(t, v)
	l.read(focus)
	l.must(create(v))
	l.read(focus)
	l.clearSignals()
	other := l.intruder(actual.DefaultMarks())
	change(t, other, v, func(object.Value) object.Change { return remove(v) })
	l.woken()
	l.read(focus)
	if by, want := l.b.ChangedBy(v), fmt.Sprintf("[%d]", os.Getpid()); !strings.HasSuffix(by, want) {
		t.Errorf("got %q, want this process, %s", by, want)
	}
}

// TestKernelIsNamedWithItsReason: what goes with an address or a device was taken away by
// the kernel, and the reason is who took that.
func TestKernelIsNamedWithItsReason(t *testing.T) {
	for do, want := range map[string]string{
		"addr flush dev d0": "the kernel, when address 172.24.4.1/24 went, by ",
		"link set d0 down":  "the kernel, when device d0 went down",
		"link del d0":       "the kernel, when device d0 was deleted",
	} {
		t.Run(do, func(t *testing.T) {
			l := newLab(t)
			l.ip("addr add 172.24.4.1/24 dev d0")
			v := parse(t, "route 10.0.0.5/32 table 201 metric 0  dev d0")
			focus := wanting(t, v)
			l.read(focus)
			l.must(create(v))
			l.read(focus)
			l.clearSignals()
			l.ip(do)
			l.woken()
			if l.read(focus).Has(v.Key()) {
				t.Fatal("the route is still there")
			}
			if by := l.b.ChangedBy(v); !strings.HasPrefix(by, want) {
				t.Errorf("got %q, want %q", by, want)
			}
		})
	}
}

// TestCulpritOfForwardingEntry: the kernel sends every message about one as its own, so that
// nobody is named, and the kernel neither.
func TestCulpritOfForwardingEntry(t *testing.T) {
	l := newLab(t)
	l.ip("link add vxlan9 type vxlan id 9 local 192.0.2.1 dstport 4789")
	v := parse(t, "fdb self 02:00:00:00:00:07 dev vxlan9  dst 192.0.2.7")
	focus := wanting(t, v)
	l.read(focus)
	l.must(create(v))
	l.read(focus)
	l.clearSignals()
	args := strings.Fields("fdb del 02:00:00:00:00:07 dev vxlan9 self")
	if out, err := exec.Command("bridge", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l.woken()
	if l.read(focus).Has(v.Key()) {
		t.Fatal("the entry is still there")
	}
	if by := l.b.ChangedBy(v); by != "" {
		t.Errorf("it was %q", by)
	}
}
