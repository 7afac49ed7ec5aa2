package reconcile

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// forgetOpen makes the memory of the planner wrong: it takes what is not as wanted for done.
// Nothing in the product can do this, which is why the test reaches into the value.
func forgetOpen(t *testing.T, m *plan.Memory) {
	t.Helper()
	f := reflect.ValueOf(m).Elem().FieldByName("open")
	open := (*map[object.Key]bool)(unsafe.Pointer(f.UnsafeAddr()))
	if len(*open) == 0 {
		t.Fatal("nothing is open: the test would prove nothing")
	}
	clear(*open)
}

// TestMismatchIsFoundAndMended: a round that reads everything finds that the plan by what has
// changed is not that of everything, applies the latter, says so, and starts afresh.
func TestMismatchIsFoundAndMended(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	const route = "route 172.24.4.92/32 table 201 metric 0"
	var logged bytes.Buffer
	n := newNode(t, "cmp-1", s, defaults(), func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
	if err := n.touch("fail " + route + " dev br-ex"); err != nil {
		t.Fatal(err)
	}
	if r := n.round(); r.Mismatch || len(r.Failed()) == 0 {
		t.Fatalf("mismatch %t, failed %v", r.Mismatch, r.Failed())
	}
	n.clock.advance(retryMin)
	forgetOpen(t, &n.c.memory)
	r := n.round()
	if !r.Mismatch || !strings.Contains(r.Plan.String(), strings.TrimPrefix(route, "route ")) {
		t.Errorf("mismatch %t, plan\n%s", r.Mismatch, r.Plan)
	}
	if !strings.Contains(logged.String(), "a defect of bgp-ovn") {
		t.Errorf("the log does not say so:\n%s", logged.String())
	}
	n.settle()
	if r := n.round(); r.Mismatch || !r.Plan.Empty() {
		t.Errorf("afterwards: mismatch %t, plan\n%s", r.Mismatch, r.Plan)
	}
}
