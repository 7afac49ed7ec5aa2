package observe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestJoinProtects: the set is there before any database has been read, grows with
// what is read, and is the very same while nothing changes.
func TestJoinProtects(t *testing.T) {
	ovs := &OpenVSwitch{SystemID: "gw-1", Remotes: []string{"tcp:192.0.2.5:6642"}}
	j := &Join{SB: part[Southbound]{}, OVS: part[OpenVSwitch]{}, Host: part[Host]{}}
	j.SetOwn(Own{Southbound: []string{"ssl:[2001:db8::5]:6642", "tcp:sb.example:6642"}, Peers: []netip.Addr{
		netip.MustParseAddr("fe80::1%eth1"), netip.MustParseAddr("192.0.2.1"),
	}})
	has := func(p *Protected, text string) bool {
		return slices.ContainsFunc(p.Prefixes, func(e ProtectedPrefix) bool { return e.Prefix.String()+" "+e.What == text })
	}
	first := j.Protected(t.Context())
	const sb6, sb4 = "2001:db8::5/128 the address of the Southbound database ssl:[2001:db8::5]:6642",
		"192.0.2.5/32 the address of the Southbound database tcp:192.0.2.5:6642"
	if !has(first, sb6) || has(first, sb4) || !has(first, "fe80::1/128 the address of BGP neighbour fe80::1%eth1") {
		t.Errorf("got %+v", first.Prefixes)
	}
	j.OVS = part[OpenVSwitch]{value: ovs}
	second := j.Protected(t.Context())
	if !has(second, sb6) || !has(second, sb4) {
		t.Errorf("got %+v", second.Prefixes)
	}
	if j.Protected(t.Context()) != second {
		t.Error("an equal set is another one")
	}
	j.SB, j.Host = part[Southbound]{value: &Southbound{}}, part[Host]{value: &Host{}}
	snap, err := j.Snapshot(t.Context())
	if err != nil || snap.Protected == nil || snap.Protected != j.Protected(t.Context()) {
		t.Errorf("%+v, %v", snap.Protected, err)
	}
	j.SetOwn(Own{Protect: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}})
	if third := j.Protected(t.Context()); !has(third, "10.9.0.0/16 in the configuration (protect)") || has(third, sb6) {
		t.Errorf("got %+v", third.Prefixes)
	}
}

// TestNamesAreProtected: what the host name of a database is resolved to is protected as
// soon as it is known, and that there is a session with it is part of the set.
func TestNamesAreProtected(t *testing.T) {
	const remote = "tcp:sb.example:6642"
	var known []Endpoint
	j := &Join{
		SB: part[Southbound]{}, OVS: part[OpenVSwitch]{}, Host: part[Host]{},
		Endpoints: func() []Endpoint { return known },
	}
	j.SetOwn(Own{Southbound: []string{remote}})
	servers := func() (out []string) {
		for _, p := range j.Protected(t.Context()).Prefixes {
			if p.Database {
				out = append(out, fmt.Sprintf("%s %s %t", p.Prefix, p.What, p.Session))
			}
		}
		return out
	}
	if got := servers(); len(got) != 0 {
		t.Errorf("got %v before the name is resolved", got)
	}
	first, second := netip.MustParseAddr("192.0.2.5"), netip.MustParseAddr("2001:db8::5")
	known = []Endpoint{{Remote: remote, Addrs: []netip.Addr{first, second}, Session: second}}
	want := []string{
		"192.0.2.5/32 the address of the Southbound database tcp:sb.example:6642 false",
		"2001:db8::5/128 the address of the Southbound database tcp:sb.example:6642 true",
	}
	if got := servers(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	set := j.Protected(t.Context())
	known = slices.Clone(known)
	if j.Protected(t.Context()) != set {
		t.Error("an equal set is another one")
	}
}

// TestProtectedIsSorted, and nothing is in it twice.
func TestProtectedIsSorted(t *testing.T) {
	remotes := []string{"tcp:192.0.2.5:6642", "tcp:10.0.0.5:6642", "tcp:192.0.2.5:6642"}
	p := Protect(Snapshot{OVS: &OpenVSwitch{Remotes: remotes}}, Own{Southbound: remotes})
	for i := 1; i < len(p.Prefixes); i++ {
		a, b := p.Prefixes[i-1], p.Prefixes[i]
		if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c > 0 || c == 0 && strings.Compare(a.What, b.What) >= 0 &&
			a.Prefix.Bits() >= b.Prefix.Bits() {
			t.Errorf("%v comes before %v", a, b)
		}
	}
}
