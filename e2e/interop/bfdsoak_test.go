package interop_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const (
	// bfdSoakVariable is how long TestProofBFDBesideLoad goes on, such as 60m.
	bfdSoakVariable = "BFD_SOAK"
	// recordVariable is a directory in which what was seen meanwhile stays.
	recordVariable = "BFD_RECORD"
	// bfdEvery is the interval in milliseconds: a neighbour is lost after three of them.
	bfdEvery = 50
	// churned are the paths that are announced and withdrawn all the time: garbage.
	churned = 2000
	// churnEvery is the pause between announcing them and withdrawing them.
	churnEvery = 500 * time.Millisecond
	// restartEach is after how many of these the controller is another.
	restartEach = 5
	// heldUp is how long the machine may hold up real-time processes that only sleep before it is to blame.
	heldUp = 30 * time.Millisecond
)

// bfdSoak is a speaker with neighbours that watch it closely.
type bfdSoak struct {
	*node
	addresses []string
	links     []*wire
	paths     []object.Change
	pace      *time.Ticker
	lost      map[string]uint64
	// began are the failures before the load began.
	began uint64
	// rounds are announcements and withdrawals of all paths, restarts those of the controller.
	rounds, restarts int
}

// BFD at 50 ms x 3 beside a loaded processor, 2,000 paths that come and go, and a controller
// that is restarted: none of it ends a session. The short form asks for three seconds
// without a failure, because other tests may keep the machine busy; BFD_SOAK is the long one.
func TestProofBFDBesideLoad(t *testing.T) {
	t.Setenv("GODEBUG", "gctrace=1") // of the speaker, whose collections are counted
	if proof.Full() {
		t.Setenv(realTimeVariable, "1") // what docs/bfd.md advises for processors that are always busy
	}
	s := newBFDSoak(t)
	for range runtime.NumCPU() {
		child(t, os.DevNull, "nice", "-n", "10", "sh", "-c", "while :; do :; done")
	}
	late := newWatcher(t, preferred).worst
	if text := cmp.Or(os.Getenv(bfdSoakVariable), fullSoak()); text != "" {
		s.long(harness.Must(time.ParseDuration(text))(t), late)
		return
	}
	harness.Eventually(t, 2*time.Minute, func() string {
		s.failures()
		before := s.restarts
		for began := time.Now(); time.Since(began) < 3*time.Second || s.restarts == before; {
			s.round()
		}
		failed := s.failures()
		return unless(len(failed) == 0 && s.restarts > before, fmt.Sprintf("%d restarts, %v", s.restarts-before, failed))
	})
	s.report(late())
}

// fullSoak is how long it goes on in `make chaos`; empty is the short form.
func fullSoak() string {
	if proof.Full() {
		return "60m"
	}
	return ""
}

func newBFDSoak(t *testing.T) *bfdSoak {
	t.Helper()
	s := &bfdSoak{node: newBFDNode(t), lost: map[string]uint64{}, pace: time.NewTicker(churnEvery)}
	t.Cleanup(s.pace.Stop)
	all := []object.Value{path("203.0.113.7/32")}
	for _, name := range []string{"frr-10.3", "bird"} {
		w := newWire(t)
		routers[name](w, session{
			ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4}, bfd: true, bfdEvery: bfdEvery,
		})
		p := toRouter(w.theirs4, v4)
		p.HoldTime = 90
		p.BFD = object.BFD{On: true, Interval: bfdEvery}
		all = append(all, p)
		w.elsewhere()
		s.addresses, s.links = append(s.addresses, w.theirs4), append(s.links, w)
	}
	s.want(all...)
	for i := range churned {
		s.paths = append(s.paths, object.Change{After: path(fmt.Sprintf("198.51.%d.%d/32", i/250, i%250))})
	}
	for _, address := range s.addresses {
		harness.Eventually(t, time.Minute, func() string {
			st := s.state(address)
			return unless(st.State == bgp.Established && st.BFD.State == bfd.Up, fmt.Sprintf("%s: %+v", address, st))
		})
		s.began += s.state(address).BFD.Failures // FRR makes its session anew when it begins
	}
	s.failures()
	return s
}

