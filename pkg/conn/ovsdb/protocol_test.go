package ovsdb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
)

// twoPorts answers every first copy with ports a and b.
func twoPorts(method, _ string) string {
	if method == "monitor_cond_since" {
		return since(false, txn1, ports(initial(rowA, portA), initial(rowB, portB)))
	}
	return ""
}

// TestGarbage sends what cannot be applied: the session ends, the rows stay
// readable, and everything is read again.
func TestGarbage(t *testing.T) {
	for name, garbage := range map[string]string{
		"modify of an unknown row": update3(txn2, ports(modified("cccccccc-0000-0000-0000-00000000000c", portA))),
		"not JSON":                 `{"id":null,"method":"update3","params":["rows",` + "\x00",
		"a row without content":    update3(txn2, ports(`"`+rowA+`":{}`)),
		"a row that is a number":   update3(txn2, ports(`"`+rowA+`":{"modify":5}`)),
		"rows in an array":         update3(txn2, `{"Port":[]}`),
		"a row twice":              update3(txn2, ports(inserted(rowA, portA), inserted(rowA, portB))),
		"not a UUID":               update3(txn2, ports(inserted("x", portA))),
		"too few parameters":       `{"id":null,"method":"update3","params":["rows"]}`,
		"second half is garbage":   update3(txn2, ports(modified(rowA, `{"tag":5}`), modified("x", portB))),
		"text":                     "<html>",
		"unpaired":                 `{"id":null,"method":"update3","params":["rows"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, twoPorts)
			s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
			before := await(t, s, "the first copy", synced)
			f.send(garbage)
			eventually(t, "the second copy", func() bool { return s.Status().Copies == 2 })
			after := await(t, s, "the return", synced)
			if after.Revision != before.Revision || port(t, after, "a") != port(t, before, "a") {
				t.Errorf("revision %d after %d", after.Revision, before.Revision)
			}
			if got := s.Status().LastError; got == "" {
				t.Error("the status has no fault")
			}
			for _, request := range f.asked("monitor_cond_since") {
				if strings.Contains(request, txn1) {
					t.Errorf("a delta was asked for after garbage: %s", request)
				}
			}
			t.Log(s.Status().LastError)
		})
	}
}

func TestGarbageLeavesRowsReadable(t *testing.T) {
	copies := 0
	f := newFake(t, func(method, params string) string {
		if method == "monitor_cond_since" {
			if copies++; copies > 1 {
				return "silence"
			}
		}
		return twoPorts(method, params)
	})
	s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
	await(t, s, "the first copy", synced)
	f.send(update3(txn2, ports(modified("cccccccc-0000-0000-0000-00000000000c", portA))))
	have := await(t, s, "the loss", func(n *network) bool { return n.Stale != "" })
	if len(have.Ports) != 2 || !strings.Contains(have.Stale,
		"modification of row cccccccc-0000-0000-0000-00000000000c, which we do not have") {
		t.Errorf("%d ports, stale: %s", len(have.Ports), have.Stale)
	}
}

func TestFoundAppliesOnlyWhatWasMissed(t *testing.T) {
	f := newFake(t, func(method, params string) string {
		if method == "monitor_cond_since" && strings.Contains(params, txn1) {
			return since(true, txn2, ports(modified(rowA,
				`{"mac":["set",["fa:16:3e:00:00:0a 10.0.0.10","fa:16:3e:00:00:0a 10.0.0.99"]]}`)))
		}
		return twoPorts(method, params)
	})
	s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
	before := await(t, s, "the first copy", synced)
	f.drop()
	after := await(t, s, "the change", func(n *network) bool { return n.Revision > before.Revision })
	a := port(t, after, "a")
	if len(a.MAC) != 1 || a.MAC[0] != "fa:16:3e:00:00:0a 10.0.0.99" {
		t.Errorf("%+v", a.MAC)
	}
	if port(t, after, "b") != port(t, before, "b") || after.Stale != "" {
		t.Errorf("stale %q", after.Stale)
	}
	if st := s.Status(); st.Found != 1 || st.Copies != 1 {
		t.Errorf("%+v", st)
	}
	// The next loss asks from where the last one ended.
	f.drop()
	eventually(t, "the third request", func() bool {
		asked := f.asked("monitor_cond_since")
		return len(asked) > 2 && strings.Contains(asked[2], txn2)
	})
}

func TestNotFoundIsCompared(t *testing.T) {
	copies := 0
	f := newFake(t, func(method, params string) string {
		if method != "monitor_cond_since" {
			return ""
		}
		if copies++; copies < 3 {
			return twoPorts(method, params)
		}
		return since(false, txn2, ports(initial(rowB, portB)))
	})
	s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
	before := await(t, s, "the first copy", synced)
	f.drop()
	eventually(t, "the second copy", func() bool { return s.Status().Copies == 2 })
	if same := await(t, s, "the second copy", synced); same.Revision != before.Revision {
		t.Error("an equal copy was published")
	}
	f.drop()
	after := await(t, s, "the third copy", func(n *network) bool { return n.Revision > before.Revision })
	if len(after.Ports) != 1 || after.Ports[0] != port(t, before, "b") || after.Revision != before.Revision+1 {
		t.Errorf("revision %d: %+v", after.Revision, after.Ports)
	}
}

func TestMonitorCanceled(t *testing.T) {
	copies := 0
	f := newFake(t, func(method, params string) string {
		if method == "monitor_cond_since" {
			if copies++; copies == 2 {
				return since(false, txn2, ports(initial(rowA, portA)))
			}
		}
		return twoPorts(method, params)
	})
	s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
	await(t, s, "the first copy", synced)
	f.send(`{"id":null,"method":"monitor_canceled","params":["rows"]}`)
	after := await(t, s, "the new copy", func(n *network) bool { return len(n.Ports) == 1 })
	if after.Stale != "" || s.Status().Connects != 1 || len(f.asked("get_schema")) != 3 {
		t.Errorf("%+v, %v", s.Status(), f.asked("get_schema"))
	}
}

func TestOrderOfMembersDoesNotMatter(t *testing.T) {
	f := newFake(t, func(method, params string) string { return twoPorts(method, params) })
	s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
	await(t, s, "the first copy", synced)
	f.send(` {"params":["rows","` + txn2 + `",` + ports(modified(rowA, `{"tag":7}`)) + `],"id":null,"method":"update3"}` +
		"\n")
	await(t, s, "the update", func(n *network) bool { return port(t, n, "a").Tag == 7 })
	f.send(`{"params":["are","you"],"id":"there","method":"echo"}{"id":8,"method":"what","params":[]}`)
	eventually(t, "two answers", func() bool { return len(f.asked("")) == 2 })
}

func TestUpdatesOfOtherMonitorsAreLeft(t *testing.T) {
	f := newFake(t, twoPorts)
	s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
	before := await(t, s, "the first copy", synced)
	f.send(`{"id":null,"method":"update2","params":["other",{"Port":5}]}`)
	f.send(update3(txn2, ports(modified(rowA, `{"tag":7}`))))
	after := await(t, s, "the update", func(n *network) bool { return port(t, n, "a").Tag == 7 })
	if after.Revision != before.Revision+1 {
		t.Errorf("revision %d", after.Revision)
	}
}

// TestRowsThatCannotBeRead become BadRows, until they can.
func TestRowsThatCannotBeRead(t *testing.T) {
	f := newFake(t, twoPorts)
	s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
	await(t, s, "the first copy", synced)
	f.send(update3(txn2, ports(modified(rowA, `{"chassis":["set",[["uuid","x"]]],"tag":["set",[1,2]],"tunnel_key":3}`))))
	bad := await(t, s, "the bad row", func(n *network) bool { return len(n.Bad) == 1 })
	want := `Port a: column chassis: "x" is not a UUID; column tag: a set of 2 where at most one element was expected`
	if got := bad.Bad[0]; got != want || len(bad.Ports) != 1 {
		t.Errorf("%s; %d ports", got, len(bad.Ports))
	}
	f.send(update3(txn2, ports(modified(rowA, `{"chassis":["set",[]]}`))))
	await(t, s, "half of it", func(n *network) bool {
		return len(n.Bad) == 1 && !strings.Contains(n.Bad[0], "chassis")
	})
	f.send(update3(txn2, ports(modified(rowA, `{"tag":["set",[]]}`))))
	good := await(t, s, "the good row", func(n *network) bool { return len(n.Bad) == 0 })
	if a := port(t, good, "a"); a.TunnelKey != 3 || a.Options["k"] != "v" {
		t.Errorf("%+v", a)
	}
}

func TestSilenceEndsTheSession(t *testing.T) {
	var s *ovsdb.Follower[network]
	f := newFake(t, func(method, params string) string {
		if method == "echo" {
			return "silence"
		}
		return twoPorts(method, params)
	})
	s = open(t, ovsdb.Config{Remotes: []string{f.remote}, Probe: 50 * time.Millisecond})
	await(t, s, "the first copy", synced)
	await(t, s, "the loss", func(n *network) bool {
		return strings.Contains(n.Stale, "no answer from the server for 100ms")
	})
}

func TestEchoKeepsTheSession(t *testing.T) {
	f := newFake(t, twoPorts)
	s := open(t, ovsdb.Config{Remotes: []string{f.remote}, Probe: 10 * time.Millisecond})
	await(t, s, "the first copy", synced)
	eventually(t, "five echoes", func() bool { return len(f.asked("echo")) >= 5 })
	if st := s.Status(); st.Connects != 1 || !st.Synced {
		t.Errorf("%+v", st)
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	for schema, want := range map[string]string{
		`{"name":"x","version":"1.0.0","tables":{}}`: "is not that of the Network database: it lacks Port.name, Port.mac",
		`{"tables":5}`: "read the schema of Network",
		`{"tables":{"Port":{"columns":{"name":{}}}}}`: "it lacks Port.mac",
	} {
		f := newFake(t, func(method, params string) string {
			if method == "get_schema" && strings.Contains(params, "Network") {
				return schema
			}
			return ""
		})
		s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
		eventually(t, "the refusal", func() bool { return strings.Contains(s.Status().LastError, want) })
	}
}
