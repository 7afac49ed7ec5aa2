package reconcile

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

func reviewedNode(t testing.TB, text string) *node {
	t.Helper()
	s, err := story.Parse("include base\n" + text)
	if err != nil {
		t.Fatal(err)
	}
	return newNode(t, "cmp-1", s, defaults(), func(c *Config) { c.Reviewed = true })
}

// apply has an operator apply whatever is planned.
func (n *node) apply() Round {
	n.t.Helper()
	r, err := n.c.Apply(n.t.Context(), func(Round) error { return nil })
	if err != nil || len(r.Failed()) > 0 {
		n.t.Fatal(err, r.Failed())
	}
	return r
}

// stepTexts are steps without their provenance.
func stepTexts(ops []plan.Op) string {
	var out []string
	for _, op := range ops {
		out = append(out, op.Verb.String()+" "+op.Key().Text())
	}
	return strings.Join(out, "\n")
}

func (n *node) expect(r Round, now, waits string) {
	n.t.Helper()
	if got := stepTexts(r.Plan.Ops); got != now {
		n.t.Errorf("taken at once:\n%s\nwant\n%s", got, now)
	}
	got := ""
	if r.Review != nil {
		got = stepTexts(r.Review.Waiting)
	}
	if got != waits {
		n.t.Errorf("waits:\n%s\nwant\n%s", got, waits)
	}
	if r.Review != nil && r.Review.Since.IsZero() != (waits == "") {
		n.t.Errorf("it waits since %s", r.Review.Since)
	}
}

// TestReviewed: where changes are reviewed, a round takes no step that changes what an operator
// has approved; it puts back what others undo, and takes away what does harm.
func TestReviewed(t *testing.T) {
	n := reviewedNode(t, newVM)
	r := n.round()
	if len(r.Plan.Ops) > 0 || r.Review == nil || len(r.Review.Waiting) < 3 {
		t.Fatalf("a fresh node took %d steps: %+v", len(r.Plan.Ops), r.Review)
	}
	refused := errors.New("no")
	if _, err := n.c.Apply(t.Context(), func(r Round) error {
		if len(r.Plan.Ops) < 3 {
			t.Errorf("check was given %d steps", len(r.Plan.Ops))
		}
		return refused
	}); !errors.Is(err, refused) {
		t.Errorf("got %v, want the error of the check", err)
	}
	if r := n.round(); len(r.Plan.Ops) > 0 || len(r.Review.Waiting) < 3 {
		t.Error("something was applied that was refused")
	}
	n.apply()
	n.expect(n.round(), "", "")

	const route, path = "route 172.24.4.92/32 table 201 metric 0", "path ipv4-unicast 172.24.4.92/32"
	tell := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			if mine, err := n.line(line); mine || err != nil {
				if err != nil {
					t.Fatal(err)
				}
			} else if err := n.story.Tell(line); err != nil {
				t.Fatal(err)
			}
		}
	}
	tell("world - " + route + " dev br-ex")
	n.expect(n.round(), "create "+route, "")

	tell("speaker restarts", "restart")
	n.expect(n.round(), "create "+path, "")
	n.expect(n.round(), "", "")

	tell("set vmP mac \"fa:16:3e:15:9e:f0 172.24.4.93\"")
	other := strings.NewReplacer("4.92", "4.93")
	const route93, path93 = "create route 172.24.4.93/32 table 201 metric 0", "create path ipv4-unicast 172.24.4.93/32"
	waits := "delete " + path + "\n" + route93 + "\n" + path93 + "\ndelete " + route
	n.expect(n.round(), "", waits)
	tell("world - " + route + " dev br-ex") // of what is not wanted any more nothing is put back
	r = n.round()
	n.expect(r, "", "delete "+path+"\n"+route93+"\n"+path93)
	n.apply()
	n.expect(n.round(), "", "")

	tell("set vmP chassis cmp-2")
	gone := "delete rule inet priority 32000 lookup 201 suppress_prefixlength 0\ndelete " + other.Replace(route)
	n.expect(n.round(), "delete "+other.Replace(path), gone)
	n.c.Reconfigure(Intent{Drivers: n.c.cfg.Drivers})
	n.expect(n.round(), gone, "")
}

