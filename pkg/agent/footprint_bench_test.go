package agent

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// binaryVariable names the program, as make builds it.
const binaryVariable = "E2E_BGP_OVN"

const (
	// quietFor is how long the program must compute next to nothing before it counts as settled,
	// and quietCPU is what is next to nothing.
	quietFor, quietCPU = 2 * time.Second, 100 * time.Millisecond
	// watchedFor is how long its wakeups are counted. Memory is given back meanwhile.
	watchedFor = 20 * time.Second
)

// BenchmarkFootprint measures the program itself, with a speaker in it and one neighbour: the
// memory it holds and has held at most, and how often it wakes while nothing happens. The floor of
// the same run is the program on a node without addresses.
func BenchmarkFootprint(b *testing.B) {
	var none float64
	for i, c := range []struct {
		name            string
		here, elsewhere int
	}{
		{"none", 0, 0}, {"1k-here", 1_000, 0}, {"100k-here", 100_000, 0}, {"100k-elsewhere", 0, 100_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				p := footprint(b, c.here, c.elsewhere, uint16(1840+i))
				if c.here+c.elsewhere == 0 {
					none = p.resident
				}
				b.ReportMetric(p.resident, "MB")
				b.ReportMetric(p.peak, "peak-MB")
				b.ReportMetric(p.resident/none, "x-of-none")
				b.ReportMetric(p.wakeups, "wakeups/s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// program is the program as it runs.
type program struct {
	b   testing.TB
	pid int
	// resident and peak are its memory in MB (VmRSS and VmHWM of proc(5)), wakeups how often one
	// of its threads woke in a second.
	resident, peak, wakeups float64
}

func footprint(b *testing.B, here, elsewhere int, port uint16) program {
	binary := os.Getenv(binaryVariable)
	if binary == "" {
		b.Fatalf("%s must name the program: run make build, and set it to the path of bin/bgp-ovn", binaryVariable)
	}
	w := newWorld(b)
	// What neighbours announce is looked at each second until they have had that long.
	const soon = "bgp: {graceful_restart: {deferral_time: 1}, "
	w.configure(strings.Replace(crowdSpeaker(port, "passive: true"), "bgp: {", soon, 1))
	db := dialOVSDB(b, w.path("db.sock"))
	crowded(w, db, here, "hv1")
	if elsewhere > 0 {
		crowded(w, db, elsewhere, "hv2")
	}
	cmd := exec.Command(binary, "run", "--config", w.config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = w.logged, w.logged
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	peer := heard(b, port, func([]byte) {}) // vm-a is always there
	defer peer.Close()
	client := control.NewClient(w.path("control.sock"))
	await(b, func() string {
		if s, err := client.Status(b.Context()); err != nil || s.LastRound == nil {
			return fmt.Sprintf("no round has run: %v", err)
		}
		if got := strings.Count(w.routes(), "\n"); got < here {
			return fmt.Sprintf("%d routes", got)
		}
		return ""
	})
	p := program{b: b, pid: cmd.Process.Pid}
	p.settle()
	before := p.switches()
	<-time.After(watchedFor)
	p.wakeups = float64(p.switches()-before) / watchedFor.Seconds()
	p.resident, p.peak = p.megabytes("VmRSS:"), p.megabytes("VmHWM:")
	return p
}

// settle waits until the program computes next to nothing.
func (p *program) settle() {
	p.b.Helper()
	used, since := p.cpu(), time.Now()
	await(p.b, func() string {
		if now := p.cpu(); now-used > quietCPU {
			used, since = now, time.Now()
		}
		if quiet := time.Since(since); quiet < quietFor {
			return fmt.Sprintf("the program has been quiet for %s only", quiet)
		}
		return ""
	})
}

// cpu is the time that it has computed, of /proc/PID/stat: ticks of 10 ms.
func (p *program) cpu() time.Duration {
	p.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		p.b.Fatal(err)
	}
	var user, system int64
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		p.b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// switches are how often its threads have begun to wait.
func (p *program) switches() (n int64) {
	p.b.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.pid))
	if err != nil || len(threads) == 0 {
		p.b.Fatal(threads, err)
	}
	for _, path := range threads {
		n += int64(field(p.b, path, "voluntary_ctxt_switches:"))
	}
	return n
}

func (p *program) megabytes(name string) float64 {
	p.b.Helper()
	return field(p.b, fmt.Sprintf("/proc/%d/status", p.pid), name) / 1024
}

// field is a number in a file such as /proc/PID/status; 0 if the file has gone, as that of a thread may.
func field(b testing.TB, path, name string) (n float64) {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if after, ok := strings.CutPrefix(lines.Text(), name); ok {
			if _, err := fmt.Sscan(after, &n); err != nil {
				b.Fatalf("%s: %s: %v", path, lines.Text(), err)
			}
			return n
		}
	}
	return 0
}
