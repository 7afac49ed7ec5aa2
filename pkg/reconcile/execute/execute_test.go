package execute

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

var errBusy = errors.New("busy")

// journal is one in memory; begin and end are what it answers.
type journal struct {
	begin, end error
	calls      []string
	outcomes   []error
	took       time.Duration
}

func (j *journal) Begin(plan.Plan) error {
	j.calls = append(j.calls, "begin")
	return j.begin
}

func (j *journal) End(_ plan.Plan, outcomes []error, took time.Duration) error {
	j.calls, j.outcomes, j.took = append(j.calls, "end"), outcomes, took
	return j.end
}

// clock returns times that are a second apart.
func clock() func() time.Time {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func executor(t *testing.T, j Journal, backends ...actual.Backend) Executor {
	t.Helper()
	reader, err := actual.NewReader(backends...)
	if err != nil {
		t.Fatal(err)
	}
	return Executor{Backends: reader, Journal: j, Now: clock()}
}

func world(values ...object.Value) *model.World {
	w := model.New()
	w.Set(false, object.Device{Name: "br-ex", Up: true})
	w.Set(true, values...)
	return w
}

func parse(t *testing.T, lines ...string) []object.Value {
	t.Helper()
	var out []object.Value
	for _, line := range lines {
		v, err := object.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func diff(t *testing.T, w *model.World, items ...object.Item) plan.Plan {
	t.Helper()
	var want object.Set
	for _, it := range items {
		if err := want.Add(it); err != nil {
			t.Fatal(err)
		}
	}
	have, err := w.Read(t.Context(), actual.Focus{})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Diff(plan.Input{Want: want, Have: have, Ledger: plan.NoLedger{}})
}

// outcomes are those of the plan, by key.
func outcomes(t *testing.T, w *model.World, p plan.Plan) map[object.Key]error {
	t.Helper()
	res := executor(t, &journal{}, w).Run(t.Context(), p)
	if res.JournalErr != nil {
		t.Fatal(res.JournalErr)
	}
	out := map[object.Key]error{}
	for i, err := range res.Outcomes {
		out[p.Ops[i].Key()] = err
	}
	return out
}

// TestFailedStepBlocksWhatNeedsIt by name, and nothing else.
func TestFailedStepBlocksWhatNeedsIt(t *testing.T) {
	v := parse(t,
		"route 10.0.0.1/32 table 201 metric 0 dev br-ex", "path ipv4-unicast 10.0.0.1/32 next-hop self origin igp",
		"route 10.0.0.2/32 table 201 metric 0 dev br-ex", "path ipv4-unicast 10.0.0.2/32 next-hop self origin igp")
	w := world()
	w.FailNext(v[0].Key(), errBusy)
	got := outcomes(t, w, diff(t, w,
		object.Item{Value: v[0]}, object.Item{Value: v[1], After: []object.Key{v[0].Key()}},
		object.Item{Value: v[2]}, object.Item{Value: v[3], After: []object.Key{v[2].Key()}}))
	if blocked, ok := AsBlocked(got[v[1].Key()]); !ok || blocked.By != v[0].Key() {
		t.Errorf("the path: got %v, want it blocked by its route", got[v[1].Key()])
	}
	if !errors.Is(got[v[0].Key()], errBusy) || got[v[2].Key()] != nil || got[v[3].Key()] != nil {
		t.Errorf("got %v, want only the first route and its path to fail", got)
	}
}

// TestFailedWithdrawalStopsDismantling: what is still announced is still
// forwarded; building goes on.
func TestFailedWithdrawalStopsDismantling(t *testing.T) {
	v := parse(t,
		"route 10.0.0.1/32 table 201 metric 0 dev br-ex", "path ipv4-unicast 10.0.0.1/32 next-hop self origin igp")
	fresh := parse(t, "route 10.0.0.9/32 table 201 metric 0 dev br-ex")[0]
	w := world(v...)
	w.FailNext(v[1].Key(), errBusy)
	outcomes(t, w, diff(t, w, object.Item{Value: fresh}))
	for _, line := range []string{"route 10.0.0.1/32", "path ipv4-unicast 10.0.0.1/32", "route 10.0.0.9/32"} {
		if !strings.Contains(w.String(), line) {
			t.Errorf("%s is missing:\n%s", line, w)
		}
	}
}

// TestFailedHalfOfReplacement: a link that could not be deleted is not created.
func TestFailedHalfOfReplacement(t *testing.T) {
	v := parse(t, "link br-ex.7 type vlan parent br-ex id 7 up", "link br-ex.7 type vlan parent br-ex id 8 up")
	w := world(v[0])
	w.FailNext(v[0].Key(), errBusy)
	p := diff(t, w, object.Item{Value: v[1]})
	res := executor(t, &journal{}, w).Run(t.Context(), p)
	if len(res.Outcomes) != 2 || !errors.Is(res.Outcomes[0], errBusy) {
		t.Fatalf("got %v, want a failed delete and a blocked create", res.Outcomes)
	}
	if _, blocked := AsBlocked(res.Outcomes[1]); !blocked {
		t.Errorf("got %v, want the create blocked", res.Outcomes[1])
	}
	failed := res.Failed(p)
	if len(failed) != 1 || failed[0].Error() != "delete link br-ex.7: busy" || !errors.Is(failed[0], errBusy) {
		t.Errorf("got %v, want the step that was tried", failed)
	}
}

// TestStopAtFailure: nothing after the batch of the first failure is tried, and
// each step that was not says what failed.
func TestStopAtFailure(t *testing.T) {
	v := parse(t, "address 169.254.1.1/32 dev br-ex", "route 10.0.0.1/32 table 201 metric 0 dev br-ex",
		"route 10.0.0.2/32 table 201 metric 0 dev br-ex", "rule inet priority 32000 lookup 201 suppress_prefixlength 0")
	w := world()
	w.FailNext(v[1].Key(), errBusy)
	var items []object.Item
	for _, value := range v {
		items = append(items, object.Item{Value: value})
	}
	p := diff(t, w, items...)
	x := executor(t, &journal{}, w)
	x.StopAtFailure = true
	res := x.Run(t.Context(), p)
	if blocked, ok := AsBlocked(res.Outcomes[3]); !ok || blocked.By != v[1].Key() {
		t.Errorf("got %v, want the rule blocked by the first route", res.Outcomes)
	}
	got := w.String()
	if strings.Contains(got, "rule") || !strings.Contains(got, "address") || !strings.Contains(got, "10.0.0.2") {
		t.Errorf("got\n%s\nwant what comes before the failure and the rest of its batch", got)
	}
	if failed := res.Failed(p); len(failed) != 1 {
		t.Errorf("got %v, want one failure", failed)
	}
}

// TestUnrecordedPlan: without the state file only what carries a mark is made, and
// nothing at all where the first failure ends the plan.
func TestUnrecordedPlan(t *testing.T) {
	v := parse(t, "address 169.254.1.1/32 dev br-ex", "route 10.0.0.1/32 table 201 metric 0 dev br-ex")
	for _, stop := range []bool{false, true} {
		w := world()
		p := diff(t, w, object.Item{Value: v[0]}, object.Item{Value: v[1]})
		j := &journal{begin: errBusy}
		x := executor(t, j, w)
		x.StopAtFailure = stop
		res := x.Run(t.Context(), p)
		if !errors.Is(res.JournalErr, errBusy) || !errors.Is(res.Outcomes[0], errBusy) || len(res.Failed(p)) != 1 {
			t.Errorf("stop %t: got %v, %v", stop, res.Outcomes, res.JournalErr)
		}
		if got := w.String(); strings.Contains(got, "address") || strings.Contains(got, "route") == stop {
			t.Errorf("stop %t: got\n%s", stop, got)
		}
		if len(j.calls) != 2 || j.calls[1] != "end" {
			t.Errorf("stop %t: the journal was called %v", stop, j.calls)
		}
	}
}

// slowDisk is a journal that records a plan only once a step was applied.
type slowDisk struct {
	journal
	applied chan struct{}
	takes   time.Duration // at most
}

var errNotApplied = errors.New("no step is applied before this")

func (d *slowDisk) Begin(p plan.Plan) error {
	select {
	case <-d.applied:
		return d.journal.Begin(p)
	case <-time.After(d.takes):
		return errNotApplied
	}
}

// TestMarkedStepsDoNotWaitForTheDisk: what proves itself ours is applied while the plan is recorded, and
// nothing else is. What has been recorded is known before the outcome is.
func TestMarkedStepsDoNotWaitForTheDisk(t *testing.T) {
	v := parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex",
		"path ipv4-unicast 10.0.0.1/32 next-hop self origin igp", "address 169.254.1.1/32 dev br-ex",
		"link vrf-1 type vrf table 1 up")
	for _, tt := range []struct {
		name  string
		items []object.Item
		stop  bool
		want  error
	}{
		{"an address of a VM comes", []object.Item{{Value: v[0]}, {Value: v[1]}}, false, nil},
		{"something without a mark", []object.Item{{Value: v[0]}, {Value: v[2]}}, false, errNotApplied},
		{"a device, which gets its mark once it is there", []object.Item{{Value: v[0]}, {Value: v[3]}}, false, errNotApplied},
		{"each step makes the next one safe", []object.Item{{Value: v[0]}}, true, errNotApplied},
	} {
		w := world()
		d := &slowDisk{applied: make(chan struct{}), takes: time.Minute}
		if tt.want != nil { // the plan waits for the disk
			d.takes = 20 * time.Millisecond
		}
		w.StopOn(func(object.Change) error {
			select {
			case <-d.applied:
			default:
				close(d.applied)
			}
			return nil
		})
		x := executor(t, d, w)
		x.StopAtFailure = tt.stop
		res := x.Run(t.Context(), diff(t, w, tt.items...))
		if !errors.Is(res.JournalErr, tt.want) || tt.want == nil && strings.Join(d.calls, " ") != "begin end" {
			t.Errorf("%s: got %v, calls %v", tt.name, res.JournalErr, d.calls)
		}
	}
}

// TestOutcomeIsRecorded with how long the backends took; that it cannot be is no
// failure of a step.
func TestOutcomeIsRecorded(t *testing.T) {
	w := world()
	p := diff(t, w, object.Item{Value: parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex")[0]})
	j := &journal{end: errBusy}
	res := executor(t, j, w).Run(t.Context(), p)
	if !errors.Is(res.JournalErr, errBusy) || res.Outcomes[0] != nil {
		t.Errorf("got %+v", res)
	}
	if len(j.outcomes) != 1 || j.took != time.Second || res.Applied != j.took {
		t.Errorf("got %+v, and the journal %+v", res, j)
	}
}

func TestKindThatNobodyHolds(t *testing.T) {
	w := model.New(object.KindPath)
	rule := parse(t, "rule inet priority 32000 lookup 201 suppress_prefixlength 0")[0]
	p := plan.Plan{Ops: []plan.Op{{Verb: plan.Create, Phase: plan.Build, After: rule}}}
	res := executor(t, &journal{}, w).Run(t.Context(), p)
	if err := res.Outcomes[0]; err == nil || !strings.Contains(err.Error(), "no backend holds kind rule") {
		t.Errorf("got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	w := world()
	p := diff(t, w, object.Item{Value: parse(t, "route 10.0.0.1/32 table 201 metric 0 dev br-ex")[0]})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res := executor(t, &journal{}, w).Run(ctx, p); !errors.Is(res.Outcomes[0], context.Canceled) || w.Writes() != 0 {
		t.Errorf("got %v and %d writes", res.Outcomes, w.Writes())
	}
}
