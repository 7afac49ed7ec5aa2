// Package database_test proves what bgp-ovn promises of a database that fails: real
// servers of a Southbound database, our own session with them, and the loop on a model of
// the node, so that every path that is taken back is counted.
//
// It refuses to test what a server does: that is OVN's.
//
// Read next: proof_test.go for the faults, node_test.go for what is counted.
package database_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// fault breaks a database and mends it again; it returns once a plain client can write.
type fault struct {
	name string
	// servers are those that the node follows, and where is written to; behind are the
	// members behind a relay.
	servers func(testing.TB) (follows, behind []*server)
	happen  func(n *node, follows, behind []*server)
}

// TestProofDatabase: whatever happens to the Southbound database, nothing is taken back
// because data is missing, and 5 s after its return the node agrees with it.
func TestProofDatabase(t *testing.T) {
	var longest time.Duration
	repeats := proof.Count(1, 10)
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			follows, behind := f.servers(t)
			n := start(t, writer(slices.Concat(follows, behind)), ovsdb.Config{Remotes: remotes(follows)})
			for range repeats {
				f.happen(n, follows, behind)
				n.returned()
			}
			longest = max(longest, n.longest)
			t.Logf("%s: %d times, %d paths withdrawn, agreement at most %s after the return", f.name, repeats,
				n.withdrawn.Load(), n.longest.Round(time.Millisecond))
		})
	}
	if t.Failed() {
		return
	}
	proof.Report(t, "%d faults, %d times each, 0 paths withdrawn, agreement at most %s after the return", len(faults()),
		repeats, longest.Round(time.Millisecond))
}

// writer writes through the first server that takes it.
func writer(servers []*server) func(...any) []string {
	return func(operations ...any) (made []string) {
		t := servers[0].t
		t.Helper()
		until(t, "a write", func() bool {
			for _, s := range servers {
				out, err := s.try(operations...)
				if err == nil {
					made = out
					return true
				}
				if strings.Contains(err.Error(), "constraint") || strings.Contains(err.Error(), "syntax") {
					t.Fatal(err)
				}
			}
			return false
		})
		return made
	}
}

// returned is called when the database can be written again: a VM more has to be
// announced soon, and nothing was withdrawn meanwhile.
func (n *node) returned() {
	n.t.Helper()
	n.bind()
	began := time.Now()
	n.agree(5 * time.Second)
	n.longest = max(n.longest, time.Since(began))
	if got := n.withdrawn.Load(); got != 0 {
		n.t.Fatalf("%d paths were withdrawn", got)
	}
}

func alone(t testing.TB) (follows, behind []*server) { return []*server{single(t)}, nil }

func three(t testing.TB) (follows, behind []*server) { return cluster(t, 3), nil }

func relayed(t testing.TB) (follows, behind []*server) {
	behind = cluster(t, 3)
	return []*server{relay(t, behind)}, behind
}

func faults() []fault {
	return []fault{
		{"killed", alone, func(n *node, s, _ []*server) { restart(n, s...) }},
		{"all members killed", three, func(n *node, s, _ []*server) { restart(n, s...) }},
		{"member killed", three, func(n *node, s, _ []*server) { restart(n, connected(n, s)) }},
		{"leader killed", three, func(n *node, s, _ []*server) { restart(n, leader(n, s)) }},
		{"frozen", alone, func(n *node, s, _ []*server) { frozen(n, s[0]) }},
		{"member frozen", three, func(n *node, s, _ []*server) { frozenMember(n, s) }},
		{"relay killed", relayed, func(n *node, s, _ []*server) { restart(n, s...) }},
		{"all members behind a relay killed", relayed, func(n *node, _, b []*server) {
			for _, m := range b {
				m.kill()
			}
			for _, m := range b {
				m.start()
			}
			for _, m := range b {
				m.serves()
			}
		}},
		{"emptied", alone, func(n *node, _, _ []*server) {
			n.empty()
			n.sees("the empty database", func(sb *observe.Southbound) bool { return sb.Ports.Len() == 0 })
			n.fill()
			n.sees("the chassis", func(sb *observe.Southbound) bool { return len(sb.Chassis) == 1 })
		}},
		{"rolled back", alone, func(n *node, s, _ []*server) { rolledBack(n, s[0]) }},
		{"converted", alone, func(n *node, s, _ []*server) { converted(n, s[0]) }},
	}
}

