package host

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// noRoute lists those to which no route leads, of some addresses of both families.
func noRoute(t *testing.T, r *Routes, texts ...string) string {
	t.Helper()
	var addrs []netip.Addr
	for _, text := range texts {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	got, err := r.NoRoute(t.Context(), addrs)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(got)
}

func awaitNoRoute(t *testing.T, r *Routes, want string, texts ...string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		got := noRoute(t, r, texts...)
		if got == want {
			return
		}
		select {
		case <-r.RoutesChanged():
		case <-deadline:
			t.Fatalf("got %s, want %s, and no signal", got, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	l := newLab(t, "a0")
	r, err := OpenRoutes("", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	all := []string{"192.0.2.9", "198.51.100.9", "203.0.113.9", "2001:db8::9", "2001:db8:1::9"}
	awaitNoRoute(t, r, "[192.0.2.9 198.51.100.9 203.0.113.9 2001:db8::9 2001:db8:1::9]", all...)
	l.ip("link set lo up")
	l.ip("link set a0 up")
	l.ip("addr add 192.0.2.1/24 dev a0")
	l.ip("addr add 2001:db8::1/64 dev a0 nodad")
	awaitNoRoute(t, r, "[198.51.100.9 203.0.113.9 2001:db8:1::9]", all...)
	awaitNoRoute(t, r, "[192.0.2.255 224.0.0.1]", "192.0.2.255", "192.0.2.1", "224.0.0.1")
	l.ip("route add default via 192.0.2.2")
	l.ip("-6 route add default via 2001:db8::2")
	awaitNoRoute(t, r, "[]", all...)
	l.ip("route add unreachable 198.51.100.0/24")
	l.ip("route add blackhole 203.0.113.0/24")
	l.ip("-6 route add unreachable 2001:db8:1::/64")
	awaitNoRoute(t, r, "[198.51.100.9 203.0.113.9 2001:db8:1::9]", all...)
	l.ip("route replace prohibit 203.0.113.0/24")
	l.ip("-6 route replace blackhole 2001:db8:1::/64")
	awaitNoRoute(t, r, "[198.51.100.9 203.0.113.9 2001:db8:1::9]", all...)
	l.ip("route del 198.51.100.0/24")
	awaitNoRoute(t, r, "[203.0.113.9 2001:db8:1::9]", all...)
	l.ip("link set a0 down")
	awaitNoRoute(t, r, "[192.0.2.9 198.51.100.9 203.0.113.9 2001:db8::9 2001:db8:1::9]", all...)
}

// More than go into one batch.
func TestManyRoutes(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link set a0 up")
	l.ip("addr add 10.0.0.1/17 dev a0")
	r, err := OpenRoutes("", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var addrs []netip.Addr
	for i := range 2000 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 0, byte(i % 2 * 128), byte(2 + i/2%250)}))
	}
	got, err := r.NoRoute(t.Context(), addrs)
	if err != nil || len(got) != 1000 || got[0] != addrs[1] || got[999] != addrs[1999] {
		t.Errorf("got %d addresses, %v, want 1000", len(got), err)
	}
}

// A route that we have put into the table of a bridge wakes none.
func TestRoutesOfOtherTablesAreQuiet(t *testing.T) {
	l := newLab(t, "a0")
	l.ip("link set a0 up")
	l.ip("addr add 192.0.2.1/24 dev a0")
	r, err := OpenRoutes("", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	signals := func() (n int) {
		for {
			select {
			case <-r.RoutesChanged():
				n++
			case <-time.After(100 * time.Millisecond):
				return n
			}
		}
	}
	signals()
	l.ip("route add 198.51.100.9 dev a0 table 201 proto 98")
	if n := signals(); n != 0 {
		t.Errorf("%d signals for a route in another table", n)
	}
	l.ip("route add 198.51.100.9 dev a0 proto 98")
	select {
	case <-r.RoutesChanged():
	case <-time.After(10 * time.Second):
		t.Error("no signal for a route in main")
	}
}
