package kernel

import (
	"errors"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// everyKind is one value of each kind that can be made without modules.
func everyKind(t testing.TB) []object.Value {
	var all []object.Value
	for _, line := range []string{
		"device d0  up",
		"sysctl net/ipv4/conf/d0/proxy_arp  = 1",
		"address 169.254.1.1/32 dev d0",
		"address fd53:d91e:400:7f17::1:1/128 dev d0",
		"neigh 172.24.4.146 dev d0  lladdr fa:16:3e:74:e6:3b",
		"proxy 2001:db8:: dev d0",
		"route 10.0.0.5/32 table 201 metric 0  dev d0",
		"route 10.0.1.0/24 table 201 metric 0  dev d0 via 10.0.0.5",
		"route 2001:db8::5/128 table 201 metric 1024  dev d0",
		"rule inet priority 32000 lookup 201 suppress_prefixlength 0",
		"rule inet6 priority 32000 lookup 201 suppress_prefixlength 0",
	} {
		all = append(all, parse(t, line))
	}
	return all
}

// build applies values one kind after the other, as a round does.
func (l *lab) build(want []object.Value) {
	l.t.Helper()
	for _, v := range want {
		l.must(create(v))
	}
}

// agrees demands that a mirror-only read and a complete one are the same, and
// hold exactly the wanted values.
func (l *lab) agrees(want []object.Value) {
	l.t.Helper()
	focus := wanting(l.t, want...)
	kept := text(l.read(focus))
	if fresh := text(l.read(complete(focus))); kept != fresh {
		l.t.Errorf("the mirror has:\n%s\nthe kernel has:\n%s", kept, fresh)
	}
	set := l.read(focus)
	for _, v := range want {
		if it, ok := set.Get(v.Key()); !ok || it.Value != v {
			l.t.Errorf("got %v, want %s", it.Value, object.Text(v))
		}
	}
}

// TestQuietRound: after everything was applied nothing is signalled, and an
// idle read gives the very same set.
func TestQuietRound(t *testing.T) {
	l := newLab(t)
	want := everyKind(t)
	focus := wanting(t, want...)
	l.read(focus)
	l.clearSignals()
	l.build(want)
	l.agrees(want)
	l.quiet()
	one, two := l.read(focus), l.read(focus)
	if !one.Same(two) {
		t.Error("an idle read made a new set")
	}
	if three := l.read(complete(focus)); !one.Same(three) {
		t.Error("a complete read of the same made a new set")
	}
}

// TestBorrowedSetStays: what was read does not change under the reader.
func TestBorrowedSetStays(t *testing.T) {
	l := newLab(t)
	r := parse(t, "route 10.0.0.5/32 table 201 metric 0  dev d0")
	before := l.read(wanting(t, r))
	l.must(create(r))
	after := l.read(wanting(t, r))
	l.must(remove(r))
	if before.Has(r.Key()) || !after.Has(r.Key()) {
		t.Error("a set changed after it was handed out")
	}
}

// TestOthersAreNoticed: each change by others wakes, and is in the next read
// without a complete one.
func TestOthersAreNoticed(t *testing.T) {
	tests := []struct{ name, do string }{
		{"route flushed", "route flush table 201"},
		{"route deleted", "route del 10.0.0.5 table 201"},
		{"route replaced", "route replace 10.0.0.5 dev d1 table 201 proto static"},
		{"route6 deleted", "-6 route del 2001:db8::5 table 201"},
		{"rule deleted", "rule del priority 32000"},
		{"rule6 deleted", "-6 rule del priority 32000"},
		{"address deleted", "addr del 169.254.1.1/32 dev d0"},
		{"addresses flushed", "addr flush dev d0"},
		{"neighbour deleted", "neigh del 172.24.4.146 dev d0"},
		{"neighbour changed", "neigh replace 172.24.4.146 dev d0 lladdr fa:16:3e:74:e6:3c nud permanent"},
		{"neighbours flushed", "neigh flush dev d0 nud permanent"},
		{"device down", "link set d0 down"},
		{"device gone", "link del d0"},
		{"device renamed", "link set d0 down; link set d0 name d9"}, // some kernels refuse it while up
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			want := everyKind(t)
			focus := wanting(t, want...)
			l.read(focus)
			l.build(want)
			before := text(l.read(focus))
			l.clearSignals()
			for _, command := range strings.Split(tt.do, "; ") {
				l.ip(command)
			}
			l.woken()
			kept := text(l.read(focus))
			if kept == before {
				t.Errorf("nothing has changed:\n%s", kept)
			}
			if fresh := text(l.read(complete(focus))); kept != fresh {
				t.Errorf("the mirror has:\n%s\nthe kernel has:\n%s", kept, fresh)
			}
		})
	}
}

