package database_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

const schemaFile = "/usr/share/ovn/ovn-sb.ovsschema"

// server is a real ovsdb-server: a single one, a member of a cluster, or a relay.
type server struct {
	t                 testing.TB
	dir, file, socket string
	starts            int
	cmd               *exec.Cmd
}

// shortDir is t.TempDir with a name that a unix socket's address can hold.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "db")
	harness.Check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func single(t testing.TB) *server {
	t.Helper()
	dir := shortDir(t)
	file := filepath.Join(dir, "sb.db")
	harness.Run(t, "ovsdb-tool", "create", file, schemaFile)
	return newServer(t, dir, file)
}

// cluster starts members of one RAFT cluster.
func cluster(t testing.TB, members int) []*server {
	t.Helper()
	var out []*server
	var first string
	for i := range members {
		dir := shortDir(t)
		file, raft := filepath.Join(dir, "sb.db"), "unix:"+filepath.Join(dir, "raft")
		if i == 0 {
			first = raft
			harness.Run(t, "ovsdb-tool", "create-cluster", file, schemaFile, raft)
		} else {
			harness.Run(t, "ovsdb-tool", "join-cluster", file, "OVN_Southbound", raft, first)
		}
		out = append(out, newServer(t, dir, file))
	}
	for _, s := range out {
		s.serves()
	}
	return out
}

// relay serves what a cluster has.
func relay(t testing.TB, members []*server) *server {
	t.Helper()
	return newServer(t, shortDir(t), "relay:OVN_Southbound:"+strings.Join(remotes(members), ","))
}

func newServer(t testing.TB, dir, file string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, file: file, socket: filepath.Join(dir, "sb.sock")}
	s.start()
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.starts++
	s.cmd = harness.Child(s.t, filepath.Join(s.dir, fmt.Sprint("out", s.starts)), exec.Command("ovsdb-server",
		"--remote=punix:"+s.socket, "--unixctl="+filepath.Join(s.dir, "ctl"), "-vconsole:off", s.file))
}

// kill ends the server the hard way, by its id.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	_ = s.cmd.Wait()         // how it ended is not what the test is about
}

func (s *server) freeze() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *server) thaw()   { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

func (s *server) remote() string { return "unix:" + s.socket }

func remotes(servers []*server) []string {
	var out []string
	for _, s := range servers {
		out = append(out, s.remote())
	}
	return out
}

// serves waits until a write through the server succeeds: a member answers before it has
// joined, and only a write shows that it takes part.
func (s *server) serves() {
	s.t.Helper()
	until(s.t, "a write through "+s.socket, func() bool {
		_, err := s.try(insert("Address_Set", row{"name": fmt.Sprint("as", time.Now().UnixNano())}))
		return err == nil
	})
}

// leads reports whether the member is the leader of its cluster.
func (s *server) leads() bool {
	out, err := exec.Command("ovs-appctl", "-t", filepath.Join(s.dir, "ctl"), "cluster/status", "OVN_Southbound").Output()
	return err == nil && bytes.Contains(out, []byte("Role: leader"))
}

type row = map[string]any

func insert(table string, r row) any { return row{"op": "insert", "table": table, "row": r} }

func named(name, table string, r row) any {
	return row{"op": "insert", "table": table, "row": r, "uuid-name": name}
}

func update(port string, r row) any {
	return row{"op": "update", "table": "Port_Binding", "where": []any{[]any{"logical_port", "==", port}}, "row": r}
}

func ref(name string) any { return []any{"named-uuid", name} }

func set(values ...string) any {
	list := []any{}
	for _, v := range values {
		list = append(list, v)
	}
	return []any{"set", list}
}

func pairs(kv ...string) any {
	out := []any{}
	for i := 0; i < len(kv); i += 2 {
		out = append(out, []any{kv[i], kv[i+1]})
	}
	return []any{"map", out}
}

// transact performs operations as one transaction and returns the UUIDs of what it made.
func (s *server) transact(operations ...any) []string {
	s.t.Helper()
	out, err := s.try(operations...)
	harness.Check(s.t, err)
	return out
}

func (s *server) try(operations ...any) ([]string, error) {
	c, err := net.Dial("unix", s.socket)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(harness.Scaled(2 * time.Second))); err != nil {
		return nil, err
	}
	request := row{"method": "transact", "params": append([]any{"OVN_Southbound"}, operations...), "id": 1}
	if err := json.NewEncoder(c).Encode(request); err != nil {
		return nil, err
	}
	var reply struct {
		Result []struct {
			UUID  [2]string
			Error string
		}
		Error any
	}
	if err := json.NewDecoder(c).Decode(&reply); err != nil {
		return nil, err
	}
	var made []string
	for _, r := range reply.Result {
		if r.Error != "" {
			return nil, fmt.Errorf("transact: %+v", reply)
		}
		made = append(made, r.UUID[1])
	}
	if reply.Error != nil {
		return nil, fmt.Errorf("transact: %v", reply.Error)
	}
	return made, nil
}

func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	harness.Check(t, harness.Until(t.Context(), what, holds))
}
