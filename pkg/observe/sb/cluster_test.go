package sb_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// newCluster starts members of one RAFT cluster.
func newCluster(t *testing.T, members int) []*ovsdbServer {
	t.Helper()
	var out []*ovsdbServer
	var first string
	for i := range members {
		dir := shortDir(t)
		db, raft := filepath.Join(dir, "sb.db"), "unix:"+filepath.Join(dir, "raft")
		if i == 0 {
			first = raft
			command(t, "ovsdb-tool", "create-cluster", db, schemaFile, raft)
		} else {
			command(t, "ovsdb-tool", "join-cluster", db, "OVN_Southbound", raft, first)
		}
		out = append(out, startServer(t, dir, db))
	}
	for i, s := range out {
		// A member answers before it has joined, and drops its clients when it
		// has; only a write shows that it takes part.
		eventually(t, "a write through "+s.socket, func() bool {
			_, err := tryTransact("unix", s.socket, insert("Address_Set", row{"name": fmt.Sprint("as", i)}))
			return err == nil
		})
	}
	return out
}

func remotes(members []*ovsdbServer) []string {
	var out []string
	for _, m := range members {
		out = append(out, m.remote())
	}
	return out
}

func connectedTo(t *testing.T, s *sb.Source, members []*ovsdbServer) (*ovsdbServer, []*ovsdbServer) {
	t.Helper()
	var rest []*ovsdbServer
	var found *ovsdbServer
	for _, m := range members {
		if s.Status().Remote == m.remote() {
			found = m
			continue
		}
		rest = append(rest, m)
	}
	if found == nil {
		t.Fatalf("connected to none: %+v", s.Status())
	}
	return found, rest
}

// TestFailover kills members one after the other. With two of three the next
// one sends only what was missed; the last one alone is not trusted.
func TestFailover(t *testing.T) {
	members := newCluster(t, 3)
	// A server forgets what was missed once that is more than the database
	// has, which is soon in a small one.
	var bulk []any
	for i := range 500 {
		bulk = append(bulk, insert("Address_Set", row{"name": fmt.Sprint("bulk", i), "addresses": address(i)}))
	}
	members[0].transact(bulk...)
	members[0].transact(smallNetwork()...)
	s := open(t, ovsdb.Config{Remotes: remotes(members)})
	before := await(t, s, "the first copy", hasPort("vm"))

	member, rest := connectedTo(t, s, members)
	member.kill()
	eventually(t, "a write to the rest", func() bool {
		_, err := tryTransact("unix", rest[0].socket, update("Port_Binding", byPort("vm"), row{"tunnel_key": 77}))
		return err == nil
	})
	after := await(t, s, "the write", func(sb *observe.Southbound) bool {
		p, _ := sb.Port("vm")
		return p.TunnelKey == 77 && sb.Stale == ""
	})
	if port(t, after, "provnet") != port(t, before, "provnet") {
		t.Error("an equal row has another pointer")
	}
	if st := s.Status(); st.Copies != 1 || st.Found != 1 {
		t.Errorf("the second member sent everything: %+v", st)
	}

	member, rest = connectedTo(t, s, rest)
	member.kill()
	alone := await(t, s, "the last member is left too", func(sb *observe.Southbound) bool {
		return strings.Contains(sb.Stale, rest[0].socket) && strings.Contains(sb.Stale, "lost its cluster")
	})
	if alone.Ports.Len() != 2 || alone.Revision != after.Revision {
		t.Errorf("%d ports, revision %d", alone.Ports.Len(), alone.Revision)
	}
	member.start()
	await(t, s, "a majority", synced)
}

func TestManyMissedTransactions(t *testing.T) {
	members := newCluster(t, 1)
	members[0].transact(smallNetwork()...)
	socket := members[0].socket
	s := open(t, ovsdb.Config{Remotes: remotes(members)})
	before := await(t, s, "the first copy", hasPort("vm"))
	hidden := socket + ".hidden"
	// The way to the server is lost, and the session with it.
	if err := os.Rename(socket, hidden); err != nil {
		t.Fatal(err)
	}
	members[0].command("ovsdb-server/reconnect")
	await(t, s, "the loss", func(sb *observe.Southbound) bool { return sb.Stale != "" })
	for i := range 150 {
		transact(t, "unix", hidden, update("Port_Binding", byPort("vm"), row{"tunnel_key": 200 + i}))
	}
	if err := os.Rename(hidden, socket); err != nil {
		t.Fatal(err)
	}
	after := await(t, s, "the return", synced)
	if p := port(t, after, "vm"); p.TunnelKey != 349 || after.Revision != before.Revision+1 {
		t.Errorf("tunnel key %d, revision %d after %d", p.TunnelKey, after.Revision, before.Revision)
	}
	if st := s.Status(); st.Copies != 2 || st.Found != 0 {
		t.Errorf("%+v", st)
	}
}

// command runs a command of ovs-appctl in the server.
func (s *ovsdbServer) command(args ...string) string {
	s.t.Helper()
	return command(s.t, "ovs-appctl", append([]string{"-t", filepath.Join(s.dir, "ctl")}, args...)...)
}

