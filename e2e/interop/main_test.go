// Package interop_test holds `bgp-ovn speaker`, the binary, against the routers
// that a node may meet: FRR, BIRD and GoBGP, each in a network namespace of its
// own at the other end of a veth pair. One test is one claim about one router.
//
// It refuses to skip: where a router is not installed its tests fail.
//
// Read next: world_test.go, then sessions_test.go; frr_test.go, bird_test.go and
// gobgpd_test.go say how each router is told and asked.
package interop_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	binEnv      = "INTEROP_BIN"
	isolatedEnv = "INTEROP_ISOLATED"
)

// TestMain builds bgp-ovn and runs the tests in a network namespace, which
// plays the node.
func TestMain(m *testing.M) {
	if os.Getenv(isolatedEnv) != "" {
		os.Exit(m.Run())
	}
	code, err := isolated()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func isolated() (int, error) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "bgp-ovn")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/bgp-ovn").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build bgp-ovn: %w: %s", err, out)
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", `ip link set lo up && exec "$0" "$@"`}, os.Args...)...)
	// The tests wait for timers of BGP and hardly compute.
	cmd.Args = append(cmd.Args, "-test.parallel=8")
	cmd.Env = append(os.Environ(), isolatedEnv+"=1", binEnv+"="+bin)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("these tests need root and iproute2 for a network namespace: %w", err)
	}
	return 0, nil
}

// awaitListener waits until somebody listens on a socket, which is there a little
// earlier.
func awaitListener(t testing.TB, path string) {
	t.Helper()
	eventually(t, 20*time.Second, func() string {
		c, err := net.Dial("unix", path)
		if err != nil {
			return err.Error()
		}
		return unless(c.Close() == nil, "cannot close it")
	})
}

// eventually waits until cond is empty and fails with what it last said.
func eventually(t testing.TB, limit time.Duration, cond func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		missing := cond()
		if missing == "" {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			t.Fatalf("after %s: %s", limit, missing)
		}
	}
}

// run runs a command and returns what it printed.
func run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// child starts a process that dies with the test, and only by its own id.
func child(t testing.TB, output string, args ...string) *exec.Cmd {
	t.Helper()
	out, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: these tests need Debian's frr, bird2 and gobgpd: run scripts/install-deps test", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if b, err := os.ReadFile(output); err == nil && t.Failed() {
			t.Logf("%s said: %.3000s", cmd, b)
		}
	})
	return cmd
}