// TestReviewedUnreachable: where changes are reviewed, what the node cannot forward packets for
// is withdrawn all the same, and announced again as it was. What has changed in the meantime
// waits.
func TestReviewedUnreachable(t *testing.T) {
	var lost unreachables
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), func(c *Config) { c.Reviewed, c.Unreachable = true, lost.get })
	n.apply()
	n.expect(n.round(), "", "")
	const path = "path ipv4-unicast 172.24.4.92/32"
	for range 2 {
		lost.set("172.24.4.92")
		n.expect(n.round(), "delete "+path, "")
		n.expect(n.round(), "", "")
		lost.set()
		n.expect(n.round(), "create "+path, "")
		n.expect(n.round(), "", "")
	}

	// What others undo meanwhile is put back, too.
	lost.set("172.24.4.92")
	n.expect(n.round(), "delete "+path, "")
	lost.set()
	n.expect(n.round(), "create "+path, "")
	if mine, err := n.line("speaker restarts"); !mine || err != nil {
		t.Fatal(mine, err)
	}
	n.expect(n.round(), "create "+path, "")

	// A row that names another address while the path is withdrawn is a change.
	lost.set("172.24.4.92")
	n.expect(n.round(), "delete "+path, "")
	if err := n.story.Tell(`set vmP mac "fa:16:3e:15:9e:f0 172.24.4.93"`); err != nil {
		t.Fatal(err)
	}
	lost.set()
	const route, route93, path93 = "route 172.24.4.92/32 table 201 metric 0", "route 172.24.4.93/32 table 201 metric 0",
		"path ipv4-unicast 172.24.4.93/32"
	n.expect(n.round(), "", "create "+route93+"\ncreate "+path93+"\ndelete "+route)
}

// TestAppliedPlanIsTheControllers: whatever happens, the steps that an operator applies are
// those that a controller takes by itself, and lead to the same world.
func TestAppliedPlanIsTheControllers(t *testing.T) {
	events := []string{
		newVM, "drop vmP", "set vmP chassis cmp-2", "set vmP chassis cmp-1", `set vmP mac "fa:16:3e:15:9e:f0 172.24.4.93"`,
		"world - route 172.24.4.92/32 table 201 metric 0 dev br-ex", "restart", "speaker restarts", "wait 1m",
	}
	rapid.Check(t, func(rt *rapid.T) {
		by, auto := reviewedNode(t, ""), reviewedNode(t, "")
		auto.tune = nil
		auto.start()
		defer by.db.Close()
		defer auto.db.Close()
		by.apply()
		auto.settle()
		for _, e := range rapid.SliceOfN(rapid.SampledFrom(events), 1, 4).Draw(rt, "events") {
			for _, n := range []*node{by, auto} {
				mine, err := n.line(e)
				if !mine && err == nil {
					_ = n.story.Tell(e) // of a port that is not there it says so
				}
			}
			want, err := by.c.Plan(t.Context(), true)
			if err != nil {
				rt.Fatal(err)
			}
			first := by.round() // what does not wait for anybody
			r := by.apply()
			did := slices.Concat(first.Plan.Ops, r.Plan.Ops)
			auto.settle()
			if got, want := sortedSteps(did), sortedSteps(want.Plan.Ops); got != want {
				rt.Fatalf("after %q applied\n%s\nplanned\n%s", e, got, want)
			}
			if got, want := printWorld(by, true), printWorld(auto, true); got != want {
				rt.Fatalf("after %q\n%s\nthe controller by itself has\n%s", e, got, want)
			}
		}
	})
}

func sortedSteps(ops []plan.Op) string {
	lines := strings.Split(stepTexts(ops), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestSplit: what needs a step that waits waits, too, and so does what needs its room.
func TestSplit(t *testing.T) {
	v := parse(t,
		"route 10.0.0.1/32 table 201 metric 0 dev br-ex", "path ipv4-unicast 10.0.0.1/32 next-hop self origin igp",
		"path ipv4-unicast 10.0.0.2/32 next-hop self origin igp",
		"rule inet priority 32000 lookup 201 suppress_prefixlength 0")
	route, path, other, room := v[0], v[1], v[2], v[3]
	ops := []plan.Op{
		{Verb: plan.Create, Phase: plan.Build, After: route},
		{Verb: plan.Create, Phase: plan.Build, After: path, Needs: []object.Key{route.Key()}},
		{Verb: plan.Create, Phase: plan.Build, After: other},
	}
	except := func(k object.Key) func(plan.Op) bool {
		return func(op plan.Op) bool { return op.Key() != k }
	}
	now, later := plan.Split(ops, except(route.Key()))
	if got := stepTexts(now); got != "create path ipv4-unicast 10.0.0.2/32" || len(later) != 2 {
		t.Errorf("taken now: %s; later: %s", got, stepTexts(later))
	}
	clear := plan.Op{Verb: plan.Delete, Phase: plan.Clear, Before: room}
	withdraw := plan.Op{Verb: plan.Delete, Phase: plan.Withdraw, Before: path}
	now, _ = plan.Split(append([]plan.Op{withdraw, clear}, ops[2]), except(room.Key()))
	if got := stepTexts(now); got != "delete path ipv4-unicast 10.0.0.1/32" {
		t.Errorf("while room has to be made: %s", got)
	}
	if now, later := plan.Split(ops, func(plan.Op) bool { return true }); len(now) != 3 || later != nil {
		t.Errorf("%d and %d steps, want all and none", len(now), len(later))
	}
}
