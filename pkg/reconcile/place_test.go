package reconcile

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestMovesAreTold: of an address that goes to another chassis the history says where to,
// of one that comes back where from, each with the row that decided.
func TestMovesAreTold(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	moves := func() (out []history.Step) {
		t.Helper()
		past, err := n.db.History(history.Filter{Target: "172.24.4.92", Cause: plan.CauseChange})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range past.Steps {
			if step.Moves() {
				out = append(out, step)
			}
		}
		return out
	}
	happen(t, s, []*node{n}, "set vmP chassis cmp-2")
	n.settle()
	got := moves()
	if len(got) != 1 || got[0].From != history.Here || got[0].To != "cmp-2.example" ||
		got[0].Row == nil || got[0].Row.Table != "Port_Binding" {
		t.Fatalf("it went to cmp-2: got %+v", got)
	}
	happen(t, s, []*node{n}, "set vmP chassis cmp-1")
	n.settle()
	if got = moves(); len(got) != 2 || got[1].From != "cmp-2.example" || got[1].To != history.Here {
		t.Errorf("it came back: got %+v", got)
	}
	happen(t, s, []*node{n}, "drop vmP")
	n.settle()
	if got = moves(); len(got) != 2 {
		t.Errorf("it ended: got %+v", got[2:])
	}
}
