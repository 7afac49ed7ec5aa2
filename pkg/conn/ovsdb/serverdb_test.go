package ovsdb_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
)

const serverSchema = `{"name":"_Server","version":"1.2.0","tables":{"Database":{"columns":{
	"name":{"type":"string"},"model":{"type":"string"},"connected":{"type":"boolean"},
	"cid":{"type":{"key":"uuid","min":0,"max":1}},"index":{"type":{"key":"integer","min":0,"max":1}}}}}}`

// memberOf is a server that reports to be a member of a cluster.
func memberOf(t *testing.T, connected bool, index int) *fake {
	return newFake(t, func(method, params string) string {
		switch {
		case method == "get_schema" && strings.Contains(params, "_Server"):
			return serverSchema
		case method == "monitor" && strings.Contains(params, "_Server"):
			return databaseRow(connected, index)
		}
		return twoPorts(method, params)
	})
}

func databaseRow(connected bool, index int) string {
	return fmt.Sprintf(`{"Database":{%q:{"new":{"name":"Network","model":"clustered",`+
		`"connected":%t,"cid":["uuid",%q],"index":%d}}}}`,
		rowA, connected, rowB, index)
}

func serverUpdate(connected bool, index int) string {
	return fmt.Sprintf(`{"id":null,"method":"update","params":["server",%s]}`, databaseRow(connected, index))
}

func TestMemberWithoutMajorityIsLeft(t *testing.T) {
	alone, fine := memberOf(t, false, 10), memberOf(t, true, 10)
	s := open(t, ovsdb.Config{Remotes: []string{alone.remote, fine.remote}})
	await(t, s, "the first copy", synced)
	if st := s.Status(); st.Remote != fine.remote {
		t.Errorf("%+v", st)
	}
	// Now the other way round.
	alone.answer = fine.answer
	fine.send(serverUpdate(false, 11))
	eventually(t, "the other member", func() bool { return s.Status().Remote == alone.remote && s.Status().Synced })
}

func TestOutdatedMemberIsLeftWhileThereIsABetterOne(t *testing.T) {
	behind, ahead := memberOf(t, true, 5), memberOf(t, true, 10)
	s := open(t, ovsdb.Config{Remotes: []string{ahead.remote}})
	await(t, s, "the first copy", synced)
	s.Close()

	s = open(t, ovsdb.Config{Remotes: []string{behind.remote, ahead.remote}})
	await(t, s, "the first copy", synced)
	if s.Status().Remote == behind.remote {
		behind.drop()
		eventually(t, "the newer member", func() bool { return s.Status().Remote == ahead.remote && s.Status().Synced })
	}
	ahead.send(serverUpdate(true, 12)) // followed while connected
	ahead.send(update3(txn2, ports(modified(rowA, `{"tag":7}`))))
	await(t, s, "the update", func(n *network) bool { return port(t, n, "a").Tag == 7 })
	// Both are behind now: after a round of refusals old data is better than
	// none.
	ahead.drop()
	eventually(t, "any member", func() bool { return s.Status().Synced && s.Status().Connects > 2 })
	if st := s.Status(); !strings.Contains(st.LastError, "older than one seen before") {
		t.Errorf("%+v", st)
	}
}

func TestServerWithoutOurDatabase(t *testing.T) {
	f := newFake(t, func(method, params string) string {
		switch {
		case method == "get_schema" && strings.Contains(params, "_Server"):
			return serverSchema
		case method == "monitor":
			return `{"Database":{"` + rowA + `":{"new":{"name":"_Server","model":"standalone","connected":true}}}}`
		}
		return ""
	})
	s := open(t, ovsdb.Config{Remotes: []string{f.remote}})
	eventually(t, "the refusal", func() bool {
		return strings.Contains(s.Status().LastError, "the server has no database Network")
	})
}
