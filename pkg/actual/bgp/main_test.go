// Listening sockets of Multipath TCP take no MD5 password.
//
//go:debug multipathtcp=0

package bgp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// The test binary runs itself again: first inside a network namespace of its
// own, so that no test can touch the machine or meet another speaker, and then
// as the speaker that a test kills, inside a controller or on its own.
const (
	roleEnv     = "BGP_TEST_ROLE"
	roleTests   = "tests"
	roleSpeaker = "speaker"
	roleServe   = "serve"
	socketEnv   = "BGP_TEST_SOCKET"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case roleTests:
		os.Exit(m.Run())
	case roleSpeaker:
		runSpeaker()
	case roleServe:
		runServe()
	default:
		os.Exit(inNamespace())
	}
}

// inNamespace runs the tests in a fresh network namespace. It fails, and does
// not skip, where that is not allowed.
func inNamespace() int {
	script := `ip link set lo up &&
		ip addr add 192.0.2.1/32 dev lo && ip addr add 192.0.2.2/32 dev lo && ip addr add 192.0.2.3/32 dev lo &&
		ip addr add 2001:db8::1/128 dev lo nodad && ip addr add 2001:db8::2/128 dev lo nodad && exec "$0" "$@"`
	cmd := exec.Command("/bin/sh", append([]string{"-c", script}, os.Args...)...)
	cmd.Env = append(os.Environ(), roleEnv+"="+roleTests)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
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

// eventually waits until cond is empty and fails with what it returned last.
func eventually(t testing.TB, limit time.Duration, cond func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
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
