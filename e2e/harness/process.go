package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Isolated runs this test program again in a network namespace of its own, in
// which a script of the shell has run first, and returns its exit status. Tests in
// there can touch nothing of the machine and meet nobody. Where that is not
// allowed it says so and fails: nothing is skipped. env tells the inner run that
// it is one; args are further flags for it.
func Isolated(script string, env []string, args ...string) int {
	cmd := exec.Command("/bin/sh", append([]string{"-c", script + ` && exec "$0" "$@"`}, append(os.Args, args...)...)...)
	cmd.Env = append(os.Environ(), env...)
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

// Run runs a command to its end and returns what it printed.
func Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// mostOutput bounds what a failed test repeats of a process.
const mostOutput = 3000

// Child starts a command that writes to a file. It dies with the test, and is
// ended only by its own id. Of a failed test the log has what it said.
func Child(t testing.TB, output string, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	out, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v: is it installed? run scripts/install-deps test", cmd, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // how it ended is not what the test is about
		if text, err := os.ReadFile(output); err == nil && t.Failed() {
			t.Logf("%s said: %.*s", cmd, mostOutput, text)
		}
	})
	return cmd
}
