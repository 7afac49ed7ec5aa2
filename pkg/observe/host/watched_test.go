package host

import (
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Of watched tables all is known that ovn-controller wrote or would learn, and changes are
// signalled; what is ours, and what has no next hop, is left out.
func TestWatchTables(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link set a0 up")
	l.ip("addr add 192.0.2.1/24 dev a0")
	l.ip("addr add 2001:db8::1/64 dev a0 nodad")
	l.ip("route add blackhole 203.0.113.7 proto 84 metric 100 table 7")
	l.ip("-6 route add blackhole 2001:db8:113::7 proto 84 metric 100 table 7")
	l.ip("route add default via 192.0.2.2 proto 186 table 7")
	l.ip("route add 10.1.0.0/16 dev a0 proto static table 7")
	l.ip("route add 10.9.0.0/16 via 192.0.2.2 proto 98 table 1007")
	l.ip("route add 10.8.0.0/16 via 192.0.2.2 proto static table 8")
	s := l.open(Config{TableProtocol: 186})
	if h := l.read(); len(h.Watched) > 0 {
		t.Fatalf("watched without being asked: %v", h.Watched)
	}
	watch := func(want bool, tables ...uint32) {
		t.Helper()
		if changed, err := s.WatchTables(t.Context(), tables); err != nil || changed != want {
			t.Fatalf("tables %v: changed %t, %v, want %t", tables, changed, err, want)
		}
	}
	watch(true, 1007, 7, 7)
	watch(false, 7, 1007)
	have := func(h *observe.Host) (out []string) {
		for _, w := range h.Watched {
			text := w.Dst.String()
			if w.Via.IsValid() {
				text += " via " + w.Via.String() + " " + w.Dev
			}
			out = append(out, text)
		}
		return out
	}
	want := []string{"203.0.113.7/32", "2001:db8:113::7/128", "10.9.0.0/16 via 192.0.2.2 a0"}
	same := func(h *observe.Host) bool { return slices.Equal(have(h), want) }
	if !same(l.read()) {
		t.Fatalf("have %v, want %v", have(l.read()), want)
	}
	l.ip("route add blackhole 203.0.113.6 proto 84 metric 1000 table 7")
	want = slices.Insert(want, 0, "203.0.113.6/32")
	l.await("a route of ovn-controller", same)
	l.ip("-6 route add default proto ospf table 1007 nexthop via 2001:db8::2 nexthop via 2001:db8::3")
	want = append(want, "::/0 via 2001:db8::2 a0", "::/0 via 2001:db8::3 a0")
	l.await("a route of others", same)
	l.ip("link set a0 down") // the kernel does not notify of the IPv4 routes
	want = []string{"203.0.113.6/32", "203.0.113.7/32", "2001:db8:113::7/128"}
	l.await("the device down", same)
	watch(true)
	if h := l.read(); len(h.Watched) > 0 {
		t.Errorf("watched although nobody asks any more: %v", h.Watched)
	}
}
