package withdraw

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

var start = time.Date(2026, 3, 4, 14, 2, 20, 0, time.UTC)

func path(n int) object.Key {
	addr := netip.AddrFrom4([4]byte{203, 0, 113, byte(n)})
	return object.NewPath(netip.PrefixFrom(addr, 32), object.OriginIncomplete).Key()
}

// bench is a node that is checked: a memory and the time.
type bench struct {
	Memory
	at   time.Time
	conf Config
	all  int
	// sampled and bad are those of each check.
	sampled, bad int
}

func newBench(all int) *bench {
	return &bench{at: start, conf: Config{On: true, Hold: 10 * time.Second}, all: all}
}

// check is a check after a while in which paths up to n have been proven so.
func (b *bench) check(after time.Duration, proofs ...Proof) {
	b.at = b.at.Add(after)
	c := Check{At: b.at, Announced: b.all, Sampled: b.sampled, Bad: b.bad, Wanted: func(object.Key) bool { return true }}
	for i, p := range proofs {
		c.Findings = append(c.Findings, Finding{Path: path(i), Proof: p, Code: "foreign-route", Text: "a route refuses it"})
	}
	b.Memory = b.After(c, b.conf)
}

func (b *bench) wants(t *testing.T, what string, paths ...int) {
	t.Helper()
	blocks := b.Blocks()
	ok := len(blocks) == len(paths)
	for _, n := range paths {
		block, has := blocks[path(n)]
		ok = ok && has && block.Code == object.BlockUnreachable
	}
	if !ok {
		t.Fatalf("%s: %v are withdrawn, not %v", what, blocks, paths)
	}
}

func TestWithdrawnAfterHoldAndBackAtOnce(t *testing.T) {
	b := newBench(10)
	b.check(0, Unreachable, Reachable)
	b.wants(t, "after the first check")
	b.check(9*time.Second, Unreachable)
	b.wants(t, "before the hold is over")
	b.check(2*time.Second, Unreachable)
	b.wants(t, "after the hold", 0)
	if text := b.Withdrawn()[0].Text(); !strings.Contains(text, "a route refuses it (foreign-route)") {
		t.Errorf("the reason is missing: %s", text)
	}
	b.check(time.Second, Reachable)
	b.wants(t, "once it is reachable")
}

// TestOneProofIsNone: however long ago it was.
func TestOneProofIsNone(t *testing.T) {
	b := newBench(10)
	b.check(0, Unreachable)
	b.check(time.Minute, Unknown)
	b.wants(t, "after a check that proved nothing")
	b.check(time.Minute, Unreachable)
	b.wants(t, "after a proof too old to count and a new one")
	b.check(time.Second, Reachable)
	b.check(time.Minute, Unreachable)
	b.wants(t, "after it was reachable in between")
}

// TestMissingDataAnnounces: what cannot be checked any more comes back.
func TestMissingDataAnnounces(t *testing.T) {
	b := newBench(10)
	b.check(0, Unreachable)
	b.check(20*time.Second, Unreachable)
	b.wants(t, "proven", 0)
	b.check(Stale, Unknown)
	b.wants(t, "while the proof is good", 0)
	b.check(time.Second, Unknown)
	b.wants(t, "after the proof has become stale")
}

func TestGuard(t *testing.T) {
	for _, tt := range []struct {
		all, bad     int
		sampled, ill int
		held         bool
	}{
		{all: 1, bad: 1},
		{all: 2, bad: 2},
		{all: 3, bad: 3, held: true},
		{all: 6, bad: 3},
		{all: 5, bad: 3, held: true},
		{all: 1000, bad: 4, sampled: 8, ill: 4},
		{all: 1000, bad: 4, sampled: 7, ill: 4, held: true},
		{all: 1000, bad: 2, sampled: 2, ill: 2},
	} {
		t.Run(fmt.Sprintf("%d of %d, %d of %d", tt.bad, tt.all, tt.ill, tt.sampled), func(t *testing.T) {
			b := newBench(tt.all)
			b.sampled, b.bad = tt.sampled, tt.ill
			proofs := make([]Proof, tt.bad)
			for i := range proofs {
				proofs[i] = Unreachable
			}
			b.check(0, proofs...)
			b.check(20*time.Second, proofs...)
			since := b.at
			b.check(time.Second, proofs...)
			want := tt.bad
			if tt.held {
				want = 0
			}
			if got := len(b.Blocks()); got != want {
				t.Errorf("%d are withdrawn, not %d", got, want)
			}
			g := b.Guarded()
			if (g != nil) != tt.held || g != nil && (!g.Since.Equal(since) || !strings.Contains(g.Text(), "too many")) {
				t.Errorf("guard: %+v", g)
			}
		})
	}
}