// round announces all paths or withdraws them; now and then the controller is another.
func (s *bfdSoak) round() {
	s.t.Helper()
	for i, err := range s.Apply(s.t.Context(), s.paths) {
		if err != nil {
			s.t.Fatalf("%s: %v", s.paths[i].Key().Text(), err)
		}
		s.paths[i].Before, s.paths[i].After = s.paths[i].After, s.paths[i].Before
	}
	s.rounds++
	<-s.pace.C
	if s.rounds%restartEach == 0 {
		s.redial()
		s.restarts++
	}
}

// failures are those since the last call, with the reasons. A neighbour that has made its session anew, as
// BIRD does when the one of BGP has ended, has not missed a packet.
func (s *bfdSoak) failures() (out []string) {
	s.t.Helper()
	for _, address := range s.addresses {
		b := s.state(address).BFD
		anew := b.Diag == bfd.NeighborDown && b.RemoteDiag == bfd.NoDiag
		if n := b.Failures - s.lost[address]; n > 1 || n == 1 && !anew {
			out = append(out, fmt.Sprintf("%s: %d times, %s, %s", address, n, b.Diag, b.RemoteDiag))
		}
		s.lost[address] = b.Failures
	}
	return out
}

// losses are those of the neighbours since a time. The speaker remembers the last few.
func (s *bfdSoak) losses(since time.Time) (out []loss) {
	s.t.Helper()
	for _, address := range s.addresses {
		for _, e := range s.state(address).BFD.Events {
			if e.Failed() && e.At.After(since) {
				out = append(out, loss{e.At, address, e.Change})
			}
		}
	}
	return out
}

// long is the endurance test. It fails for a loss that nothing explains but this program.
func (s *bfdSoak) long(d time.Duration, late func() time.Duration) {
	s.t.Helper()
	w := newWitness(s.t, s.links)
	s.failures()
	var worst time.Duration
	seen := map[loss]bool{}
	var all []loss
	for next := time.Now(); time.Since(w.began) < d; {
		s.round()
		if time.Now().Before(next) {
			continue
		}
		next = time.Now().Add(time.Second)
		worst = max(worst, late())
		w.look()
		for _, l := range s.losses(w.began) {
			if !seen[l] {
				seen[l] = true
				all = append(all, l)
				s.t.Logf("after %s: %s lost: %s", l.at.Sub(w.began).Round(time.Millisecond), l.address, l.Text())
			}
		}
	}
	var before uint64
	for _, n := range s.lost {
		before += n
	}
	s.failures()
	for _, n := range s.lost {
		before -= n
	}
	if lost := -before; lost != uint64(len(all)) {
		s.t.Errorf("%d sessions lost, %d seen", lost, len(all))
	}
	counts := map[string]int{}
	for _, j := range w.judge(all) {
		s.t.Logf("%s: %s lost: %s; explained by: %s%s", j.at.Sub(w.began).Round(time.Millisecond), j.address, j.Text(),
			j.cause, j.text)
		counts[j.cause]++
	}
	if n := counts[byUs]; n > 0 {
		s.t.Errorf("%d of %d losses are explained by nothing but this program", n, len(all))
	}
	w.report(counts)
	s.report(worst)
}

func (s *bfdSoak) report(worst time.Duration) {
	s.t.Helper()
	var total uint64
	causes := map[bfd.Cause]uint64{}
	for _, address := range s.addresses {
		b := s.state(address).BFD
		total += b.Failures
		for cause, n := range b.Counts {
			causes[cause] += n
		}
	}
	out, err := os.ReadFile(strings.TrimSuffix(strings.TrimPrefix(s.socket, "unix:"), "/s") + "/speaker")
	if err != nil {
		s.t.Fatal(err)
	}
	if dir := os.Getenv(recordVariable); dir != "" {
		harness.Check(s.t, os.WriteFile(filepath.Join(dir, "speaker"), out, 0o644))
	}
	load, _ := exec.Command("cat", "/proc/loadavg").Output()
	proof.Report(s.t, "%d ms x 3 to %d neighbours: %d rounds of %d paths, %d restarts of the controller, %d collections "+
		"of the speaker, %d failures (causes since the start %v), a process like the speaker waited up to %s, load %s",
		bfdEvery, len(s.addresses), s.rounds, churned, s.restarts, strings.Count(string(out), "\ngc "), total-s.began, causes,
		worst, strings.TrimSpace(string(load)))
}
