package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ovn-org/libovsdb/model"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

const nobody = 65534

// built are the programs, in a directory that every user may read.
type built struct{ dir, demo, bin string }

func build(t *testing.T) built {
	t.Helper()
	dir, err := os.MkdirTemp("", "demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := built{dir, filepath.Join(dir, "demo"), filepath.Join(dir, "bgp-ovn")}
	// Copied, because the cache of tests is root's and the demonstration is not.
	harness.Check(t, harness.Copy(harness.Must(harness.Build(t.Context(), "e2e/demo"))(t), b.demo))
	harness.Check(t, harness.Copy(harness.Must(harness.Binary(t.Context()))(t), b.bin))
	return b
}

// show is one run of the demonstration.
type show struct {
	*exec.Cmd
	t      *testing.T
	b      built
	tmp    string
	output *lockedBuffer
	ended  chan struct{}
	seen   map[string]bool // network namespaces of its processes
	mounts []string        // that held one when it ended
}

// start starts the demonstration as a user, with a directory for temporary
// files of its own.
func (b built) start(t *testing.T, uid int, bin string) *show {
	t.Helper()
	s := &show{t: t, b: b, output: &lockedBuffer{}, ended: make(chan struct{}), seen: map[string]bool{}}
	tmp, err := os.MkdirTemp(b.dir, "tmp")
	if err != nil {
		t.Fatal(err)
	}
	s.tmp = tmp
	if os.Geteuid() == 0 {
		if err := os.Chown(tmp, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	s.Cmd = exec.Command(b.demo, "-bin", bin)
	s.Env = []string{"TMPDIR=" + tmp, "PATH=/nowhere"}
	s.Stdout, s.Stderr = s.output, s.output
	if uid != os.Geteuid() {
		s.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.Wait() // ProcessState says how it ended
		close(s.ended)
	}()
	return s
}

// until waits for what the demonstration prints, or for its end if text is
// empty, and notes namespaces meanwhile.
func (s *show) until(text string) {
	s.t.Helper()
	ctx := harness.Context(s.t, time.Minute)
	err := await(ctx, func() (bool, error) {
		for _, ns := range s.namespaces() {
			s.seen[ns] = true
		}
		if text != "" && strings.Contains(s.output.String(), text) {
			return true, nil
		}
		select {
		case <-s.ended:
			if text != "" {
				return false, errors.New("it ended")
			}
			s.mounts = s.mounted()
			return true, nil
		default:
			return false, nil
		}
	})
	if err != nil {
		s.t.Fatalf("wait for %q: %v\n%s", text, err, s.output)
	}
}

// processes are those that run one of our two programs.
func (b built) processes() []string {
	var out []string
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, l := range links {
		if exe, err := os.Readlink(l); err == nil && strings.HasPrefix(exe, b.dir) {
			out = append(out, filepath.Dir(l))
		}
	}
	return out
}

// namespaces are the network namespaces that our processes' threads live in.
func (s *show) namespaces() []string {
	own, _ := os.Readlink("/proc/self/ns/net")
	var out []string
	for _, p := range s.b.processes() {
		links, _ := filepath.Glob(p + "/task/*/ns/net")
		for _, l := range links {
			if ns, err := os.Readlink(l); err == nil && ns != own {
				out = append(out, ns)
			}
		}
	}
	return out
}

// leavesNothing waits, as the kernel needs a moment, until no process,
// mount or file of the demonstration is left.
func (s *show) leavesNothing() {
	s.t.Helper()
	if len(s.seen) < 2 {
		s.t.Errorf("saw only the namespaces %v", s.seen)
	}
	left := ""
	ctx := harness.Context(s.t, 10*time.Second)
	err := await(ctx, func() (bool, error) {
		files, err := os.ReadDir(s.tmp)
		processes, mounts := s.b.processes(), s.kept()
		left = fmt.Sprint(files, processes, mounts)
		return len(files)+len(processes)+len(mounts) == 0, err
	})
	if err != nil {
		s.t.Errorf("left behind: %s: %v", left, err)
	}
}

// mounted are the mounts that hold a namespace of the demonstration, by their numbers.
func (s *show) mounted() []string {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	var out []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) > 3 && s.seen[words[3]] {
			out = append(out, words[0])
		}
	}
	return out
}

// kept are the mounts that held a namespace when the demonstration ended and do so
// still. Others get the numbers of namespaces that are gone.
func (s *show) kept() []string {
	return slices.DeleteFunc(s.mounted(), func(number string) bool { return !slices.Contains(s.mounts, number) })
}

// The demonstration runs to its end as root and as an ordinary user, without
// one program of the machine, and leaves nothing behind.
func TestDemo(t *testing.T) {
	b := build(t)
	users := []int{os.Geteuid()}
	if users[0] == 0 {
		users = append(users, nobody)
	}
	for _, uid := range users {
		t.Run(fmt.Sprintf("user %d", uid), func(t *testing.T) {
			began := time.Now()
			s := b.start(t, uid, b.bin)
			s.until("")
			took := time.Since(began)
			t.Logf("it took %s", took)
			if !s.ProcessState.Success() {
				t.Fatalf("%v after %s\n%s", s.ProcessState, took, s.output)
			}
			for _, line := range []string{
				"No OVS here", "kind-unmanaged", "healthy", "172.24.4.10 via 192.0.2.1", "answered by web", "ADVERTISED",
				"answered by blue-a", "answered by blue-b", "it is back after", "0 of 2 routes withdrawn", "as they were before",
				"done in",
			} {
				if !strings.Contains(s.output.String(), line) {
					t.Errorf("no %q in\n%s", line, s.output)
				}
			}
			if strings.Contains(s.output.String(), "\x1b[") {
				t.Error("colours without a terminal")
			}
			s.leavesNothing()
		})
	}
}

// However it is ended, nothing is left.
func TestInterrupt(t *testing.T) {
	b := build(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			s := b.start(t, os.Geteuid(), b.bin)
			s.until("5. kill -9")
			if err := s.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			s.until("")
			if code := s.ProcessState.ExitCode(); sig != syscall.SIGKILL && code != 1 {
				t.Errorf("exit status %d, want 1\n%s", code, s.output)
			}
			s.leavesNothing()
			if !strings.Contains(s.output.String(), "interrupted") {
				t.Errorf("it does not say so:\n%s", s.output)
			}
		})
	}
}

