package interop_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
)

// witness sees what the machine does while a session is watched: on each processor a real-time process
// of a higher priority than any end of a session, which only sleeps; at both ends of each link a tap,
// whose times are the kernel's; and a session between FRR and BIRD that has nothing of ours.
type witness struct {
	t       testing.TB
	probers []string // the output of that of each processor
	// taps are the outputs of the taps by the address of the neighbour: ours and its.
	taps    map[string][2]string
	control string // BIRD's log of its session with FRR
	began   time.Time
	stolen  [][2]int64 // at each look: time in ns, and what the host has taken of all processors in ticks
}

// span is a time in which something did not run.
type span struct{ from, to time.Time }

const (
	// proberPriority is above neighbourPriority, and that above the speaker's, which is 1.
	proberPriority, neighbourPriority = "3", "2"
	// detection is how long a neighbour may be silent.
	detection = 3 * bfdEvery * time.Millisecond
	// before is how long before a loss its cause may lie: the detection time and the way of the
	// neighbour's word.
	before = detection + 100*time.Millisecond
	// silence is a pause between packets that ends a session with the next one that is late.
	silence = 2 * bfdEvery * time.Millisecond
)

// newWitness begins to look.
func newWitness(t testing.TB, links []*wire) *witness {
	t.Helper()
	w := &witness{t: t, taps: map[string][2]string{}}
	dir := os.Getenv(recordVariable)
	if dir == "" {
		dir = t.TempDir()
	}
	for cpu := range runtime.NumCPU() {
		path := filepath.Join(dir, fmt.Sprintf("prober%d", cpu))
		child(t, path, "chrt", "-f", proberPriority, "taskset", "-c", strconv.Itoa(cpu), "env", wakeVariable+"=1",
			harness.Must(os.Executable())(t))
		w.probers = append(w.probers, path)
	}
	tap := func(name, dev string, inside func(...string) []string) string {
		path := filepath.Join(dir, name)
		// One that is late loses packets, which then look as if they had not been sent.
		child(t, path, inside("chrt", "-r", neighbourPriority, "tcpdump", "-i", dev, "-n", "-tt", "-l", "-s", "128",
			"--immediate-mode", "udp dst port 3784")...)
		harness.Eventually(t, 10*time.Second, func() string {
			b, _ := os.ReadFile(path)
			return unless(bytes.Contains(b, []byte("listening on")), "the tap does not listen")
		})
		return path
	}
	for _, l := range links {
		here := func(args ...string) []string { return args }
		w.taps[l.theirs4] = [2]string{tap("tap-"+l.ourDev, l.ourDev, here), tap("tap-"+l.theirDev, l.theirDev, l.inside)}
	}
	w.control = newControl(t, filepath.Join(dir, "control"))
	w.began = time.Now()
	w.look()
	return w
}

// newControl is a session between FRR's bfdd and BIRD, with the same interval and preference, that
// has nothing of ours. It returns BIRD's log.
func newControl(t testing.TB, log string) string {
	t.Helper()
	const left, right = "10.98.0.1", "10.98.0.2"
	a, b := newWire(t), newWire(t)
	harness.Run(t, "ip", "link", "add", "cl", "netns", a.pid, "type", "veth", "peer", "name", "cr", "netns", b.pid)
	a.run("ip", "addr", "add", left+"/24", "dev", "cl")
	b.run("ip", "addr", "add", right+"/24", "dev", "cr")
	a.run("ip", "link", "set", "cl", "up")
	b.run("ip", "link", "set", "cr", "up")
	f := frr{a, frrReleases["frr-10.3"]}
	harness.Run(t, "chown", "frr:frr", a.dir)
	f.startZebra(map[string]string{"ip": left + "/24"})
	f.launch("bfdd", fmt.Sprintf("hostname d\nbfd\n peer %s\n  detect-multiplier 3\n  receive-interval %d\n"+
		"  transmit-interval %d\n exit\nexit\n", right, bfdEvery, bfdEvery), "bfdd.vty")
	conf := fmt.Sprintf("log %q all;\ntimeformat log iso long us;\nrouter id %s;\nprotocol device { scan time 1; }\n"+
		"protocol bfd { debug { states, events }; interface \"*\" { interval %d ms; multiplier 3; }; neighbor %s; }\n",
		log, right, bfdEvery, left)
	child(t, b.dir+"/bird.out", b.inside("bird", "-f", "-c", b.file("bird.conf", conf), "-s", b.dir+"/ctl", "-P",
		b.dir+"/pid")...)
	harness.Eventually(t, time.Minute, func() string {
		text, _ := os.ReadFile(log)
		return unless(bytes.Contains(text, []byte(" to Up")), "no session between FRR and BIRD: "+string(text))
	})
	a.elsewhere()
	b.elsewhere()
	harness.Eventually(t, time.Minute, func() string { // FRR makes its session anew when it begins
		out, err := exec.Command("birdc", "-s", b.dir+"/ctl", "show", "bfd", "sessions").CombinedOutput()
		return unless(err == nil && bytes.Contains(out, []byte(" Up ")), string(out))
	})
	return log
}