// TestConversion changes the schema under a running session (S-23).
func TestConversion(t *testing.T) {
	reduced := reducedSchema(t, "20.20.0", func(tables map[string]table) {
		delete(tables["Port_Binding"].Columns, "additional_chassis")
		delete(tables["Port_Binding"].Columns, "additional_encap")
	})
	server := newServer(t, reduced)
	server.transact(smallNetwork()...)
	s := open(t, ovsdb.Config{Remotes: []string{server.remote()}})
	before := await(t, s, "the first copy", synced)
	command(t, "ovsdb-client", "convert", server.remote(), schemaFile)
	eventually(t, "the new schema", func() bool { return s.Status().Schema != "20.20.0" && s.Status().Synced })
	after := await(t, s, "the conversion", synced)
	if after.Revision != before.Revision || s.Status().Connects != 1 {
		t.Errorf("revision %d after %d: %+v", after.Revision, before.Revision, s.Status())
	}
	hv := after.Chassis[0].UUID
	server.transact(update("Port_Binding", byPort("vm"), row{"additional_chassis": uuid(hv)}))
	await(t, s, "the new column", func(sb *observe.Southbound) bool {
		return len(port(t, sb, "vm").AdditionalChassis) == 1
	})
}

type table struct {
	Columns map[string]any `json:"columns"`
	Indexes any            `json:"indexes,omitempty"`
	IsRoot  bool           `json:"isRoot,omitempty"`
}

// reducedSchema writes a schema with changed tables.
func reducedSchema(t *testing.T, version string, change func(map[string]table)) string {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Name    string           `json:"name"`
		Version string           `json:"version"`
		Tables  map[string]table `json:"tables"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	schema.Version = version
	change(schema.Tables)
	if text, err = json.Marshal(schema); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(shortDir(t), "schema")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOptionalColumns serves schemas of other releases.
func TestOptionalColumns(t *testing.T) {
	text := map[string]any{"type": map[string]any{"key": "string", "min": 0, "max": 1}}
	group := map[string]any{"type": map[string]any{
		"key": map[string]any{"type": "uuid", "refTable": "Logical_DP_Group"}, "min": 0, "max": 1,
	}}
	for name, change := range map[string]func(map[string]table){
		"older": func(tables map[string]table) {
			for _, c := range []string{
				"up", "requested_chassis", "requested_additional_chassis", "additional_chassis",
				"additional_encap",
			} {
				delete(tables["Port_Binding"].Columns, c)
			}
			delete(tables["Load_Balancer"].Columns, "datapath_group")
			delete(tables, "Logical_DP_Group")
			delete(tables["Logical_Flow"].Columns, "logical_dp_group")
		},
		"newer": func(tables map[string]table) {
			tables["Datapath_Binding"].Columns["type"] = text
			tables["Datapath_Binding"].Columns["nb_uuid"] = text
			tables["Load_Balancer"].Columns["ls_datapath_group"] = group
			tables["Load_Balancer"].Columns["lr_datapath_group"] = group
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, reducedSchema(t, "20.1.0", change))
			operations := []any{
				insert("SB_Global", row{}),
				named("dp", "Datapath_Binding", row{"tunnel_key": 1}),
				insert("Port_Binding", row{
					"logical_port": "vm", "datapath": ref("dp"), "tunnel_key": 2,
					"mac": "fa:16:3e:00:00:01 10.0.0.1",
				}),
				insert("Load_Balancer", row{"name": "lb", "datapaths": ref("dp")}),
			}
			if name == "newer" {
				operations = append(operations,
					named("g", "Logical_DP_Group", row{"datapaths": ref("dp")}),
					insert("Load_Balancer", row{"name": "new", "ls_datapath_group": ref("g")}),
					update("Datapath_Binding", []any{"tunnel_key", "==", 1}, row{"type": "logical-switch"}))
			}
			server.transact(operations...)
			s := open(t, ovsdb.Config{Remotes: []string{server.remote()}})
			have := await(t, s, "the first copy", synced)
			vm := port(t, have, "vm")
			if vm.Down || len(vm.Addresses) != 1 || len(have.Balancers) == 0 || len(have.Balancers[0].Datapaths) != 1 {
				t.Errorf("%+v %+v", vm, have.Balancers)
			}
			if name == "newer" && (have.Datapaths[0].Type != "logical-switch" ||
				have.Balancers[1].LSGroup != have.DPGroups[0].UUID) {
				t.Errorf("%+v %+v", have.Datapaths[0], have.Balancers[1])
			}
			if has := strings.Contains(fmt.Sprint(have.Tables), "Logical_DP_Group"); has != (name == "newer") {
				t.Errorf("tables %v", have.Tables)
			}
		})
	}
}

func TestTCP(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			port := freePort(t, host)
			bracketed := host
			if strings.Contains(host, ":") {
				bracketed = "[" + host + "]"
			}
			dir := shortDir(t)
			db := filepath.Join(dir, "sb.db")
			command(t, "ovsdb-tool", "create", db, schemaFile)
			startServer(t, dir, "--remote=ptcp:"+port+":"+bracketed, db)
			s := open(t, ovsdb.Config{Remotes: []string{"tcp:" + net.JoinHostPort(host, port)}})
			await(t, s, "the first copy", synced)
		})
	}
}

func freePort(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
