package kernel

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestMultipathLosesDevice: of the next hops of a route one is on a device that
// goes down or away. What notifications bring is what the kernel holds, and the
// route can be narrowed to the next hops that are left.
func TestMultipathLosesDevice(t *testing.T) {
	for _, do := range []string{"link set d1 down", "link del d1"} {
		t.Run(do, func(t *testing.T) {
			l := newLab(t)
			v4 := parse(t, "route 0.0.0.0/0 table 254 metric 98  nexthop 192.0.2.1 dev d0 nexthop fe80::1 dev d1")
			v6 := parse(t, "route ::/0 table 254 metric 98  nexthop fe80::1 dev d0 nexthop fe80::1 dev d1")
			one4 := parse(t, "route 0.0.0.0/0 table 254 metric 98  dev d0 via 192.0.2.1")
			one6 := parse(t, "route ::/0 table 254 metric 98  dev d0 via fe80::1")
			focus := wanting(t, v4, v6)
			l.read(focus)
			l.must(create(v4), create(v6))
			l.clearSignals()
			l.ip(do)
			l.woken()
			kept := text(l.read(focus))
			if fresh := text(l.read(complete(focus))); kept != fresh {
				t.Errorf("the mirror has:\n%s\nthe kernel has:\n%s", kept, fresh)
			}
			one := wanting(t, one4, one6)
			set := l.read(one)
			for _, want := range []object.Value{one4, one6} {
				have, ok := set.Get(want.Key())
				switch {
				case !ok:
					l.must(create(want))
				case have.Value != want:
					l.must(update(have.Value, want))
				}
			}
			for _, f := range []actual.Focus{one, complete(one)} {
				set := l.read(f)
				for _, want := range []object.Value{one4, one6} {
					if have, ok := set.Get(want.Key()); !ok || have.Value != want || !have.Marked {
						t.Errorf("complete %v: got %v, want %v", f.Complete, have.Value, want)
					}
				}
			}
		})
	}
}
