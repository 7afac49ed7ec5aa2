package ovsdb_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
)

// A remote with a host name tells what that was last resolved to, and where its session
// leads; a name that cannot be resolved, and one that is no remote any more, have nothing.
func TestEndpoints(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	f := newFakeOn(t, "tcp", "127.0.0.1:0", twoPorts)
	_, port, _ := strings.Cut(strings.TrimPrefix(f.remote, "tcp:"), ":")
	named := "tcp:localhost:" + port
	s := open(t, ovsdb.Config{Remotes: []string{named}})
	await(t, s, "the first copy", synced)
	got := s.Endpoints()
	if len(got) != 1 || got[0].Remote != named || !slices.Contains(got[0].Addrs, loopback) || got[0].Session != loopback {
		t.Errorf("got %+v", got)
	}
	if err := s.Retarget([]string{"tcp:no-such-host.invalid:6642"}, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing of either remote", func() bool { return len(s.Endpoints()) == 0 })
	if err := s.Retarget([]string{f.remote}, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session with an address", func() bool {
		return slices.EqualFunc(s.Endpoints(), []ovsdb.Endpoint{{Remote: f.remote, Session: loopback}},
			func(a, b ovsdb.Endpoint) bool {
				return a.Remote == b.Remote && a.Session == b.Session && len(a.Addrs) == 0
			})
	})
}
