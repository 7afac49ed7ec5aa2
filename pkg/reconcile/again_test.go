package reconcile

import (
	"errors"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestMakeAgain: where changes are reviewed, what was deleted and nothing wants is made again, and
// stays until an operator approves that it goes. What is announced, what is wanted and what would
// cut the node off is not made. Where changes are automatic, nothing is.
func TestMakeAgain(t *testing.T) {
	why := object.Source{Table: "rollback", Row: "of round 41"}
	line := func(text string) object.Value {
		t.Helper()
		v, err := object.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	n := reviewedNode(t, newVM)
	n.apply()
	const wanted = "route 172.24.4.92/32 table 201 metric 0"
	if err := n.story.Tell("set vmP mac \"fa:16:3e:15:9e:f0\""); err != nil {
		t.Fatal(err)
	}
	n.apply() // the address has gone, and nothing wants it
	values := []object.Value{
		line(wanted + "  dev br-ex"), line(wanted + "  dev br-ex"),
		line("path ipv4-unicast 172.24.4.92/32  next-hop self origin igp"),
		line("route 172.24.4.0/24 table 254 metric 7  dev br-ex"),
	}
	outcomes, err := n.c.MakeAgain(t.Context(), values, why)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, false, true} {
		if (outcomes[i] == nil) != want {
			t.Errorf("%s: %v", values[i].Key().Text(), outcomes[i])
		}
	}
	waits := "delete " + wanted + "\ndelete route 172.24.4.0/24 table 254 metric 7"
	for range 2 {
		r := n.round()
		n.expect(r, "", waits)
		if ops := r.Review.Waiting; ops[0].Why[0] != why || ops[0].Cause == plan.CauseDrift {
			t.Errorf("it goes because of %v, %s", ops[0].Why, ops[0].Cause)
		}
	}
	if outcomes, err = n.c.MakeAgain(t.Context(), values[:1], why); err != nil || outcomes[0] == nil {
		t.Errorf("a second time: %v, %v", outcomes, err)
	}
	n.apply()
	n.expect(n.round(), "", "")

	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	automatic := newNode(t, "cmp-1", s, defaults(), nil)
	automatic.round()
	if _, err := automatic.c.MakeAgain(t.Context(), values[:1], why); !errors.Is(err, ErrAutomatic) {
		t.Errorf("got %v", err)
	}
}
