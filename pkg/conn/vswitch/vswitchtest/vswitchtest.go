// Package vswitchtest runs a real ovsdb-server and ovs-vswitchd for tests: in
// a directory of their own, with the userspace datapath and in a network
// namespace of their own, so that nothing of the machine is touched. It needs
// root and the Open vSwitch programs and fails the test without them.
package vswitchtest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	schema   = "/usr/share/openvswitch/vswitch.ovsschema"
	patience = 20 * time.Second
)

// Switch is a running Open vSwitch.
type Switch struct {
	// Dir is its run directory.
	Dir string

	t      testing.TB
	db, vs *process
}

// Start runs an empty switch until the test ends.
func Start(t testing.TB) *Switch {
	t.Helper()
	s := StartDatabase(t)
	s.StartSwitch()
	return s
}

// StartDatabase runs an empty database without a switch.
func StartDatabase(t testing.TB) *Switch {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: ovs-vswitchd gets a network namespace of its own")
	}
	// Not t.TempDir: the path of a socket has to be short.
	dir, err := os.MkdirTemp("/tmp", "ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Switch{Dir: dir, t: t}
	s.run("ovsdb-tool", "create", s.path("conf.db"), schema)
	s.StartDB()
	s.Vsctl("--no-wait", "init")
	return s
}

// Endpoint is where the database listens.
func (s *Switch) Endpoint() string { return "unix:" + s.path("db.sock") }

// StartDB starts ovsdb-server on the database as it is.
func (s *Switch) StartDB() {
	s.t.Helper()
	s.db = s.start(0, "ovsdb-server", s.path("conf.db"), "--remote=p"+s.Endpoint())
	Eventually(s.t, "ovsdb-server listens", func() bool {
		c, err := net.Dial("unix", s.path("db.sock"))
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// KillDB kills ovsdb-server.
func (s *Switch) KillDB() { s.db.kill() }

// PauseDB stops ovsdb-server until the returned function is called; its
// connections stay open.
func (s *Switch) PauseDB() (resume func()) {
	syscall.Kill(s.db.pid, syscall.SIGSTOP)
	return func() { syscall.Kill(s.db.pid, syscall.SIGCONT) }
}

// StartSwitch starts ovs-vswitchd and waits until it has done what the
// database says.
func (s *Switch) StartSwitch() {
	s.t.Helper()
	s.vs = s.start(syscall.CLONE_NEWNET, "ovs-vswitchd", s.Endpoint(), "--disable-system", "--pidfile")
	s.Vsctl("set", "open_vswitch", ".", "external_ids:started-by=test")
}

// KillSwitch kills ovs-vswitchd, which leaves its sockets behind.
func (s *Switch) KillSwitch() { s.vs.kill() }

// PauseSwitch stops ovs-vswitchd until the returned function is called, which may be
// called again.
func (s *Switch) PauseSwitch() (resume func()) {
	syscall.Kill(s.vs.pid, syscall.SIGSTOP)
	return func() { syscall.Kill(s.vs.pid, syscall.SIGCONT) }
}

// StopSwitch ends ovs-vswitchd in good order.
func (s *Switch) StopSwitch() {
	s.t.Helper()
	s.run("ovs-appctl", "-t", "ovs-vswitchd", "exit")
	<-s.vs.done
}

// AddBridge adds a bridge with the userspace datapath.
func (s *Switch) AddBridge(name string) {
	s.t.Helper()
	s.Vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")
}

// Vsctl runs ovs-vsctl, which waits until the switch has followed.
func (s *Switch) Vsctl(args ...string) string {
	s.t.Helper()
	return s.run("ovs-vsctl", append([]string{"--timeout=15", "--db=" + s.Endpoint()}, args...)...)
}

// Ofctl runs ovs-ofctl.
func (s *Switch) Ofctl(args ...string) string {
	s.t.Helper()
	return s.run("ovs-ofctl", append([]string{"--timeout=15"}, args...)...)
}

// Host runs a command in the network namespace of the switch.
func (s *Switch) Host(args ...string) string {
	s.t.Helper()
	return s.run("nsenter", append([]string{"--net=/proc/" + strconv.Itoa(s.vs.pid) + "/ns/net"}, args...)...)
}

func (s *Switch) path(name string) string { return filepath.Join(s.Dir, name) }

func (s *Switch) environment() []string {
	return append(os.Environ(), "OVS_RUNDIR="+s.Dir, "OVS_DBDIR="+s.Dir, "OVS_LOGDIR="+s.Dir, "OVS_SYSCONFDIR="+s.Dir)
}

func (s *Switch) run(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = s.environment()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// process is a child that dies with the test.
type process struct {
	pid  int
	done chan struct{}
}

func (p *process) kill() {
	select {
	case <-p.done:
		return // its number may be another owner's by now
	default:
	}
	syscall.Kill(p.pid, syscall.SIGKILL)
	<-p.done
}

// start runs a command on a thread of its own: the death signal comes when the
// thread that forked ends.
func (s *Switch) start(cloneFlags uintptr, name string, args ...string) *process {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = s.environment(), s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: cloneFlags, Pdeathsig: syscall.SIGKILL}
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		s.t.Fatalf("start %s: %v", name, err)
	}
	p.pid = cmd.Process.Pid
	s.t.Cleanup(p.kill)
	return p
}

// Eventually waits until the condition holds and fails the test if it never
// does.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain waited until %s", what)
		}
	}
}
