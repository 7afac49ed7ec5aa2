package harness

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAwait(t *testing.T) {
	looks := 0
	err := Await(t.Context(), "the third look", func(context.Context) (bool, error) {
		looks++
		return looks == 3, nil
	})
	if err != nil || looks != 3 {
		t.Errorf("%d looks, %v", looks, err)
	}
	broken := errors.New("it broke")
	if err := Await(t.Context(), "nothing", func(context.Context) (bool, error) { return true, broken }); !errors.Is(err,
		broken) {
		t.Errorf("got %v, want what came with true", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err = Await(ctx, "the moon", func(context.Context) (bool, error) { return false, broken })
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, broken) ||
		!strings.Contains(err.Error(), "wait for the moon") {
		t.Errorf("in vain: got %v, want what was waited for, the deadline and the reason", err)
	}
}

// Deadlines are later on a busy machine and never earlier, and a guest believes who
// started it.
func TestSlowness(t *testing.T) {
	for value, least := range map[string]float64{"": 1, "3.5": 3.5, "1000": slowest, "much": 1} {
		t.Setenv(SlownessVariable, value)
		if got := Slowness(); got < least || got > slowest {
			t.Errorf("%q: %v, want between %v and %v", value, got, least, float64(slowest))
		}
	}
	t.Setenv(SlownessVariable, "2")
	if got := Scaled(time.Second); got < 2*time.Second {
		t.Errorf("a second became %s", got)
	}
}

// All who ask at the same time get the same program, which stays under that name.
func TestBuild(t *testing.T) {
	paths := make([]string, 3)
	var wg sync.WaitGroup
	for i := range paths {
		wg.Go(func() {
			var err error
			if paths[i], err = BuildStatic(t.Context(), "e2e/vm/init"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if paths[0] == "" || paths[1] != paths[0] || paths[2] != paths[0] {
		t.Fatalf("got %q", paths)
	}
	to := filepath.Join(t.TempDir(), "copy")
	Check(t, Copy(paths[0], to))
	if info := Must(os.Stat(to))(t); info.Mode().Perm() != 0o755 {
		t.Errorf("the copy has mode %s", info.Mode())
	}
	if _, err := Build(t.Context(), "e2e/nothing"); err == nil || !strings.Contains(err.Error(), "build e2e/nothing") {
		t.Errorf("a package that is not there: %v", err)
	}
}

func TestBinary(t *testing.T) {
	for value, want := range map[string]string{
		"bin/bgp-ovn":  "give an absolute path",
		"/nonexistent": "no such file",
		"/dev/null":    "permission denied",
	} {
		t.Setenv(BinaryVariable, value)
		if _, err := Binary(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", value, err, want)
		}
	}
	t.Setenv(BinaryVariable, "/bin/sh")
	if got, err := Binary(t.Context()); err != nil || got != "/bin/sh" {
		t.Errorf("got %q, %v", got, err)
	}
}
