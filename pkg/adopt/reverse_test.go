package adopt

import (
	"errors"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// handedOver is a node that was taken over, in the state in which the controller has
// been stopped.
func handedOver(t *testing.T) *machine {
	t.Helper()
	m := fullMachine(t)
	m.settle()
	return m
}

func (m *machine) planBack() plan.Plan {
	m.t.Helper()
	p, err := m.node().PlanReverse(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// giveBack hands the node back and demands that a second run has nothing to do.
func (m *machine) giveBack() {
	m.t.Helper()
	for range 2 {
		p := m.planBack()
		res := m.node().ExecuteReverse(m.t.Context(), p, m.db)
		if err := errors.Join(append(res.Failed(p), res.JournalErr)...); err != nil {
			m.t.Fatal(err)
		}
	}
	if p := m.planBack(); !p.Empty() {
		m.t.Fatalf("a third run has something to do:\n%s", p)
	}
}

// TestHandBack: each destination has its rule before ours goes, nothing is ours in the
// end, and what there is can be taken over again.
func TestHandBack(t *testing.T) {
	m := handedOver(t)
	before, taken := m.String(), m.world.String()
	const want = `~ link    br-ex.100  type vlan parent br-ex id 100 up -> type vlan parent br-ex id 100 up without alias
~ route   10.0.0.0/26 table 77 metric 0  dev br-ex via 172.24.4.70 -> dev br-ex via 172.24.4.70 proto boot
~ route   172.24.4.70/32 table 77 metric 0  dev br-ex -> dev br-ex proto boot
~ route   2001:db8:4::70/128 table 77 metric 1024  dev br-ex -> dev br-ex proto boot
+ rule    inet to 10.0.0.0/26 priority 32000 lookup 77
+ rule    inet to 172.24.4.70/32 priority 32000 lookup 77
+ rule    inet6 to 2001:db8:4::70/128 priority 32000 lookup 77
- rule    inet priority 32000 lookup 77 suppress_prefixlength 0
- rule    inet6 priority 32000 lookup 77 suppress_prefixlength 0
3 to create, 4 to update, 2 to delete`
	if got := strings.ReplaceAll(steps(m.planBack()), "  ("+noteHandedBack+")", ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if m.String() != before {
		t.Error("planning has changed something")
	}
	m.giveBack()
	for _, kind := range object.Kinds() {
		if keys := m.db.Keys(kind); len(keys) > 0 {
			t.Errorf("the ledger still has %v", keys)
		}
	}
	m.start() // what the journal has can be read
	m.settle()
	if got := m.world.String(); got != taken {
		t.Errorf("taken over again it is\n%s\nwant\n%s", got, taken)
	}
}

// TestHandBackInterrupted: wherever the process dies or a step fails, each guest has a
// rule that leads to its route, and running it again ends where an uninterrupted one
// does.
func TestHandBackInterrupted(t *testing.T) {
	whole := handedOver(t)
	first := whole.planBack()
	whole.giveBack()
	want := whole.world.String()
	for i, op := range first.Ops {
		for _, crash := range []bool{false, true} {
			m := handedOver(t)
			p, done := m.planBack(), 0
			m.world.StopOn(func(object.Change) error {
				if done++; done > i && (crash || done == i+1) {
					return errBusy
				}
				return nil
			})
			res := m.node().ExecuteReverse(t.Context(), p, m.db)
			if len(res.Failed(p)) == 0 {
				t.Fatalf("%s did not fail", op)
			}
			m.world.StopOn(nil)
			if crash {
				m.start()
			}
			for _, addr := range []string{"inet to 172.24.4.70/32", "inet6 to 2001:db8:4::70/128"} {
				family, dst, _ := strings.Cut(addr, " to ")
				got := m.world.String()
				ruled := strings.Contains(got, "rule "+addr) ||
					strings.Contains(got, "rule "+family+" priority 32000 lookup 77 suppress_prefixlength 0\n")
				if !ruled || !strings.Contains(got, "route "+dst+" table 77") {
					t.Errorf("%s failed, and nothing leads to %s:\n%s", op, dst, got)
				}
			}
			m.giveBack()
			if got := m.world.String(); got != want {
				t.Errorf("%s failed: got\n%s\nwant\n%s", op, got, want)
			}
		}
	}
	if len(first.Ops) < 9 {
		t.Errorf("only %d steps:\n%s", len(first.Ops), first)
	}
}

// TestHandBackOfOthers: what belongs to no provider bridge stays and is named, and of
// others nothing is touched.
func TestHandBackOfOthers(t *testing.T) {
	m := handedOver(t)
	m.world.Set(true, setOf(t, "route 0.0.0.0/0 table 254 metric 98  dev eth0 via 192.0.2.1").Sorted()[0].Value)
	p := m.planBack()
	if got := p.String(); !strings.Contains(got, "! route   0.0.0.0/0 table 254 metric 98  left-alone: ") ||
		strings.Contains(got, "lookup 56") || strings.Contains(got, "lookup 55") || strings.Contains(got, "198.18.0.0/16") {
		t.Errorf("got\n%s", got)
	}
}