// look notes what the host has taken.
func (w *witness) look() {
	w.t.Helper()
	line, _, _ := strings.Cut(string(harness.Must(os.ReadFile("/proc/stat"))(w.t)), "\n")
	steal, err := strconv.ParseInt(strings.Fields(line)[8], 10, 64)
	harness.Check(w.t, err)
	w.stolen = append(w.stolen, [2]int64{time.Now().UnixNano(), steal})
}

// steal is what the host took, in ticks of 10 ms, between the looks around a time.
func (w *witness) steal(from, to time.Time) int64 {
	first := w.stolen[0]
	for _, s := range w.stolen {
		if s[0] <= from.UnixNano() {
			first = s
		}
		if s[0] >= to.UnixNano() {
			return s[1] - first[1]
		}
	}
	return w.stolen[len(w.stolen)-1][1] - first[1]
}

// stalls are the times in which the process of a processor did not run although it was to.
func (w *witness) stalls(cpu int) (out []span) {
	w.t.Helper()
	for line := range strings.Lines(string(harness.Must(os.ReadFile(w.probers[cpu]))(w.t))) {
		late, at, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue // not written to its end yet
		}
		us, err := strconv.ParseInt(late, 10, 64)
		harness.Check(w.t, err)
		ns, err := strconv.ParseInt(at, 10, 64)
		harness.Check(w.t, err)
		to := time.Unix(0, ns)
		out = append(out, span{to.Add(-time.Duration(us) * time.Microsecond), to})
	}
	return out
}

// packets are the times at which a tap has seen packets, by their sender.
func (w *witness) packets(path string) map[string][]time.Time {
	w.t.Helper()
	out := map[string][]time.Time{}
	for line := range strings.Lines(string(harness.Must(os.ReadFile(path))(w.t))) {
		f := strings.Fields(line) // 1700000000.123456 IP 10.99.1.1.50000 > 10.99.1.2.3784: ...
		if len(f) < 5 || f[1] != "IP" {
			continue
		}
		at, err := strconv.ParseFloat(f[0], 64)
		harness.Check(w.t, err)
		from := f[2][:strings.LastIndexByte(f[2], '.')]
		out[from] = append(out[from], time.UnixMicro(int64(at*1e6)))
	}
	return out
}

// pause is the longest one between the packets around a time; it may have begun before that.
func pause(packets []time.Time, from, to time.Time) (longest time.Duration) {
	i, _ := slices.BinarySearchFunc(packets, from, time.Time.Compare)
	last := from
	if i > 0 {
		last = packets[i-1]
	}
	for ; i < len(packets) && packets[i].Before(to); i++ {
		longest, last = max(longest, packets[i].Sub(last)), packets[i]
	}
	return max(longest, to.Sub(last))
}

// losses are when BIRD and FRR lost each other.
func (w *witness) losses() (out []time.Time) {
	w.t.Helper()
	for line := range strings.Lines(string(harness.Must(os.ReadFile(w.control))(w.t))) {
		const layout = "2006-01-02 15:04:05.000000"
		if len(line) < len(layout) || !strings.Contains(line, "from Up to Down") {
			continue
		}
		at, err := time.ParseInLocation(layout, line[:len(layout)], time.Local)
		harness.Check(w.t, err)
		if at.After(w.began) {
			out = append(out, at)
		}
	}
	return out
}

