package ovsdb_test

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
)

// A database whose remotes are not known yet is followed once they are, and says what
// it waits for until then.
func TestRemotesBecomeKnown(t *testing.T) {
	s := open(t, ovsdb.Config{})
	if err := s.Retarget(nil, "external_ids:ovn-remote is awaited"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "external_ids:ovn-remote is awaited") {
		t.Errorf("without remotes: %v", err)
	}
	f := newFake(t, twoPorts)
	if err := s.Retarget([]string{f.remote}, ""); err != nil {
		t.Fatal(err)
	}
	await(t, s, "the first copy", synced)
}

// Other remotes take the place of those that there were: the session with a server that
// is none any more ends, its rows stay readable until those of the next one are there.
// Remotes that cannot be used, and the same ones in another order, change nothing.
func TestRetarget(t *testing.T) {
	first := newFake(t, twoPorts)
	second := newFake(t, func(method, _ string) string {
		if method == "monitor_cond_since" {
			return since(false, txn2, ports(initial(rowA, portA)))
		}
		return ""
	})
	s := open(t, ovsdb.Config{Remotes: []string{first.remote}})
	before := await(t, s, "the first copy", synced)
	if err := s.Retarget([]string{"nonsense"}, ""); err == nil {
		t.Error("an address that is none was taken")
	}
	if err := s.Retarget([]string{first.remote, "tcp:192.0.2.1:6642"}, ""); err != nil {
		t.Fatal(err)
	}
	if st := s.Status(); st.Remote != first.remote || st.Connects != 1 {
		t.Errorf("a session with a server that is still a remote ended: %+v", st)
	}
	if err := s.Retarget([]string{second.remote}, ""); err != nil {
		t.Fatal(err)
	}
	after := await(t, s, "the rows of the other server", func(n *network) bool {
		return n.Stale == "" && len(n.Ports) == 1
	})
	if port(t, after, "a") != port(t, before, "a") {
		t.Error("a row that both have was replaced")
	}
	eventually(t, "the other server in the status", func() bool { return s.Status().Remote == second.remote })
	if err := s.Retarget(nil, "there is none any more"); err != nil {
		t.Fatal(err)
	}
	gone := await(t, s, "the end of the session", func(n *network) bool { return n.Stale != "" })
	if len(gone.Ports) != 1 || !strings.Contains(gone.Stale, "no longer one of the remotes") {
		t.Errorf("%d ports, stale %q", len(gone.Ports), gone.Stale)
	}
	if st := s.Status(); st.Synced || st.LastError == "" {
		t.Errorf("without a remote: %+v", st)
	}
}