// The claims are checked: a program that does nothing is found out.
func TestImpostor(t *testing.T) {
	b := build(t)
	s := b.start(t, os.Geteuid(), "/bin/true")
	s.until("")
	if code := s.ProcessState.ExitCode(); code != 1 || !strings.Contains(s.output.String(),
		"demo: 1. Two nodes and a router: bgp-ovn plan ended with 0") {
		t.Errorf("exit status %d\n%s", code, s.output)
	}
	s.leavesNothing()
}

func TestSchemaOf(t *testing.T) {
	tables := map[string]model.Model{
		"Chassis": &chassisRow{}, "Datapath_Binding": &datapathRow{},
		"Port_Binding": &portRow{},
	}
	s, err := schemaOf("OVN_Southbound", "20.33.0", tables)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.NewClientDBModel("OVN_Southbound", tables)
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := model.NewDatabaseModel(s, m); len(errs) > 0 {
		t.Error(errs)
	}
	for column, want := range map[string]string{
		"datapath": "uuid", "chassis": "set", "mac": "set", "options": "map",
		"up": "set", "tunnel_key": "integer", "type": "string",
	} {
		if got := s.Tables["Port_Binding"].Columns[column]; got == nil || got.Type != want {
			t.Errorf("%s: %v, want %s", column, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	got := strings.Join(fold("+ a x 1\n+ a y 2\n+ a z 3\n+ b x 1\n  word a\n  word a\n1 to create, 0\n"), "\n")
	if want := "+ a x 1\n  (2 more like this)\n+ b x 1\n  word a\n  word a\n1 to create, 0"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
