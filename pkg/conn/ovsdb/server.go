package ovsdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	libovsdb "github.com/ovn-org/libovsdb/ovsdb"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

// serverID names our monitor of database _Server.
const serverID = "server"

// maxServerRows bounds what is kept of _Server: a server has some few databases.
const maxServerRows = 1000

// serverRow is a row of table Database in database _Server
// (ovsdb-server(5)): what a server reports of its copy of a database.
type serverRow struct {
	Name      string          `json:"name"`
	Model     string          `json:"model"`
	Connected bool            `json:"connected"`
	CID       json.RawMessage `json:"cid"`
	Index     json.RawMessage `json:"index"`
}

// server follows _Server, so that a member without a majority, a relay without
// a source and a member that lags are left (S-21, S-22).
type server struct {
	rows  map[string]serverRow // by row UUID; nil if there is no _Server
	fresh bool                 // rows changed since they were last judged
}

// errOutdated is why a server is left whose log ends before what we have seen.
var errOutdated = errors.New("the server's copy is older than one seen before")

// cluster is the newest state seen of a RAFT cluster.
type cluster struct {
	id    string
	index int
}

// watch starts to follow _Server. Servers without it, and libovsdb's, are
// taken as they are.
func (s *server) watch(c *conn) error {
	schema, err := c.getSchema("_Server")
	var refused *rpcError
	if errors.As(err, &refused) {
		return nil
	}
	if err != nil {
		return err
	}
	var columns []string
	for _, name := range []string{"name", "model", "connected", "cid", "index"} {
		if _, ok := schema.Tables["Database"].Columns[name]; ok {
			columns = append(columns, name)
		}
	}
	if !slices.Contains(columns, "name") || !slices.Contains(columns, "connected") {
		return nil
	}
	s.rows = make(map[string]serverRow)
	request := map[string]libovsdb.MonitorRequest{"Database": {Columns: columns}}
	return c.call(libovsdb.MonitorRPC, libovsdb.NewMonitorArgs("_Server", serverID, request), s.read)
}

// read applies <table-updates> (RFC 7047 section 4.1.6).
func (s *server) read(d *wire.Decoder) {
	var updates map[string]map[string]struct{ New *serverRow }
	if err := json.Unmarshal(d.Raw(), &updates); err != nil {
		d.Fail("update of _Server: %v", err)
		return
	}
	for id, row := range updates["Database"] {
		if row.New == nil {
			delete(s.rows, id)
			continue
		}
		s.rows[id] = *row.New
	}
	if len(s.rows) > maxServerRows {
		d.Fail("_Server has more than %d databases", maxServerRows)
	}
	s.fresh = true
}

// judge reports whether the server's copy of the database may be used, and notes
// how far its log goes.
func (s *server) judge(database string, seen *cluster) error {
	if s.rows == nil || !s.fresh {
		return nil
	}
	s.fresh = false
	for _, row := range s.rows {
		if row.Name != database {
			continue
		}
		if !row.Connected {
			return errors.New("the server has lost its cluster or source (_Server.Database.connected is false)")
		}
		return row.follow(seen)
	}
	return fmt.Errorf("the server has no database %s", database)
}

// follow compares the log's length with the longest seen of the same cluster.
func (r serverRow) follow(seen *cluster) error {
	var index int
	if r.Model != "clustered" || json.Unmarshal(r.Index, &index) != nil {
		return nil // standalone databases and relays have no index
	}
	if id := string(r.CID); id != seen.id {
		*seen = cluster{id: id}
	}
	if index < seen.index {
		return fmt.Errorf("%w (log index %d, seen %d)", errOutdated, index, seen.index)
	}
	seen.index = index
	return nil
}