// TestGuardKeepsWhatWasWithdrawn: the sixth of ten is the guard's, the five before are not.
func TestGuardKeepsWhatWasWithdrawn(t *testing.T) {
	b := newBench(10)
	five := []Proof{Unreachable, Unreachable, Unreachable, Unreachable, Unreachable}
	b.check(0, five...)
	b.check(20*time.Second, five...)
	b.wants(t, "half", 0, 1, 2, 3, 4)
	b.check(time.Second, append(five, Unreachable)...)
	b.check(20*time.Second, append(five, Unreachable)...)
	b.wants(t, "one more than half", 0, 1, 2, 3, 4)
	if b.Guarded() == nil {
		t.Error("the guard does not tell")
	}
}

// TestFlapping: who comes and goes waits longer each time, but not for ever.
func TestFlapping(t *testing.T) {
	b := newBench(10)
	for i, pause := range []time.Duration{0, 20 * time.Second, 40 * time.Second, 80 * time.Second} {
		b.check(time.Second, Unreachable)
		b.check(20*time.Second, Unreachable)
		b.wants(t, fmt.Sprint("withdrawal ", i), 0)
		b.check(time.Second, Reachable)
		for left := pause; left > 0; left -= 20 * time.Second {
			b.wants(t, fmt.Sprint("return ", i, " too early"), 0)
			if s := b.Withdrawn()[0]; !s.Until.Equal(b.at.Add(left)) || b.Blocks()[path(0)].Until == "" {
				t.Fatalf("it is not shown until when: %+v", s)
			}
			b.check(20*time.Second, Reachable)
		}
		b.wants(t, fmt.Sprint("return ", i))
	}
	for count := range 100 {
		if p := pause(count); p > pauseMost {
			t.Fatalf("after %d times: %s", count, p)
		}
	}
	b.check(Forget+time.Second, Reachable)
	b.check(time.Second, Unreachable)
	b.check(20*time.Second, Unreachable)
	b.check(time.Second, Reachable)
	b.wants(t, "the first return after a long time of peace")
}

func TestOffAndUnwanted(t *testing.T) {
	b := newBench(10)
	b.check(0, Unreachable)
	b.check(20*time.Second, Unreachable)
	b.wants(t, "on", 0)
	gone := b.After(Check{At: b.at, Wanted: func(object.Key) bool { return false }}, b.conf)
	if len(gone.Suspects()) > 0 {
		t.Errorf("of what is not wanted any more is left: %v", gone.Suspects())
	}
	b.conf.On = false
	b.check(time.Second, Unreachable)
	b.wants(t, "off")
}

// TestBounded: however many paths are unreachable, a bounded number is remembered.
func TestBounded(t *testing.T) {
	c := Check{At: start, Announced: 1 << 20, Wanted: func(object.Key) bool { return true }}
	for n := range 2 * most {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})
		c.Findings = append(c.Findings, Finding{
			Path: object.NewPath(netip.PrefixFrom(addr, 32), object.OriginIncomplete).Key(), Proof: Unreachable,
		})
	}
	if got := len(Memory{}.After(c, Config{On: true}).Suspects()); got != most {
		t.Errorf("%d are remembered", got)
	}
}

// TestWalk: whatever checks find in whatever order, nothing is withdrawn without two
// proofs in a row that lie the hold apart and less than Stale ago, never more than half at
// once, and all comes back in the end.
func TestWalk(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b := newBench(3 + rng.IntN(20))
		bad := map[object.Key][]time.Time{} // the proofs in a row
		before := b.Blocks()
		for range 300 {
			proofs := make([]Proof, b.all)
			for i := range proofs {
				proofs[i] = Proof(rng.IntN(3))
				if rng.IntN(3) > 0 {
					proofs[i] = Unreachable
				}
				if rng.IntN(2*b.all) > b.all/2 {
					proofs[i] = Reachable
				}
			}
			b.check(time.Duration(1+rng.IntN(8000))*time.Millisecond, proofs...)
			for i, p := range proofs {
				switch k := path(i); p {
				case Unreachable:
					bad[k] = append(bad[k], b.at)
				case Reachable:
					bad[k] = nil
				}
			}
			after := b.Blocks()
			for k := range after {
				if _, was := before[k]; was {
					continue
				}
				row := bad[k]
				if len(row) < Confirmations || b.at.Sub(row[0]) < b.conf.Hold {
					t.Fatalf("seed %d: %s is withdrawn after %v at %s", seed, k.Text(), row, b.at)
				}
				if len(after) >= Least && len(after)*Share > b.all {
					t.Fatalf("seed %d: %d of %d are withdrawn", seed, len(after), b.all)
				}
			}
			before = after
		}
		reachable := make([]Proof, b.all)
		for i := range reachable {
			reachable[i] = Reachable
		}
		for range 12 {
			b.check(time.Minute, reachable...)
		}
		b.wants(t, fmt.Sprint("in the end, seed ", seed))
	}
}