// TestForeignGone: an obstacle that is removed wakes, because what failed may
// work now.
func TestForeignGone(t *testing.T) {
	l := newLab(t)
	r := parse(t, "route 10.0.0.5/32 table 201 metric 0  dev d0")
	l.ip("route add 10.0.0.5 dev d1 table 201")
	l.read(wanting(t, r))
	if err := l.apply(create(r))[0]; err == nil {
		t.Fatal("created over a foreign route")
	}
	l.read(wanting(t, r))
	l.clearSignals()
	l.ip("route del 10.0.0.5 table 201")
	l.woken()
	l.must(create(r))
	l.agrees([]object.Value{r})
}

// TestNoise: what does not concern us does not wake.
func TestNoise(t *testing.T) {
	l := newLab(t)
	want := everyKind(t)
	focus := wanting(t, want...)
	l.read(focus)
	l.build(want)
	l.read(focus)
	l.clearSignals()
	for _, args := range []string{
		"route add 198.51.100.0/24 dev d1",
		"route add 198.51.100.0/24 dev d1 table 77",
		"route add 198.51.100.0/24 dev d1 table 201",
		"rule add priority 50 to 198.51.100.0/24 lookup 77",
		"addr add 198.51.100.1/24 dev d1",
		"neigh add 198.51.100.2 dev d1 lladdr 02:00:00:00:00:01 nud stale",
		"neigh add 198.51.100.3 dev d0 lladdr 02:00:00:00:00:01 nud reachable",
		"link set d0 mtu 1400",
		"link add tap7 type ifb",
		"link set tap7 up",
		"link del tap7",
	} {
		l.ip(args)
		l.quiet()
	}
	l.agrees(want)
}

// TestDeviceAppears: what waited for the device is signalled.
func TestDeviceAppears(t *testing.T) {
	l := newLab(t)
	r := parse(t, "route 10.0.0.5/32 table 201 metric 0  dev late0")
	s := parse(t, "sysctl net/ipv4/conf/late0/proxy_arp  = 1")
	focus := wanting(t, r, s)
	l.read(focus)
	if err := l.apply(create(r))[0]; !errors.Is(err, actual.ErrGone) {
		t.Fatalf("got %v, want ErrGone", err)
	}
	l.clearSignals()
	l.ip("link add late0 type ifb")
	l.woken()
	if !l.read(focus).Has(s.Key()) {
		t.Error("the sysctl of a new device is not seen")
	}
	if err := l.apply(create(r))[0]; !errors.Is(err, actual.ErrGone) || !strings.Contains(err.Error(), "down") {
		t.Errorf("got %v, want that the device is down", err)
	}
	l.clearSignals()
	l.ip("link set late0 up")
	l.woken()
	l.must(create(r))
	l.must(create(s))
	l.agrees([]object.Value{r, s})
}

// TestDownUp: everything that a device loses when it goes down is planned for
// again.
func TestDownUp(t *testing.T) {
	l := newLab(t)
	want := everyKind(t)
	focus := wanting(t, want...)
	l.read(focus)
	l.build(want)
	l.read(focus)
	l.ip("link set d0 down")
	l.woken()
	set := l.read(focus)
	if n := set.LenOf(object.KindRoute); n != 0 {
		t.Errorf("%d routes are left on a device that is down:\n%s", n, text(set))
	}
	l.clearSignals()
	l.ip("link set d0 up")
	l.woken()
	l.build(want)
	l.agrees(want)
}

// TestSetDownOurselves: the routes that our own write costs are recorded as
// gone, without a signal.
func TestSetDownOurselves(t *testing.T) {
	l := newLab(t)
	want := everyKind(t)
	l.read(wanting(t, want...))
	l.build(want)
	l.read(wanting(t, want...))
	l.clearSignals()
	l.must(update(object.Device{Name: "d0", Up: true}, object.Device{Name: "d0"}))
	set := l.read(wanting(t, want...))
	if n := set.LenOf(object.KindRoute); n != 0 {
		t.Errorf("%d routes are left:\n%s", n, text(set))
	}
	if it, _ := set.Get(want[0].Key()); it.Value != (object.Device{Name: "d0"}) {
		t.Errorf("got %v", it.Value)
	}
}