// loss is a session that was lost.
type loss struct {
	at      time.Time
	address string // of the neighbour
	bfd.Change
}

// judged is a loss with what explains it, and what was seen of it.
type judged struct {
	loss
	cause, text string
}

// The causes of a loss; all but the first are not ours.
const (
	byUs      = "nothing but this program"
	byMachine = "the machine held up real-time processes"
	byControl = "FRR and BIRD lost each other as well"
	byPeer    = "the neighbour did not send, or did not take what came in time"
	byKernel  = "the kernel did not deliver in time"
	byLoss    = "the neighbour made its session anew after the loss before"
)

// judge explains losses.
func (w *witness) judge(list []loss) (out []judged) {
	w.t.Helper()
	slices.SortStableFunc(list, func(a, b loss) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	var stalls [][]span
	for cpu := range w.probers {
		stalls = append(stalls, w.stalls(cpu))
	}
	type seen struct{ here, there map[string][]time.Time }
	taps := map[string]seen{}
	for address, paths := range w.taps {
		taps[address] = seen{w.packets(paths[0]), w.packets(paths[1])}
	}
	floor := w.losses()
	for _, l := range list {
		j := judged{loss: l, cause: byUs}
		from := l.at.Add(-before)
		var held time.Duration
		for cpu, spans := range stalls {
			var sum, worst time.Duration
			for _, s := range spans {
				if d := overlap(s, span{from, l.at}); d > 0 {
					sum += d
					worst = max(worst, s.to.Sub(s.from))
				}
			}
			held = max(held, sum)
			j.text += fmt.Sprintf("; processor %d held up for %s, at most %s at a time", cpu, sum, worst)
		}
		tap := taps[l.address]
		ours := strings.TrimSuffix(l.address, ".2") + ".1"
		sent, arrived := pause(tap.here[ours], from, l.at), pause(tap.there[ours], from, l.at)
		theirs, came := pause(tap.there[l.address], from, l.at), pause(tap.here[l.address], from, l.at)
		j.text += fmt.Sprintf("; longest pause of our packets %s (there %s), of the neighbour's %s (here %s); stolen %d",
			sent, arrived, theirs, came, w.steal(from, l.at))
		control := slices.ContainsFunc(floor, func(at time.Time) bool { return at.Sub(l.at).Abs() < before })
		expired := l.Cause() == bfd.CauseExpired
		switch {
		case l.Diag == bfd.NeighborDown && l.RemoteDiag == bfd.NoDiag:
			j.cause = byLoss
		case held >= heldUp:
			j.cause = byMachine
		case control:
			j.cause = byControl
		case expired && theirs >= silence, !expired && sent < silence && arrived < silence:
			j.cause = byPeer
		case expired && came >= silence, !expired && sent < silence:
			j.cause = byKernel
		}
		out = append(out, j)
	}
	return out
}

// overlap is how long both last.
func overlap(a, b span) time.Duration {
	if a.from.Before(b.from) {
		a.from = b.from
	}
	if a.to.After(b.to) {
		a.to = b.to
	}
	return max(0, a.to.Sub(a.from))
}

// report says what the machine did, and how the session fared that has nothing of ours.
func (w *witness) report(counts map[string]int) {
	w.t.Helper()
	var text strings.Builder
	for cpu := range w.probers {
		var worst time.Duration
		var long, longer int
		for _, s := range w.stalls(cpu) {
			d := s.to.Sub(s.from)
			worst = max(worst, d)
			if d >= heldUp {
				long++
			}
			if d >= silence {
				longer++
			}
		}
		fmt.Fprintf(&text, "processor %d held real-time processes up for %s or more %d times, for %s or more %d times, at "+
			"most for %s; ", cpu, heldUp, long, silence, longer, worst)
	}
	last := w.stolen[len(w.stolen)-1]
	proof.Report(w.t, "%sthe host took %d ticks; FRR and BIRD lost each other %d times; losses of ours by cause: %v",
		text.String(), last[1]-w.stolen[0][1], len(w.losses()), counts)
}
