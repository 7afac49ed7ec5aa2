package reconcile

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestSteady: a clock that is set back goes on from where it was, and one that is set
// forward is followed.
func TestSteady(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := &manualClock{now: began}
	s := &steady{Clock: m}
	for _, tt := range []struct{ jump, want time.Duration }{
		{0, 0},
		{time.Second, time.Second},
		{-3 * time.Hour, time.Second},
		{time.Second, 2 * time.Second},
		{-time.Hour, 2 * time.Second},
		{5 * time.Hour, 5*time.Hour + 2*time.Second},
	} {
		m.advance(tt.jump)
		if got := s.Now().Sub(began); got != tt.want {
			t.Errorf("after a jump by %s: got %s, want %s", tt.jump, got, tt.want)
		}
	}
}

// jumper is a node whose clock jumps while rows change, steps fail, others undo what was
// done, and processes end.
type jumper struct {
	*node
	rng *rand.Rand
	// here are the VMs whose rows name this node.
	here  map[int]bool
	jumps int
}

const jumperVMs = 6

// event lets one thing happen, and a round after it.
func (j *jumper) event() {
	j.t.Helper()
	vm := j.rng.IntN(jumperVMs)
	switch j.rng.IntN(7) {
	case 0:
		j.here[vm] = true
		happen(j.t, j.story, []*node{j.node}, vmPort(100+vm, "cmp-1"))
	case 1:
		delete(j.here, vm)
		happen(j.t, j.story, []*node{j.node}, vmPort(100+vm, "cmp-2"))
	case 2:
		j.world.Unset(routeKey(100 + vm))
	case 3:
		j.fail(vm)
	case 4:
		j.start()
	case 5:
		j.jumps++
		j.clock.advance(time.Duration(j.rng.Int64N(int64(20*time.Hour))) - 10*time.Hour)
	case 6:
		j.clock.advance(time.Duration(j.rng.Int64N(int64(2 * time.Second))))
	}
	j.check(j.round())
}

// fail has another program remove a route whose repair then fails.
func (j *jumper) fail(vm int) {
	j.world.Unset(routeKey(100 + vm))
	j.world.FailNext(routeKey(100+vm), errBusy)
}

// setBack leaves a retry and a hold of the fuse to be waited for, and sets the clock back.
func (j *jumper) setBack() {
	j.t.Helper()
	for vm := range jumperVMs {
		j.here[vm] = true
		happen(j.t, j.story, []*node{j.node}, vmPort(100+vm, "cmp-1"))
	}
	j.check(j.round())
	for vm := 1; vm < jumperVMs; vm++ {
		delete(j.here, vm)
		happen(j.t, j.story, []*node{j.node}, fmt.Sprintf("drop vm%d", 100+vm))
	}
	j.fail(0)
	j.check(j.round())
	j.jumps++
	j.clock.advance(-time.Duration(1+j.rng.Int64N(10)) * time.Hour)
	j.check(j.round())
}

// check demands that a path is withdrawn only where its row names another node or what
// it needs is not there.
func (j *jumper) check(r Round) {
	j.t.Helper()
	for _, op := range r.Plan.Ops {
		if op.Verb != plan.Delete || !op.Key().Kind.IsPath() || op.Note != "" {
			continue
		}
		for vm := range j.here {
			if op.Key() == pathKeyOf(100+vm) {
				j.t.Fatalf("%s is withdrawn although vm%d is here", op, 100+vm)
			}
		}
	}
}

func pathKeyOf(i int) object.Key {
	v, err := object.Parse(fmt.Sprintf("path ipv4-unicast 172.24.4.%d/32 next-hop self origin igp", i))
	if err != nil {
		panic(err) // the text is a constant but for the number
	}
	return v.Key()
}

// TestProofClockJumps: clocks that jump by hours, forward and back, while rows change,
// steps fail and processes end, cost no path; and what waits, for a retry, after contention
// or for a hold, waits no longer than without a jump.
func TestProofClockJumps(t *testing.T) {
	walks, jumps := proof.Count(20, 500), 0
	for seed := range walks {
		s, err := story.Parse("include base")
		if err != nil {
			t.Fatal(err)
		}
		n := newNode(t, "cmp-1", s, defaults(), func(c *Config) {
			c.Fuse = FuseConfig{Share: 0.5, Least: 3, Hold: 30 * time.Second}
		})
		j := &jumper{node: n, rng: rand.New(rand.NewPCG(uint64(seed), 1)), here: map[int]bool{}}
		for range 40 {
			j.event()
		}
		j.setBack()
		var last Round
		for range 30 { // two and a half minutes on a clock that goes on as it should
			n.clock.advance(5 * time.Second)
			last = n.round()
			j.check(last)
		}
		if !last.Plan.Empty() || last.Frozen != "" {
			t.Fatalf("walk %d: there is left to do\n%s%s", seed, last.Plan, last.Frozen)
		}
		for _, note := range last.Plan.Notes {
			if note.Block.Code == object.BlockBackoff || note.Block.Code == object.BlockContested {
				t.Fatalf("walk %d: still waiting: %s", seed, note)
			}
		}
		for vm := range j.here {
			if !last.Have.Has(pathKeyOf(100 + vm)) {
				t.Fatalf("walk %d: vm%d is here and not announced", seed, 100+vm)
			}
		}
		jumps += j.jumps
	}
	proof.Report(t, "%d jumps of the clock by up to 10 hours either way in %d walks: no path lost, nothing left waiting",
		jumps, walks)
}
