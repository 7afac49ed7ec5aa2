package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// The test binary runs itself again in a network namespace of its own, so that a
// node made here can touch nothing of the machine.
const roleEnv = "AGENT_TEST_ROLE"

func TestMain(m *testing.M) {
	if socket := os.Getenv(fragileEnv); socket != "" {
		os.Exit(serveFragile(socket))
	}
	if path := os.Getenv(controllerEnv); path != "" {
		os.Exit(runController(path))
	}
	if os.Getenv(roleEnv) != "" {
		os.Exit(m.Run())
	}
	os.Exit(inNamespace())
}

// inNamespace runs the tests in a fresh network namespace. It fails, and does not
// skip, where that is not allowed.
func inNamespace() int {
	const script = `mount -t sysfs sysfs /sys && ip link set lo up && exec "$0" "$@"`
	cmd := exec.Command("/bin/sh", append([]string{"-c", script}, os.Args...)...)
	cmd.Env = append(os.Environ(), roleEnv+"=tests")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	fmt.Fprintf(os.Stderr, "these tests need root and iproute2 for a network namespace: %v\n", err)
	return 1
}

// deadline bounds every wait; what is waited for takes milliseconds.
const deadline = 60 * time.Second

// await waits until missing is empty and fails with what it said last.
func await(t testing.TB, missing func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		text := missing()
		if text == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s: %s", deadline, text)
		case <-time.After(pause):
		}
	}
}

// world is a node's surroundings: a real ovsdb-server with a Southbound and an
// Open_vSwitch database, and a bridge br-ex. There is no ovs-vswitchd: the
// configuration leaves flows to others.
type world struct {
	t      testing.TB
	dir    string
	server *exec.Cmd
	config string
	logged *lockedBuffer
	level  slog.LevelVar
	recent *Recent
}

const (
	ovsSchema = "/usr/share/openvswitch/vswitch.ovsschema"
	sbSchema  = "/usr/share/ovn/ovn-sb.ovsschema"
)

// The address of the VM vm-a, which is bound to this chassis, and of vm-b, which is
// bound to another one.
var (
	here  = netip.MustParseAddr("172.24.4.11")
	there = netip.MustParseAddr("172.24.4.12")
)

// newWorld starts the databases. Keys are lines of the configuration beyond those
// that every test needs.
func newWorld(t testing.TB, keys ...string) *world {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "agent") // short, for the addresses of sockets
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, logged: &lockedBuffer{}, config: filepath.Join(dir, "config.yaml")}
	t.Cleanup(func() {
		w.stopServer()
		_ = exec.Command("ip", "link", "del", "br-ex").Run() // it may be gone
		_ = exec.Command("ip", "route", "flush", "table", "all", "proto", "98").Run()
		os.RemoveAll(dir)
		if t.Failed() {
			t.Log(w.logged.String())
		}
	})
	w.run("ip", "link", "add", "br-ex", "type", "bridge")
	w.run("ovsdb-tool", "create", w.path("ovs.db"), ovsSchema)
	w.run("ovsdb-tool", "create", w.path("sb.db"), sbSchema)
	w.startServer()
	w.fill()
	w.configure(keys...)
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }
func (w *world) remote() string          { return "unix:" + w.path("db.sock") }

func (w *world) startServer() {
	w.t.Helper()
	w.server = exec.Command("ovsdb-server", w.path("ovs.db"), w.path("sb.db"), "--remote=p"+w.remote(),
		"--unixctl="+w.path("ctl"), "--log-file="+w.path("log"), "-vconsole:off")
	w.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.server.Start(); err != nil {
		w.t.Fatal(err)
	}
	await(w.t, func() string { return silent(w.path("db.sock")) })
}

// silent says that nobody answers on a socket, whose file is there a moment before; empty if
// somebody does.
func silent(socket string) string {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err.Error()
	}
	_ = conn.Close() // nothing was said
	return ""
}

func (w *world) stopServer() {
	_ = w.server.Process.Kill()
	_ = w.server.Wait()
	os.Remove(w.path("db.sock"))
}