// restart kills servers and starts them again once the node has noticed.
func restart(n *node, servers ...*server) {
	n.t.Helper()
	for _, s := range servers {
		s.kill()
	}
	until(n.t, "the loss is noticed", func() bool {
		remote := n.src.Status().Remote
		return !slices.ContainsFunc(servers, func(s *server) bool { return s.remote() == remote })
	})
	for _, s := range servers {
		s.start()
	}
	for _, s := range servers {
		s.serves()
	}
}

// connected is the server that the node is connected to.
func connected(n *node, servers []*server) *server {
	n.t.Helper()
	var found *server
	until(n.t, "a session", func() bool {
		remote := n.src.Status().Remote
		for _, s := range servers {
			if s.remote() == remote {
				found = s
			}
		}
		return found != nil
	})
	return found
}

func leader(n *node, servers []*server) *server {
	n.t.Helper()
	var found *server
	until(n.t, "a leader", func() bool {
		for _, s := range servers {
			if s.leads() {
				found = s
			}
		}
		return found != nil
	})
	return found
}

// frozen stops the only server until the node has noticed its silence.
func frozen(n *node, s *server) {
	n.t.Helper()
	s.freeze()
	defer s.thaw()
	n.sees("the silence", func(sb *observe.Southbound) bool { return sb.Stale != "" })
	s.thaw()
	s.serves()
}

// frozenMember stops the member that the node is connected to: it goes to another one.
func frozenMember(n *node, servers []*server) {
	n.t.Helper()
	s := connected(n, servers)
	s.freeze()
	defer s.thaw()
	until(n.t, "a session with another member", func() bool {
		st := n.src.Status()
		return st.Synced && st.Remote != s.remote()
	})
	s.thaw()
	s.serves()
}

// rolledBack starts the server on an old copy of its file, which lacks most rows, and
// later on the right one again.
func rolledBack(n *node, s *server) {
	n.t.Helper()
	old := filepath.Join(s.dir, "old.db")
	harness.Check(n.t, os.RemoveAll(old))
	harness.Run(n.t, "ovsdb-tool", "create", old, schemaFile)
	kept := s.file
	s.kill()
	newest, err := os.ReadFile(kept)
	harness.Check(n.t, err)
	s.file = old
	s.start()
	s.serves()
	n.fillWith(s.transact, vms/4) // most of the VMs came after the copy was made
	n.sees("the old copy", func(sb *observe.Southbound) bool { return sb.Stale == "" && sb.Ports.Len() == vms/4+1 })
	s.kill()
	harness.Check(n.t, os.WriteFile(kept, newest, 0o600))
	s.file = kept
	s.start()
	s.serves()
	n.sees("the newest copy", func(sb *observe.Southbound) bool { return sb.Stale == "" && sb.Ports.Len() > vms })
}

// converted changes the schema under the session and changes it back.
func converted(n *node, s *server) {
	n.t.Helper()
	text, err := os.ReadFile(schemaFile)
	harness.Check(n.t, err)
	version := fmt.Sprintf("20.99.%d", rand.IntN(1_000_000))
	changed := strings.Replace(string(text), `"version": "`, `"version": "`+version+`", "x-was": "`, 1)
	changed = strings.Replace(changed, `, "x-was": "`+between(string(text), `"version": "`, `"`)+`"`, "", 1)
	file := filepath.Join(s.dir, "schema")
	harness.Check(n.t, os.WriteFile(file, []byte(changed), 0o600))
	harness.Run(n.t, "ovsdb-client", "convert", s.remote(), file)
	until(n.t, "the new schema", func() bool { st := n.src.Status(); return st.Schema == version && st.Synced })
	harness.Run(n.t, "ovsdb-client", "convert", s.remote(), schemaFile)
	until(n.t, "the old schema", func() bool { st := n.src.Status(); return st.Schema != version && st.Synced })
}

// between is the text after one word and before another.
func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	word, _, _ := strings.Cut(rest, after)
	return word
}
