package sb_test

import (
	"context"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

const schemaFile = "/usr/share/ovn/ovn-sb.ovsschema"

// patience bounds every wait; what is waited for takes milliseconds.
const patience = 60 * time.Second

// ovsdbServer is a real ovsdb-server.
type ovsdbServer struct {
	t      testing.TB
	dir    string
	socket string
	args   []string
	cmd    *exec.Cmd
}

// newServer starts a server on a database file, which is made from schema if
// it does not exist.
func newServer(t testing.TB, schema string, args ...string) *ovsdbServer {
	t.Helper()
	dir := shortDir(t)
	db := filepath.Join(dir, "sb.db")
	command(t, "ovsdb-tool", "create", db, schema)
	return startServer(t, dir, append(args, db)...)
}

// shortDir is t.TempDir with a name that a unix socket's address can hold.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func startServer(t testing.TB, dir string, args ...string) *ovsdbServer {
	t.Helper()
	s := &ovsdbServer{t: t, dir: dir, socket: filepath.Join(dir, "sb.sock"), args: args}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *ovsdbServer) start() {
	s.t.Helper()
	args := append([]string{
		"--remote=punix:" + s.socket,
		"--unixctl=" + filepath.Join(s.dir, "ctl"),
		"--log-file=" + filepath.Join(s.dir, "log"),
		"-vconsole:off",
	}, s.args...)
	s.cmd = exec.Command(find(s.t, "ovsdb-server"), args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "ovsdb-server answers on "+s.socket, func() bool {
		c, err := net.Dial("unix", s.socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill ends the server the hard way, by its pid.
func (s *ovsdbServer) kill() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
	s.cmd = nil
}

func (s *ovsdbServer) remote() string { return "unix:" + s.socket }

func find(t testing.TB, program string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/bin/", "/usr/sbin/"} {
		if path, err := exec.LookPath(dir + program); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: these tests need the packages openvswitch-switch and ovn-common", program)
	return ""
}

func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(find(t, name), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("in vain, for %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// transact runs operations (RFC 7047 section 5.2) and fails on any error.
func (s *ovsdbServer) transact(operations ...any) []result {
	s.t.Helper()
	return transact(s.t, "unix", s.socket, operations...)
}

type result struct {
	UUID  [2]string
	Error string
	Rows  []map[string]any
}

func transact(t testing.TB, network, address string, operations ...any) []result {
	t.Helper()
	out, err := tryTransact(network, address, operations...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryTransact(network, address string, operations ...any) ([]result, error) {
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	request := map[string]any{"method": "transact", "params": append([]any{"OVN_Southbound"}, operations...), "id": 1}
	if err := json.NewEncoder(c).Encode(request); err != nil {
		return nil, err
	}
	var reply struct {
		Result []result
		Error  any
	}
	if err := json.NewDecoder(c).Decode(&reply); err != nil {
		return nil, err
	}
	for _, r := range reply.Result {
		if r.Error != "" {
			return nil, fmt.Errorf("transact: %+v", reply)
		}
	}
	if reply.Error != nil {
		return nil, fmt.Errorf("transact: %v", reply.Error)
	}
	return reply.Result, nil
}

type row = map[string]any

func insert(table string, r row) any { return row{"op": "insert", "table": table, "row": r} }

func named(name, table string, r row) any {
	return row{"op": "insert", "table": table, "row": r, "uuid-name": name}
}

func update(table string, where []any, r row) any {
	return row{"op": "update", "table": table, "where": []any{where}, "row": r}
}

func remove(table string, where ...any) any {
	if len(where) == 0 {
		return row{"op": "delete", "table": table, "where": []any{}}
	}
	return row{"op": "delete", "table": table, "where": []any{where}}
}

func ref(name string) any   { return []any{"named-uuid", name} }
func uuid(u any) any        { return []any{"uuid", fmt.Sprint(u)} }
func set(values ...any) any { return []any{"set", append([]any{}, values...)} }

func pairs(kv ...string) any {
	out := []any{}
	for i := 0; i < len(kv); i += 2 {
		out = append(out, []any{kv[i], kv[i+1]})
	}
	return []any{"map", out}
}

// open starts a Source with a quick temper.
func open(t testing.TB, cfg ovsdb.Config) *sb.Source {
	t.Helper()
	if cfg.BackoffMin == 0 {
		cfg.BackoffMin, cfg.BackoffMax = 10*time.Millisecond, 40*time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := sb.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// await waits until the rows satisfy a condition, woken by Changed alone.
func await(t testing.TB, s *sb.Source, what string, holds func(*observe.Southbound) bool) *observe.Southbound {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		have, err := s.Read(ctx)
		if err == nil && holds(have) {
			return have
		}
		select {
		case <-s.Changed():
		case <-ctx.Done():
			t.Fatalf("in vain, for %v: %s; %v, %+v", patience, what, err, s.Status())
		}
	}
}

func synced(sb *observe.Southbound) bool { return sb.Stale == "" }

func hasPort(name string) func(*observe.Southbound) bool {
	return func(sb *observe.Southbound) bool {
		_, ok := sb.Port(name)
		return ok && sb.Stale == ""
	}
}

// writeDatabase makes a database file with rows, as ovsdb-server's log has them
// (ovsdb(5)), which is far quicker than transactions.
func writeDatabase(t testing.TB, path string, records ...any) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	schema, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range append([]any{json.RawMessage(schema)}, records...) {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, '\n')
		if _, err := fmt.Fprintf(f, "OVSDB JSON %d %x\n%s", len(text), sha1.Sum(text), text); err != nil {
			t.Fatal(err)
		}
	}
}
