package bgp_test

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// RFC 8950: one IPv6 session carries both families.
func TestFRRReceivesIPv4OverIPv6(t *testing.T) {
	f := newFRR(t, frrPeer(ours6)+activate6(ours6))
	b := start(t, noListener)
	apply(t, b, create(path("203.0.113.7/32"), path("2001:db8:1::7/128")))
	apply(t, b, create(toFRR(frr6, object.IPv4Unicast, object.IPv6Unicast)))
	f.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": ours6})
	f.expect(object.IPv6Unicast, map[string]string{"2001:db8:1::7/128": ours6})
}

// There is no IPv6 address to announce on an IPv4 session unless the path
// brings one.
func TestFRRReceivesIPv6OverIPv4(t *testing.T) {
	f := newFRR(t, frrPeer(ours4)+activate6(ours4))
	b := start(t, noListener)
	self := path("2001:db8:1::7/128")
	explicit := via(self, ours6)
	apply(t, b, create(path("203.0.113.7/32"), self))
	apply(t, b, create(toFRR(frr4, object.IPv4Unicast, object.IPv6Unicast)))
	f.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": ours4})
	f.expect(object.IPv6Unicast, map[string]string{})
	if got := stateOf(t, b, frr4).Families[1]; !got.Negotiated || got.Sent != 0 {
		t.Errorf("%+v, want nothing sent", got)
	}
	apply(t, b, []object.Change{{Before: self, After: explicit}})
	f.expect(object.IPv6Unicast, map[string]string{"2001:db8:1::7/128": ours6})
	apply(t, b, []object.Change{{Before: explicit, After: self}})
	f.expect(object.IPv6Unicast, map[string]string{})
}

// A session between link-local addresses, RFC 8950 for IPv4.
func TestFRRLinkLocalSession(t *testing.T) {
	f := newFRR(t, "")
	theirs, ours := linkLocal(f.run("ip", "-6", "-o", "addr", "show", "dev", "v1", "scope", "link")),
		linkLocal(run(t, "ip", "-6", "-o", "addr", "show", "dev", "v0", "scope", "link"))
	f.configure(frrPeer(ours, "interface v1", "capability extended-nexthop") + activate6(ours))
	b := start(t, noListener)
	apply(t, b, create(path("203.0.113.7/32"), path("2001:db8:1::7/128")))
	apply(t, b, create(toFRR(theirs+"%v0", object.IPv4Unicast, object.IPv6Unicast)))
	f.expect(object.IPv6Unicast, map[string]string{"2001:db8:1::7/128": ours})
	f.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": ours})
	awaitSignal(t, b)
	if s := established(t, b, theirs+"%v0"); s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
}

// linkLocal is the address in one line of ip -o.
func linkLocal(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return line
	}
	return strings.TrimSuffix(fields[3], "/64")
}

// configure adds lines inside "router bgp" while bgpd runs.
func (f *frr) configure(lines string) {
	f.t.Helper()
	args := []string{"vtysh", "--vty_socket", f.dir, "-d", "bgpd", "-c", "configure terminal", "-c", "router bgp 65002"}
	for line := range strings.Lines(lines) {
		args = append(args, "-c", strings.TrimSpace(line))
	}
	run(f.t, args...)
}
