package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// roots is where scripts/debian-root keeps the roots of Debian releases.
const roots = "/var/cache/bgp-ovn-test/machines"

// machine is a Debian with systemd as its first process, on a chassis of the lab: it has
// the chassis's network namespace and its Open vSwitch. What it writes is in a layer of
// its own that ends with the test.
type machine struct {
	*lab.Chassis

	suite string
	dir   string // upper, work and root: the layers
	boss  *exec.Cmd
	ended chan struct{} // closed when boss has ended
	init  string        // process id of its first process, as seen from here
}

// bootScript mounts the layers, where only its own mount namespace sees them, and becomes
// systemd-nspawn, in a control group of its own, so that two machines do not share one.
const bootScript = `set -e
for at in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
	[ -e $at/cgroup.procs ] || continue
	mkdir -p "$at/$NAME"
	echo $$ >"$at/$NAME/cgroup.procs"
done
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$LAYERS/upper,workdir=$LAYERS/work" "$LAYERS/root"
exec systemd-nspawn --quiet --register=no --keep-unit --boot --console=pipe --machine="$NAME" \
	--directory="$LAYERS/root" "$@"`

// boot starts a machine and waits until everything in it is up.
func boot(t *testing.T, suite string, on *lab.Chassis) *machine {
	t.Helper()
	m := &machine{Chassis: on, suite: suite, dir: t.TempDir(), ended: make(chan struct{})}
	for _, layer := range []string{"upper", "work", "root"} {
		harness.Check(t, os.Mkdir(filepath.Join(m.dir, layer), 0o755))
	}
	name := on.Netns + "-" + suite
	// What is in the namespace of processes ends with its first one, and that one with unshare.
	m.boss = exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", bootScript, "boot",
		"--network-namespace-path="+on.NetnsPath(), "--capability=CAP_NET_ADMIN", "--hostname="+on.Hostname,
		"--bind="+on.OVSRunDir+":/run/openvswitch")
	m.boss.Env = append(os.Environ(), "NAME="+name, "LAYERS="+m.dir, "LOWER="+filepath.Join(roots, suite),
		// The systemd of Debian 13 wants control groups of the second version, and sysctls
		// below net belong to the network namespace.
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network")
	m.boss.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	console := harness.Must(os.Create(filepath.Join(m.dir, "console")))(t)
	defer console.Close()
	m.boss.Stdout, m.boss.Stderr = console, console
	harness.Check(t, starter.Start(hostNamespace, m.boss))
	go func() { _ = m.boss.Wait(); close(m.ended) }()
	t.Cleanup(func() { m.halt(t, name) })
	err := harness.Await(testContext(t), name+" to be up", func(ctx context.Context) (bool, error) {
		select {
		case <-m.ended:
			return true, errors.New("it has ended")
		default:
		}
		m.init = m.firstProcess()
		state, err := m.try(ctx, "systemctl", "is-system-running")
		return slices.Contains([]string{"running", "degraded"}, strings.TrimSpace(state)), err
	})
	if err != nil {
		text, _ := os.ReadFile(console.Name())
		t.Fatalf("%v\n%s", err, text)
	}
	return m
}

// halt ends the machine, which takes all processes in it along.
func (m *machine) halt(t *testing.T, name string) {
	t.Helper()
	if t.Failed() && m.init != "" {
		said, _ := m.try(context.Background(), "journalctl", "--no-pager", "--lines=60", "--unit=bgp-ovn*")
		t.Logf("%s: %s", m.suite, said)
	}
	_ = m.boss.Process.Kill() // it may have ended
	<-m.ended
	for _, at := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"} {
		top := filepath.Join(at, name)
		if _, err := os.Stat(top); err != nil {
			continue
		}
		harness.Check(t, harness.Await(context.Background(), top+" to be empty", func(context.Context) (bool, error) {
			err := exec.Command("find", top, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
			_, gone := os.Stat(top)
			return errors.Is(gone, os.ErrNotExist), err
		}))
	}
}

// firstProcess is the one that systemd-nspawn, the child of unshare, has made.
func (m *machine) firstProcess() string {
	for _, nspawn := range children(strconv.Itoa(m.boss.Process.Pid)) {
		for _, child := range children(nspawn) {
			if comm, _ := os.ReadFile("/proc/" + child + "/comm"); string(comm) == "systemd\n" {
				return child
			}
		}
	}
	return ""
}

func children(pid string) []string {
	text, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children") // it may have ended
	return strings.Fields(string(text))
}

// try runs a command in the machine as root and returns all that it said.
func (m *machine) try(ctx context.Context, args ...string) (string, error) {
	if m.init == "" {
		return "", errors.New("it has no first process yet")
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{
		"--target", m.init, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "env", "-i",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive",
	}, args...)...)
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return said.String(), fmt.Errorf("%s: %s: %w: %s", m.suite, strings.Join(args, " "), err, said.String())
	}
	return said.String(), nil
}

// run is try for what must succeed.
func (m *machine) run(t *testing.T, args ...string) string {
	t.Helper()
	return harness.Must(m.try(testContext(t), args...))(t)
}

// fails is try for what must not.
func (m *machine) fails(t *testing.T, args ...string) string {
	t.Helper()
	said, err := m.try(testContext(t), args...)
	if err == nil {
		t.Fatalf("%s: %s succeeded:\n%s", m.suite, strings.Join(args, " "), said)
	}
	return said
}

// put copies a file into the machine's /root.
func (m *machine) put(t *testing.T, path string) {
	t.Helper()
	harness.Check(t, harness.Copy(path, filepath.Join("/proc", m.init, "root/root", filepath.Base(path))))
}

// add appends lines to a file of the machine.
func (m *machine) add(t *testing.T, path string, lines ...string) {
	t.Helper()
	f := harness.Must(os.OpenFile(filepath.Join("/proc", m.init, "root", path), os.O_APPEND|os.O_WRONLY, 0))(t)
	_, err := f.WriteString(strings.Join(lines, "\n") + "\n")
	harness.Check(t, errors.Join(err, f.Close()))
}

// mainPID is the process of a unit, 0 if there is none, as the machine counts.
func (m *machine) mainPID(t *testing.T, unit string) string {
	t.Helper()
	return strings.TrimSpace(m.run(t, "systemctl", "show", "--property=MainPID", "--value", unit))
}

// files are the names of all files of the machine, but for logs, caches and the package manager's.
func (m *machine) files(t *testing.T) []string {
	t.Helper()
	return strings.Fields(m.run(t, "find", "/", "-xdev", "(", "-path", "/var/lib/dpkg", "-o", "-path", "/var/lib/apt",
		"-o", "-path", "/var/log", "-o", "-path", "/var/cache", "-o", "-path", "/var/lib/systemd", "-o", "-path", "/root",
		"-o", "-path", "/tmp", "-o", "-path", "/var/tmp", ")", "-prune", "-o", "-print"))
}
