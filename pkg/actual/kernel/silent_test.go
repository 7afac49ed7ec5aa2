package kernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestSilentChangesAreNoticed: what the kernel does not notify of wakes all the same,
// is in the next read without a complete one, and nothing wakes while all is the same.
func TestSilentChangesAreNoticed(t *testing.T) {
	l := newLab(t)
	want := everyKind(t)
	for _, line := range []string{
		"proxy 192.0.2.7 dev d0",
		"sysctl net/ipv4/conf/d0/send_redirects  = 0",
		"sysctl net/ipv4/neigh/d0/proxy_delay  = 0",
		"sysctl net/ipv6/neigh/d0/proxy_delay  = 0",
		"sysctl net/ipv6/conf/d0/accept_ra  = 0",
	} {
		want = append(want, parse(t, line))
	}
	focus := wanting(t, want...)
	l.read(focus)
	l.build(want)
	good := text(l.read(focus))
	notified, cases := 0, 0
	for _, v := range want {
		var undo func()
		switch v := v.(type) {
		case object.ProxyNeigh:
			undo = func() { l.ip("neigh del proxy " + v.Addr.String() + " dev d0") }
		case object.Sysctl:
			if netconfFamily(v.Path) != 0 {
				notified++
			}
			undo = func() {
				if err := os.WriteFile(filepath.Join("/proc/sys", v.Path), []byte("3\n"), 0); err != nil {
					t.Fatal(err)
				}
			}
		default:
			continue
		}
		cases++
		l.clearSignals()
		l.b.compareOnce(t.Context())
		l.quiet()
		undo()
		l.b.compareOnce(t.Context())
		l.woken()
		set := l.read(focus)
		if it, ok := set.Get(v.Key()); ok && it.Value == v {
			t.Errorf("%s: the change is not seen", object.Text(v))
		}
		l.must(object.Change{Before: beforeOf(set, v), After: v})
		// Our own repair is no news.
		l.b.compareOnce(t.Context())
		l.quiet()
		if got := text(l.read(focus)); got != good {
			t.Errorf("after the repair of %s:\n%s\nwant:\n%s", object.Text(v), got, good)
		}
	}
	t.Logf("silent changes: %d of proxies and settings, of which the kernel notifies %d", cases, notified)
}

// beforeOf is what a set has under the key of a value; nil if nothing.
func beforeOf(s object.Set, v object.Value) object.Value {
	it, ok := s.Get(v.Key())
	if !ok {
		return nil
	}
	return it.Value
}

// TestSilentChangesAreComparedByThemselves: nobody has to ask.
func TestSilentChangesAreComparedByThemselves(t *testing.T) {
	l := newLab(t)
	if err := l.b.Close(); err != nil {
		t.Fatal(err)
	}
	l.open(Config{Interval: 10 * time.Millisecond})
	p := parse(t, "proxy 2001:db8:: dev d0")
	l.read(wanting(t, p))
	l.must(create(p))
	l.read(wanting(t, p))
	l.ip("neigh del proxy 2001:db8:: dev d0")
	l.woken()
	if l.read(wanting(t, p)).Has(p.Key()) {
		t.Error("the deleted proxy neighbour is not seen to be gone")
	}
}

// TestComparingIsCheap: that nothing differs costs hardly any memory, whatever the
// number of entries.
func TestComparingIsCheap(t *testing.T) {
	const many = 5000
	l := newLab(t)
	var want []object.Value
	for i := range many {
		want = append(want, parse(t, fmt.Sprintf("proxy 2001:db8:7::%x dev d0", i+1)))
	}
	focus := wanting(t, want...)
	l.read(focus)
	var changes []object.Change
	for _, v := range want {
		changes = append(changes, create(v))
	}
	l.must(changes...)
	l.read(focus)
	// The kernel has the proxies of all namespaces in one table, and a listing misses some while
	// those of another one come and go: then it is compared again.
	for deadline := time.Now().Add(20 * time.Second); ; {
		allocs := testing.AllocsPerRun(5, func() { l.b.compareOnce(context.Background()) })
		signalled := len(l.b.changed) > 0
		if allocs <= many/10 && !signalled {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%.0f allocations to compare %d entries, signalled: %v", allocs, many, signalled)
		}
		l.read(focus)
		l.clearSignals()
	}
}

// TestCarrierLoss: a device that loses its carrier, as a bridge does when ovs-vswitchd
// is restarted, loses its proxy neighbours and what EVPN has learned. It is noticed at
// once, even where the carrier is back before anybody looks, and all is made again.
func TestCarrierLoss(t *testing.T) {
	for name, script := range map[string]string{
		"lost":           "link set p0 down",
		"lost and found": "link set p0 down\nlink set p0 up",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			want := append(everyKind(t), parse(t, "proxy 192.0.2.7 dev d0"), parse(t,
				"neigh 192.0.2.9 dev d0  lladdr 02:00:00:00:00:01 extern_learn"))
			focus := wanting(t, want...)
			l.read(focus)
			l.build(want)
			l.read(focus)
			l.clearSignals()
			l.namespace().batch(script)
			l.woken()
			kept := text(l.read(focus))
			if fresh := text(l.read(complete(focus))); kept != fresh {
				t.Errorf("the mirror has:\n%s\nthe kernel has:\n%s", kept, fresh)
			}
			// The kernel looks at the carrier some time later, and drops nothing if it is back.
			if name == "lost" && l.read(focus).Has(parse(t, "proxy 2001:db8:: dev d0").Key()) {
				t.Fatal("the proxy neighbour is still there: this kernel does not show what the test is about")
			}
			l.build(want)
			l.agrees(want)
		})
	}
}
