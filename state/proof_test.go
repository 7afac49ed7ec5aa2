package state

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// small is a file with a ledger of all sorts, and what it says.
func small(t *testing.T, dir string) (raw []byte, says object.Set) {
	t.Helper()
	at := filepath.Join(dir, "small.db")
	db := started(t, at, Identity{Machine: "m"})
	db.Confirm("hv1")
	do(t, db, build(sysctlOn, sysctlOff), build(neigh, nil), build(route, nil), build(path, nil))
	says = db.LastKnown()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return raw, says
}

// directory is one in memory where there is one.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "bgp-ovn-state")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Whichever byte of a file is another one, a start neither fails nor panics, and the
// ledger claims nothing that it did not claim before: what is claimed may be deleted. A
// file that is not used is kept, and the one in its place works.
func TestProofStateFileBytes(t *testing.T) {
	dir := directory(t)
	raw, says := small(t, dir)
	const most = 1 << 16
	if len(raw) > most {
		t.Fatalf("the file has %d bytes, which is not small", len(raw))
	}
	tried, used, aside := 0, 0, 0
	for at := 0; at < len(raw); at += proof.Count(61, 1) {
		dir := filepath.Join(dir, fmt.Sprint(at))
		path := filepath.Join(dir, "state.db")
		spoilt := append([]byte(nil), raw...)
		spoilt[at] ^= 0xff >> (at % 8) // many bits or one
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(path, spoilt, 0o600)); err != nil {
			t.Fatal(err)
		}
		db, err := Start(path, Options{Identity: Identity{Machine: "m"}, Now: clock, Limit: time.Minute})
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		db.Confirm("hv1")
		known := db.LastKnown()
		for k, it := range known.All() {
			was, ok := says.Get(k)
			if !ok || was.Value != it.Value {
				t.Errorf("byte %d: the ledger claims %s", at, object.Text(it.Value))
			}
		}
		p := plan.Plan{Ops: []plan.Op{build(neigh, nil)}}
		if err := errors.Join(db.Begin(p), db.End(p, []error{nil}, 0)); err != nil {
			t.Errorf("byte %d: the file cannot be written: %v", at, err)
		}
		tried++
		if known.Len() == says.Len() {
			used++
		}
		aside += len(db.Asides())
		if err := errors.Join(db.Close(), os.RemoveAll(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if used == 0 || aside == 0 {
		t.Errorf("%d files were used and %d set aside: the damage is not what it should be", used, aside)
	}
	proof.Report(t, "%d of %d bytes flipped, %d files used in full, %d set aside, 0 panics, "+
		"0 objects claimed beyond those that were recorded", tried, len(raw), used, aside)
}

// fullEnv is set in the process that has a small disk.
const fullEnv = "STATE_TEST_FULL_DISK"

// A disk that is full from any write on costs no more than that the file is old: nothing
// panics, what is remembered is right, and once there is room the file says it.
func TestProofStateFullDisk(t *testing.T) {
	if dir := os.Getenv(fullEnv); dir != "" {
		fullDisk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestProofStateFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), fullEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in a mount namespace of its own: %v\n%s", err, out)
	}
	_, line, _ := strings.Cut(string(out), t.Name()+": ")
	line, _, _ = strings.Cut(line, "\n")
	proof.Report(t, "%s", line)
}

// fullDisk runs in a mount namespace of its own, on a file system that has room for less
// and less.
func fullDisk(t *testing.T, dir string) {
	failed, tried := 0, 0
	for room := 4 << 10; room <= 512<<10; room += proof.Count(32<<10, 4<<10) {
		if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", room)); err != nil {
			t.Fatal(err)
		}
		tried++
		if fillDisk(t, dir, room) {
			failed++
		}
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	if failed == 0 || failed == tried {
		t.Errorf("%d of %d disks were too small", failed, tried)
	}
	proof.Report(t, "%d disks of 4 KiB and more, %d of them full at some write, 0 panics, 0 entries lost", tried, failed)
}

// fillDisk reports whether the disk was full at some time.
func fillDisk(t *testing.T, dir string, room int) (full bool) {
	t.Helper()
	at := filepath.Join(dir, "state.db")
	db, err := Start(at, Options{Now: clock, Limit: time.Minute})
	if err != nil {
		t.Fatalf("room for %d: %v", room, err)
	}
	defer db.Close()
	var made []object.Key
	for _, op := range manyOps(0, 40) {
		p := plan.Plan{Ops: []plan.Op{op}}
		begun := db.Begin(p)
		full = full || begun != nil
		if begun != nil && !op.Key().Kind.HasMark() {
			continue // the executor does not make it
		}
		_ = db.End(p, []error{nil}, 0)
		made = append(made, op.Key())
	}
	if _, ill := db.Trouble(); ill != full {
		t.Errorf("room for %d: full %t, told %t", room, full, ill)
	}
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=8M"); err != nil {
		t.Fatal(err)
	}
	db.Check()
	healthy(t, db, at, made...)
	return full
}