// fill makes two chassis, a provider network on br-ex and a VM on each chassis.
func (w *world) fill() {
	w.t.Helper()
	w.run("ovs-vsctl", "--db="+w.remote(), "--no-wait", "init")
	w.run("ovs-vsctl", "--db="+w.remote(), "--no-wait", "set", "Open_vSwitch", ".", "external_ids:system-id=hv1",
		"external_ids:ovn-bridge-mappings=physnet1:br-ex", "external_ids:ovn-encap-ip=192.0.2.1", "external_ids:ovn-remote="+
			w.remote())
	w.run("ovs-vsctl", "--db="+w.remote(), "--no-wait", "add-br", "br-ex", "--",
		"add-port", "br-ex", "patch-1", "--", "set", "Port", "patch-1", "external_ids:ovn-localnet-port=provnet-1", "--",
		"set", "Interface", "patch-1", "type=patch", "options:peer=patch-2", "ofport=1")
	w.sbctl("init")
	for _, name := range []string{"hv1", "hv2"} {
		w.sbctl("chassis-add", name, "geneve", "192.0.2."+name[2:])
	}
	w.sbctl("--id=@d", "create", "Datapath_Binding", "tunnel_key=1", "external_ids:name=public", "--",
		"create", "Port_Binding", "logical_port=provnet-1", "type=localnet", "tunnel_key=1", "datapath=@d",
		"options:network_name=physnet1", "--",
		"create", "Port_Binding", "logical_port=vm-a", "tunnel_key=2", "datapath=@d", `mac="fa:16:3e:00:00:0a 172.24.4.11"`,
		"--",
		"create", "Port_Binding", "logical_port=vm-b", "tunnel_key=3", "datapath=@d", `mac="fa:16:3e:00:00:0b 172.24.4.12"`)
	w.bind("vm-a", "hv1")
	w.bind("vm-b", "hv2")
}

// bind puts a port on a chassis, as ovn-controller does.
func (w *world) bind(port, chassis string) {
	w.t.Helper()
	id := strings.TrimSpace(w.sbctl("--bare", "--columns=_uuid", "find", "Chassis", "name="+chassis))
	w.sbctl("set", "Port_Binding", port, "chassis="+id, "up=true")
}

func (w *world) sbctl(args ...string) string {
	w.t.Helper()
	return w.run("ovn-sbctl", append([]string{"--db=" + w.remote()}, args...)...)
}

func (w *world) run(name string, args ...string) string {
	w.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// configure writes the configuration file.
func (w *world) configure(keys ...string) {
	w.t.Helper()
	text := strings.Join(append([]string{
		"state: " + w.path("state.db"), "socket: " + w.path("control.sock"), "ovsdb_connection: " + w.remote(),
		"flows: {manage: false}", "sysctls: {manage: false}", "startup_grace: 0s",
	}, keys...), "\n")
	if err := os.WriteFile(w.config, []byte(text+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// quietSpeaker is a speaker that needs no port.
const quietSpeaker = "bgp: {listen: {port: -1}}"

func (w *world) load(set ...string) (config.Settings, error) { return loadFile(w.config, set...) }

func loadFile(path string, set ...string) (config.Settings, error) {
	s, problems := config.Load(config.Source{
		Path: path, Getenv: func(string) (string, bool) { return "", false },
		Flags: config.Flags(), Set: set,
	})
	return s, problems.Err()
}

func (w *world) settings() config.Settings {
	w.t.Helper()
	s, err := w.load()
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: &w.level}))
}

func (w *world) options() Options {
	return Options{Log: w.log(), Program: "bgp-ovn test", Level: &w.level, Load: w.load, Wait: deadline, Recent: w.recent}
}

// open makes a node that is closed when the test ends.
func (w *world) open() *Node {
	w.t.Helper()
	n, err := Open(w.t.Context(), w.settings(), w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := n.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return n
}

// runNode runs a node until the test ends.
func (w *world) runNode() *Node {
	w.t.Helper()
	n := w.open()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, "test") }()
	w.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	return n
}

// start runs a node until the test ends, and returns a client of it.
func (w *world) start() *control.Client {
	w.t.Helper()
	w.runNode()
	ctx := context.Background()
	c := control.NewClient(w.path("control.sock"))
	await(w.t, func() string {
		s, err := c.Status(ctx)
		switch {
		case err != nil:
			return err.Error()
		case s.LastRound == nil:
			return "no round has run"
		}
		return ""
	})
	return c
}

// routes are our routes in all tables.
func (w *world) routes() string {
	w.t.Helper()
	return w.run("ip", "-o", "route", "show", "table", "all", "proto", "98")
}

// lockedBuffer is a log that may be written and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
