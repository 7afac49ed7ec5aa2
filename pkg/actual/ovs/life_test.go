package ovs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// monitors returns the processes that watch bridges of that run directory.
func monitors(runDir string) (found []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		line, _ := os.ReadFile(path)
		if strings.Contains(string(line), "ovs-ofctl") && strings.Contains(string(line), runDir) {
			found = append(found, path)
		}
	}
	return found
}

// helperDir makes this test binary a process that holds a monitor until it is
// killed.
const helperDir = "BGP_OVN_TEST_RUNDIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(helperDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	b, err := New(Config{RunDir: dir, Cookies: []uint64{ourCookie}})
	if err == nil {
		b.bridge("br-ex")
		select {}
	}
	os.Exit(1)
}

// The kernel ends the monitors of a process that was killed.
func TestMonitorsDieWithUs(t *testing.T) {
	s := vswitchtest.Start(t)
	s.AddBridge("br-ex")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperDir+"="+s.Dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	vswitchtest.Eventually(t, "the monitor runs", func() bool { return len(monitors(s.Dir)) == 1 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	vswitchtest.Eventually(t, "the monitor is gone", func() bool { return len(monitors(s.Dir)) == 0 })
}

// No process and no socket may be left.
func TestCloseLeavesNothing(t *testing.T) {
	s, b := lab(t)
	read(t, b, focus(t, pair(1)...))
	if got := monitors(s.Dir); len(got) != 1 {
		t.Errorf("got monitors %v, want one", got)
	}
	b.Close()
	if got := monitors(s.Dir); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir, "ovs-ofctl*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestTimeoutAndBadOutput(t *testing.T) {
	dir := t.TempDir()
	fake := filepath.Join(dir, "ofctl")
	script := func(body string) {
		if err := os.WriteFile(fake, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script("echo nonsense")
	b, err := New(Config{RunDir: dir, Ofctl: fake, Cookies: []uint64{ourCookie}, Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	f := focus(t, pair(1)...)
	if have, err := b.Read(t.Context(), f); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v, %v, want an error that quotes the output", text(have), err)
	}
	script("exec sleep 60")
	if _, err := b.Read(t.Context(), f); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a deadline", err)
	}
	if errs := b.Apply(t.Context(), creates(pair(1)...)); !errors.Is(errs[1], context.DeadlineExceeded) {
		t.Errorf("got %v, want a deadline", errs)
	}
}

// A node on which ovs-ofctl is not installed yet starts, says so, and uses it once it is.
func TestProgramComesLater(t *testing.T) {
	s := vswitchtest.Start(t)
	s.AddBridge("br-ex")
	program := filepath.Join(t.TempDir(), "ovs-ofctl")
	b, err := New(Config{RunDir: s.Dir, Ofctl: program, Cookies: []uint64{ourCookie}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	f := focus(t, pair(1)...)
	if _, err := b.Read(t.Context(), f); err == nil || !strings.Contains(err.Error(), "is not installed") {
		t.Errorf("got %v, want that it is not installed", err)
	}
	for _, err := range b.Apply(t.Context(), creates(pair(1)...)) {
		if err == nil {
			t.Error("a flow was made without a program")
		}
	}
	real, err := exec.LookPath(openflow.DefaultOfctl)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, program); err != nil {
		t.Fatal(err)
	}
	vswitchtest.Eventually(t, "flows can be read", func() bool {
		_, err := b.Read(t.Context(), f)
		return err == nil
	})
}

func TestNew(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no cookie": {},
		"cookie 0":  {Cookies: []uint64{1, 0}},
		"relative":  {RunDir: "run", Cookies: []uint64{1}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Log(err)
		}
	}
}

func TestThousandFlows(t *testing.T) {
	_, b := lab(t)
	var values []object.Value
	for port := range 500 {
		values = append(values, pair(port+1)...)
	}
	f := focus(t, values...)
	read(t, b, f)
	began := time.Now()
	mustApply(t, b, creates(values...)...)
	t.Logf("create %d flows: %v", len(values), time.Since(began))
	f.Complete = true
	began = time.Now()
	have := read(t, b, f)
	t.Logf("read %d flows in full: %v", have.Len(), time.Since(began))
	if have.Len() != len(values) {
		t.Errorf("got %d flows, want %d", have.Len(), len(values))
	}
	f.Complete = false
	began = time.Now()
	for range 100 {
		read(t, b, f)
	}
	t.Logf("idle read: %v", time.Since(began)/100)
	began = time.Now()
	mustApply(t, b, object.Change{Before: values[0]})
	t.Logf("delete one among %d: %v", len(values), time.Since(began))
}
