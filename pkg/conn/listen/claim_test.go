package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const squatEnv = "LISTEN_TEST_SQUAT"

// TestMain lets the test binary be the process that holds a name.
func TestMain(m *testing.M) {
	if name := os.Getenv(squatEnv); name != "" {
		l, err := net.Listen("unix", "@"+name)
		if err != nil {
			fmt.Fprintln(os.Stdout, err)
			os.Exit(1)
		}
		fmt.Fprintln(os.Stdout, "ready")
		for {
			if _, err := l.Accept(); err != nil {
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

func ownName(t *testing.T) string { return fmt.Sprintf("bgp-ovn-test-%d-%s", os.Getpid(), t.Name()) }

// The second process is told who the first one is, and gets the name when that ends.
func TestClaim(t *testing.T) {
	name := ownName(t)
	us := Holder{Command: "run", State: "/var/lib/x.db", Socket: "/run/x.sock"}
	first, err := Claim(name, us)
	must(t, err)
	_, err = Claim(name, Holder{Command: "adopt"})
	var taken *TakenError
	if !errors.As(err, &taken) {
		t.Fatalf("a second one got it: %v", err)
	}
	want := us
	want.PID, want.UID = os.Getpid(), os.Geteuid()
	if taken.By != want {
		t.Errorf("held by %+v, want %+v", taken.By, want)
	}
	if got, want := err.Error(), fmt.Sprintf(`process %d (run, state file "/var/lib/x.db", control socket "/run/x.sock") `+
		"holds it", os.Getpid()); got != want {
		t.Errorf("got %s", got)
	}
	must(t, first.Close())
	again, err := Claim(name, us)
	if err != nil {
		t.Fatalf("the name stays taken: %v", err)
	}
	must(t, again.Close())
}

// Another network namespace has names of its own.
func TestClaimInAnotherNamespace(t *testing.T) {
	name := ownName(t)
	ours, err := Claim(name, Holder{})
	must(t, err)
	defer ours.Close()
	squat(t, name, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL})
}

// squat takes a name in another process, which never says who it is.
func squat(t *testing.T, name string, attr *syscall.SysProcAttr) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), squatEnv+"="+name), attr
	out, err := cmd.StdoutPipe()
	must(t, err)
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := make([]byte, 100)
	n, err := out.Read(line)
	if got := string(line[:n]); err != nil || got != "ready\n" {
		t.Fatalf("%q, %v", got, err)
	}
	return cmd
}

// A privileged process that does not answer counts; one of a user without rights here
// does not, in a user namespace of its own neither.
func TestClaimHeldByOthers(t *testing.T) {
	attr := syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	root := ownName(t) + "-root"
	cmd := squat(t, root, &attr)
	_, err := Claim(root, Holder{})
	if want := fmt.Sprintf("process %d holds it and does not answer", cmd.Process.Pid); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}

	nobody := attr
	nobody.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	// The binary of the test is in a directory of root's own.
	unprivileged := ownName(t) + "-nobody"
	cmd = squat(t, unprivileged, &nobody)
	_, err = Claim(unprivileged, Holder{})
	var none *UnprivilegedError
	if !errors.As(err, &none) || none.PID != cmd.Process.Pid || none.UID != 65534 ||
		!strings.Contains(err.Error(), "no CAP_NET_ADMIN") {
		t.Errorf("got %v", err)
	}

	able := nobody
	able.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	capable := ownName(t) + "-capable"
	squat(t, capable, &able)
	var taken *TakenError
	if _, err = Claim(capable, Holder{}); !errors.As(err, &taken) || taken.By.UID != 65534 {
		t.Errorf("got %v", err)
	}
}
