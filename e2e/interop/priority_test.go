package interop_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

const (
	// speakerNice is Nice= of the unit of the speaker.
	speakerNice = "-10"
	// realTimeVariable has speakers run with CPUSchedulingPolicy=rr, as docs/bfd.md offers.
	realTimeVariable = "E2E_SPEAKER_RT"
)

// preferred starts a process as systemd starts the speaker, with CPUWeight= and Nice=: it has a
// scheduling group of its own, which is preferred. Without one niceness compares the processes of
// one session alone (sched(7), autogroups).
func preferred(t testing.TB, output string, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getenv(realTimeVariable) != "" {
		return child(t, output, append([]string{"chrt", "-r", "1"}, args...)...)
	}
	ours, err := os.ReadFile("/proc/self/autogroup")
	cmd := child(t, output, append([]string{"setsid", "nice", "-n", speakerNice}, args...)...)
	if errors.Is(err, os.ErrNotExist) {
		return cmd // this kernel has none
	}
	group := fmt.Sprintf("/proc/%d/autogroup", cmd.Process.Pid)
	harness.Eventually(t, 10*time.Second, func() string {
		text, err := os.ReadFile(group)
		return unless(err == nil && string(text) != string(ours), fmt.Sprintf("no group of its own: %s %v", text, err))
	})
	harness.Check(t, os.WriteFile(group, []byte(speakerNice), 0))
	return cmd
}

// elsewhere makes the programs of BFD of a router real-time processes: it stands for another
// machine, which is not as busy as this one.
func (w *wire) elsewhere() {
	w.t.Helper()
	want, err := os.Readlink("/proc/" + w.pid + "/ns/net")
	harness.Check(w.t, err)
	found := 0
	for _, dir := range harness.Must(filepath.Glob("/proc/[0-9]*"))(w.t) {
		ns, _ := os.Readlink(dir + "/ns/net") // it may have ended
		line, _ := os.ReadFile(dir + "/cmdline")
		if text := string(line); ns == want && (strings.Contains(text, "/bfdd\x00") || strings.HasPrefix(text, "bird\x00")) {
			harness.Run(w.t, "chrt", "-a", "-r", "-p", neighbourPriority, filepath.Base(dir))
			found++
		}
	}
	if found == 0 {
		w.t.Fatal("no program of BFD runs there")
	}
}

// wakeVariable makes the test binary a program that only sleeps, and says for how long each time.
const wakeVariable = "E2E_WAKE"

// wake sleeps again and again, without a word to Go's scheduler, for which it would have to wait
// afterwards. Each line is by how many microseconds it was late, and when it woke in nanoseconds.
func wake() {
	const tick = 5 * time.Millisecond
	runtime.LockOSThread()
	for {
		began := time.Now()
		pause := unix.NsecToTimespec(int64(tick))
		_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
		if late := time.Since(began) - tick; late > 5*time.Millisecond {
			fmt.Println(late.Microseconds(), time.Now().UnixNano())
		}
	}
}

// watcher reads what such a program says.
type watcher struct {
	t    testing.TB
	path string
	read int
}

// newWatcher starts one by a command in front of it.
func newWatcher(t testing.TB, start func(testing.TB, string, ...string) *exec.Cmd, args ...string) *watcher {
	t.Helper()
	w := &watcher{t: t, path: filepath.Join(t.TempDir(), "late")}
	start(t, w.path, append(args, "env", wakeVariable+"=1", harness.Must(os.Executable())(t))...)
	return w
}

// worst is how late it was at most since this was asked last.
func (w *watcher) worst() (worst time.Duration) {
	w.t.Helper()
	all := harness.Must(os.ReadFile(w.path))(w.t)
	whole := all[:bytes.LastIndexByte(all, '\n')+1]
	for line := range strings.Lines(string(whole[w.read:])) {
		late, _, _ := strings.Cut(line, " ")
		n, err := strconv.Atoi(late)
		harness.Check(w.t, err)
		worst = max(worst, time.Duration(n)*time.Microsecond)
	}
	w.read = len(whole)
	return worst
}
