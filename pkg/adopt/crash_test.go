package adopt

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// errCrash is what a process that has died answers.
var errCrash = errors.New("crash")

// TestFailureAtEveryStep: a step that fails is named, no step after its batch is
// tried, and running adopt again arrives where an uninterrupted one does.
func TestFailureAtEveryStep(t *testing.T) {
	whole := fullMachine(t)
	first, err := whole.node().Plan(t.Context(), whole.req)
	if err != nil {
		t.Fatal(err)
	}
	whole.settle()
	want := whole.String()
	failed := 0
	for i, op := range first.Ops {
		m := fullMachine(t)
		m.world.FailNext(op.Key(), errBusy)
		res := m.node().Execute(t.Context(), first, m.db)
		errs := res.Failed(first)
		if op.Note == noteTakenOver && !op.Key().Kind.HasMark() {
			if len(errs) > 0 {
				t.Errorf("%s was written", op)
			}
			continue // nothing is written that could fail
		}
		failed++
		if len(errs) != 1 || !errors.Is(errs[0], errBusy) || !strings.Contains(errs[0].Error(), op.Key().Text()) {
			t.Errorf("%s: got %v", op, errs)
		}
		notTried(t, first, i, res.Outcomes)
		m.settle()
		if got := m.String(); got != want {
			t.Errorf("%s failed: got\n%s\nwant\n%s", op, got, want)
		}
	}
	if failed < 10 {
		t.Errorf("only %d steps could fail:\n%s", failed, first)
	}
}

// notTried demands that all steps of other batches behind step i say which step
// failed first.
func notTried(t *testing.T, p plan.Plan, i int, outcomes []error) {
	t.Helper()
	for j := i + 1; j < len(p.Ops); j++ {
		if p.Ops[j].Phase == p.Ops[i].Phase && p.Ops[j].Key().Kind == p.Ops[i].Key().Kind {
			continue
		}
		if b, ok := execute.AsBlocked(outcomes[j]); !ok || b.By != p.Ops[i].Key() {
			t.Errorf("%s failed, and the outcome of %s is %v", p.Ops[i], p.Ops[j], outcomes[j])
		}
	}
}

// dying is the journal of a process that dies: at Begin or at End, each before or
// after its transaction.
type dying struct {
	execute.Journal
	at   string
	dead bool
}

func (d *dying) die(at string) bool {
	d.dead = d.dead || d.at == at
	return d.dead
}

func (d *dying) Begin(p plan.Plan) error {
	if d.die("before Begin") {
		return errCrash
	}
	err := d.Journal.Begin(p)
	if d.die("after Begin") {
		return errCrash
	}
	return err
}

func (d *dying) End(p plan.Plan, outcomes []error, took time.Duration) error {
	if d.die("before End") {
		return errCrash
	}
	err := d.Journal.End(p, outcomes, took)
	if d.die("after End") {
		return errCrash
	}
	return err
}

// TestCrashAtEveryStep: wherever the process dies, running adopt again arrives where
// an uninterrupted one does, and no packet of the node is led astray meanwhile.
func TestCrashAtEveryStep(t *testing.T) {
	whole := fullMachine(t)
	whole.settle()
	want, changes := whole.String(), whole.world.Writes()
	places := []string{"before Begin", "after Begin", "before End", "after End"}
	for i := range changes {
		places = append(places, fmt.Sprint("before change ", i))
	}
	for _, at := range places {
		m := fullMachine(t)
		m.dieIn(at)
		guarded(t, m, at)
		m.settle()
		if got := m.String(); got != want {
			t.Errorf("crash %s: got\n%s\nwant\n%s", at, got, want)
		}
	}
}

// dieIn runs adopt in a process that dies at a place, and starts the next process.
func (m *machine) dieIn(at string) {
	m.t.Helper()
	d, done := &dying{Journal: m.db, at: at}, 0
	m.world.StopOn(func(object.Change) error {
		if d.die(fmt.Sprint("before change ", done)) {
			return errCrash
		}
		done++
		return nil
	})
	p, err := m.node().Plan(m.t.Context(), m.req)
	if err != nil {
		m.t.Fatal(err)
	}
	res := m.node().Execute(m.t.Context(), p, d)
	if err := errors.Join(append(res.Failed(p), res.JournalErr)...); !errors.Is(err, errCrash) {
		m.t.Fatalf("got %v, want the crash %s", err, at)
	}
	m.world.StopOn(nil)
	m.start()
}

// guarded demands of every moment that no rule of ours leads to a table with the
// predecessor's default route, and that each wanted address has a rule that leads
// to a route for it.
func guarded(t *testing.T, m *machine, at string) {
	t.Helper()
	got := m.world.String()
	for family, route := range map[string]string{"inet ": "route 0.0.0.0/0 table 77", "inet6 ": "route ::/0 table 77"} {
		ours := "rule " + family + "priority 32000 lookup 77 suppress_prefixlength 0\n"
		if strings.Contains(got, ours) && strings.Contains(got, route) {
			t.Errorf("crash %s: all packets go to the bridge:\n%s", at, got)
		}
	}
	led := strings.Contains(got, "rule inet priority 32000 lookup 77 suppress_prefixlength 0\n")
	led = led || strings.Contains(got, "rule inet to 172.24.4.70/32")
	if !led || !strings.Contains(got, "route 172.24.4.70/32 table 77") {
		t.Errorf("crash %s: nothing leads to the guest:\n%s", at, got)
	}
}

// TestInterruptedTable: of a table that no file names, an interruption leaves at
// most routes that nothing leads to.
func TestInterruptedTable(t *testing.T) {
	scene := func() *machine {
		return newMachine(t, wantOne, haveOne, oldRule("172.24.4.70/32", 12), oldRule("172.24.4.71/32", 12),
			oldRoute(t, "route 0.0.0.0/0 table 12 metric 0  dev br-ex", 3),
			oldRoute(t, "route 172.24.4.70/32 table 12 metric 0  dev br-ex", 3))
	}
	whole := scene()
	whole.settle()
	if got := whole.world.String(); strings.Contains(got, " 12") {
		t.Errorf("table 12 is left:\n%s", got)
	}
	for i := range whole.world.Writes() {
		m := scene()
		m.dieIn(fmt.Sprint("before change ", i))
		m.settle()
		if got := m.world.String(); strings.Contains(got, "lookup 12") || !strings.Contains(got, "lookup 77") {
			t.Errorf("crash before change %d: got\n%s", i, got)
		}
	}
}
