package vm_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/vm"
)

// What goes in comes out: arguments, environment, directory, bytes, status; and
// what the command writes to files does not.
func TestRun(t *testing.T) {
	left := filepath.Join(t.TempDir(), "left")
	var out, errs bytes.Buffer
	res, err := vm.Run(t.Context(), vm.Options{
		Args: []string{
			"sh", "-c",
			`printf '%s\n' "$1" "$WORD" "$PWD"; printf 'a\r\n\t\004b' >&2; echo >"$2"; (sleep 100 &); exit 7`, "sh",
			"two  words\n", left,
		},
		Env: append(os.Environ(), "WORD=a b"), Dir: "/usr/lib", Stdout: &out, Stderr: &errs,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "two  words\n\na b\n/usr/lib\n"; got != want {
		t.Errorf("output is %q, want %q", got, want)
	}
	if got, want := errs.String(), "a\r\n\t\x04b"; got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
	if res.Status != 7 || res.TimedOut {
		t.Errorf("got %+v, want status 7", res)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the host has a file of the guest: %v", err)
	}
	t.Logf("from the kernel's start to the command's: %s", res.Booted)
}

// One writer for both gets all of either, in order.
func TestOneWriter(t *testing.T) {
	var out bytes.Buffer
	if _, err := vm.Run(t.Context(), vm.Options{
		Args: []string{"sh", "-c", "for i in 1 2 3; do echo out $i; echo err $i >&2; done"}, Stdout: &out, Stderr: &out,
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"out 1", "err 1", "out 3", "err 3"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %q", want, out.String())
		}
	}
}

// A command that does not end is ended, and so is a machine.
func TestLimits(t *testing.T) {
	res, err := vm.Run(t.Context(), vm.Options{Args: []string{"sleep", "100"}, Limit: 100 * time.Millisecond})
	if err != nil || !res.TimedOut || res.Status != 124 {
		t.Errorf("got %+v, %v, want the end of the limit", res, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := vm.Run(ctx, vm.Options{Args: []string{"sleep", "100"}}); err == nil {
		t.Error("no error of a machine that was ended")
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "bgp-ovn-vm-*", "init")); len(left) > 0 {
		t.Logf("scratch directories of others, or left behind: %v", left)
	}
}

// What cannot be started is an error, not a status.
func TestNoCommand(t *testing.T) {
	_, err := vm.Run(t.Context(), vm.Options{Args: []string{"no-such-program"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("got %v", err)
	}
}
