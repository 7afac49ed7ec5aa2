package host

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Addresses that something is connected through are followed, others cause no
// signal.
func TestAddresses(t *testing.T) {
	l := newLab(t, "d0", "d1")
	l.ip("link set lo up")
	l.ip("addr add 192.0.2.1/31 dev d0")
	l.open(Config{})
	l.ip("addr add 2001:db8::1/127 dev d0 nodad")
	l.ip("addr add 198.51.100.1 peer 198.51.100.2 dev d1")
	l.ip("addr add 203.0.113.1/32 dev lo")
	l.ip("addr add 203.0.113.0/32 dev lo") // lower, but later
	l.ip("addr add 169.254.1.1/32 dev d1")
	l.ip("addr add 10.0.0.1/32 dev d1")
	l.ip("addr add 10.1.0.1/24 dev d1")
	l.ip("addr del 10.1.0.1/24 dev d1")
	want := []string{
		"d0 192.0.2.1 192.0.2.0/31", "d0 2001:db8::1 2001:db8::/127", "d1 198.51.100.1 198.51.100.2/32",
		"lo 127.0.0.1 127.0.0.0/8", "lo 203.0.113.1 203.0.113.1/32", "lo 203.0.113.0 203.0.113.0/32", "lo ::1 ::1/128",
	}
	l.await("addresses", func(h *observe.Host) bool { return slices.Equal(texts(h), want) })
	again := &lab{T: t, dir: l.dir}
	again.open(Config{}) // reads in the same order what was notified one by one
	if got := texts(again.read()); !slices.Equal(got, want) {
		t.Errorf("read again: %v, want %v", got, want)
	}
	h := l.read()
	for addr, dev := range map[string]string{
		"192.0.2.0": "d0", "192.0.2.1": "", "2001:db8::": "d0", "198.51.100.2": "d1",
		"8.8.8.8": "",
	} {
		if got, ok := h.Connected(netip.MustParseAddr(addr)); got != dev || ok != (dev != "") {
			t.Errorf("%s is behind %q, want %q", addr, got, dev)
		}
	}
	l.ip("link del d1")
	l.await("its addresses gone", func(h *observe.Host) bool {
		return !slices.ContainsFunc(h.Addresses, func(a observe.DeviceAddress) bool { return a.Dev == "d1" })
	})
}

func texts(h *observe.Host) []string {
	var out []string
	for _, a := range h.Addresses {
		out = append(out, fmt.Sprintf("%s %s %s", a.Dev, a.Addr, a.Net))
	}
	return out
}
