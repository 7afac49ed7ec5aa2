package kernel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/google/go-cmp/cmp"
)

// TestLoss: a queue that runs over is noticed and everything is read again.
func TestLoss(t *testing.T) {
	l := newLab(t)
	l.open(Config{Queue: 1}) // the kernel makes that its least, some kilobytes
	var want []object.Value
	for i := range 2000 {
		want = append(want, object.NewRoute(201, host(i), "d0", netip.Addr{}))
	}
	focus := wanting(t, want...)
	l.read(focus)
	for _, v := range want {
		l.must(create(v))
	}
	l.read(focus)
	l.clearSignals()
	l.b.mu.Lock() // no draining meanwhile
	l.ip("route flush table 201")
	l.b.mu.Unlock()
	l.woken()
	if n := l.read(focus).LenOf(object.KindRoute); n != 0 {
		t.Errorf("%d routes are left in the mirror", n)
	}
}

// TestMany: both families, in one call, with refusals in between.
func TestMany(t *testing.T) {
	l := newLab(t)
	var creates, removes []object.Change
	var want []object.Value
	for i := range 10_000 {
		r := object.NewRoute(201, host(i), "d0", netip.Addr{})
		if i%2 == 1 {
			r = object.NewRoute(201, netip.MustParsePrefix(fmt.Sprintf("2001:db8::%x:%x/128", i>>8, i)), "d0", netip.Addr{})
		}
		if i%1000 == 500 {
			r.Dev = "d7"
		} else {
			want = append(want, r)
		}
		creates, removes = append(creates, create(r)), append(removes, remove(r))
	}
	foreign := want[77].(object.Route)
	l.ip("route add " + foreign.Dst.String() + " dev d1 table 201 proto bgp")
	focus := wanting(t, want...)
	l.read(focus)
	errs := l.apply(creates...)
	for i, err := range errs {
		refused := i%1000 == 500 || creates[i].Key() == foreign.Key()
		if refused != (err != nil) {
			t.Fatalf("%d: %s: %v", i, creates[i].Key().Text(), err)
		}
	}
	l.quiet()
	kept := text(l.read(focus))
	if fresh := text(l.read(complete(focus))); kept != fresh {
		t.Error("the mirror differs from the kernel")
	}
	l.must(removes...)
	if set := l.read(complete(focus)); set.LenOf(object.KindRoute) != 1 {
		t.Errorf("left:\n%s", text(set))
	}
}

// TestCancelled: what was not sent is reported so.
func TestCancelled(t *testing.T) {
	l := newLab(t)
	r := parse(t, "route 10.0.0.5/32 table 201 metric 0  dev d0")
	l.read(wanting(t, r))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.b.Apply(ctx, []object.Change{create(r)})[0]; !errors.Is(err, context.Canceled) {
		t.Errorf("apply: got %v", err)
	}
	if _, err := l.b.Read(ctx, complete(wanting(t, r))); !errors.Is(err, context.Canceled) {
		t.Errorf("read: got %v", err)
	}
	l.agrees(nil)
}

// TestChurn: while others add and remove under and beside our keys, the mirror
// ends up as the kernel is.
func TestChurn(t *testing.T) {
	l := newLab(t)
	var want []object.Value
	for i := range 64 {
		want = append(want, object.NewRoute(201, host(i), "d0", netip.Addr{}))
	}
	focus := wanting(t, want...)
	l.read(focus)
	script := func(seed uint64) string {
		r := rand.New(rand.NewPCG(seed, rand.Uint64()))
		var b strings.Builder
		for range 3000 {
			verb := []string{"add", "del", "replace", "append", "prepend"}[r.IntN(5)]
			fmt.Fprintf(&b, "route %s %s dev d%d table 201 proto %d\n", verb, host(r.IntN(64)), r.IntN(2), 98+r.IntN(2))
		}
		return b.String()
	}
	var wait sync.WaitGroup
	ns := l.namespace()
	for seed := range uint64(3) {
		wait.Go(func() { ns.batch(script(seed)) })
	}
	for range 100 {
		for i, v := range want {
			if i%3 == 0 {
				l.apply(create(v), remove(v))
			}
		}
		if kept := l.read(focus); kept.LenOf(object.KindRoute) > 64 {
			t.Fatalf("read %d routes", kept.LenOf(object.KindRoute))
		}
	}
	wait.Wait()
	kept := text(l.read(focus))
	if fresh := text(l.read(complete(focus))); kept != fresh {
		t.Errorf("the mirror has (+) and the kernel has (-):\n%s", cmp.Diff(strings.Split(fresh, "\n"),
			strings.Split(kept, "\n")))
	}
}

// TestChurnEverything: the same for all kinds, with devices going down and up.
// What the mirror has in the end must be what the kernel has.
func TestChurnEverything(t *testing.T) {
	l := newLab(t)
	want := everyKind(t)
	focus := wanting(t, want...)
	l.read(focus)
	lines := []string{
		"addr add 169.254.1.1/32 dev d0", "addr del 169.254.1.1/32 dev d0",
		// No IPv6 addresses: the kernel notifies of a new one only some time after
		// it shows it, when duplicate address detection has had its turn.
		"neigh replace 172.24.4.146 dev d0 lladdr 02:00:00:00:00:01 nud permanent",
		"neigh replace 172.24.4.146 dev d0 lladdr 02:00:00:00:00:02 nud stale", "neigh del 172.24.4.146 dev d0",
		"rule add priority 32000 lookup 201", "rule del priority 32000 lookup 201",
		"rule add priority 32000 lookup 201 protocol 98", "rule del priority 32000 lookup 201 protocol 98",
		"rule add priority 32000 lookup 201 suppress_prefixlength 0 protocol 98",
		"route replace 2001:db8::5 dev d0 table 201 proto 98", "route del 2001:db8::5 table 201",
		"route append 2001:db8::5 via fe80::1 dev d0 table 201 proto 99",
		"route append 2001:db8::5 via fe80::2 dev d1 table 201 proto 99",
		"route replace 10.0.0.5 dev d0 table 201 proto 98", "route del 10.0.0.5 table 201",
		"route replace unreachable 10.0.0.5 table 201",
		"link set d0 down", "link set d0 up", "link set d0 alias x", "link set p0 down", "link set p0 up",
		"link add c0 type ifb", "link del c0",
	}
	script := func(seed uint64) string {
		r := rand.New(rand.NewPCG(seed, rand.Uint64()))
		var b strings.Builder
		for range 400 {
			b.WriteString(lines[r.IntN(len(lines))] + "\n")
		}
		return b.String()
	}
	var wait sync.WaitGroup
	ns := l.namespace()
	for seed := range uint64(2) {
		wait.Go(func() { ns.batch(script(seed)) })
	}
	for i := range 60 {
		v := want[1+i%(len(want)-1)]
		l.apply(create(v))
		if !v.Key().Kind.IsSetting() && i%2 == 0 {
			l.apply(remove(v))
		}
		l.read(focus)
	}
	wait.Wait()
	kept := text(l.read(focus))
	if fresh := text(l.read(complete(focus))); kept != fresh {
		t.Errorf("the mirror has (+) and the kernel has (-):\n%s", cmp.Diff(strings.Split(fresh, "\n"),
			strings.Split(kept, "\n")))
	}
}
