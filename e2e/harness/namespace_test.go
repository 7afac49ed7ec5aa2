package harness

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// freshVariable says that the test runs where nobody has made a namespace yet.
const freshVariable = "HARNESS_FRESH"

// A machine's first "ip netns add" mounts /run/netns onto itself. What we have
// there before that can still be used and removed afterwards. This needs a machine
// without namespaces, which is a mount namespace with an empty /run.
func TestNamespaceBeforeFirstOfOthers(t *testing.T) {
	if os.Getenv(freshVariable) == "" {
		script := `mount --make-rprivate / && mount -t tmpfs tmpfs /run && exec "$0" -test.v -test.run '^TestNamespaceBeforeFirstOfOthers$'`
		cmd := exec.Command("/bin/sh", "-c", script, Must(os.Executable())(t))
		cmd.Env = append(os.Environ(), freshVariable+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	ns := Must(NewNamespace("ours"))(t)
	t.Cleanup(func() { Check(t, ns.Close()) })
	Run(t, "ip", "netns", "add", "theirs")
	Run(t, "ip", "netns", "exec", "ours", "true")
	Check(t, RemoveNamespaces("ours"))
	if _, err := os.Stat(NamespacePath("ours")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after it was removed: %v", err)
	}
	Run(t, "ip", "netns", "exec", "theirs", "true")
	Run(t, "ip", "netns", "del", "theirs")
}

// What runs in a namespace ends with it, and nobody else.
func TestRemoveEndsProcesses(t *testing.T) {
	s := NewStarter()
	t.Cleanup(s.Close)
	ns := Must(NewNamespace("harness-test-gone"))(t)
	t.Cleanup(func() { Check(t, ns.Close()) })
	inside := exec.Command("sleep", "1000")
	Check(t, s.Start(ns, inside))
	Check(t, RemoveNamespaces("harness-test-gone"))
	var exit *exec.ExitError
	if err := inside.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the process in it: %v, want that it was killed", err)
	}
}
