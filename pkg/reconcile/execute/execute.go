// Package execute applies a plan: journal, steps in batches, journal. It is the
// only code that writes to backends, for the controller's loop and for `bgp-ovn
// adopt` alike.
//
// It refuses to decide anything: what is to be done and in which order is the
// plan's, when a failed step is tried again is the caller's.
//
// Read next: package plan for the order, then batch in this file.
package execute

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// StepError is a step that failed.
type StepError struct {
	Op  plan.Op
	Err error
}

// Error names the step and what went wrong.
func (e *StepError) Error() string {
	return e.Op.Verb.String() + " " + e.Op.Key().Text() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// BlockedError is a step that was not tried because another one failed.
type BlockedError struct{ By object.Key }

// Error names the step that failed first.
func (e *BlockedError) Error() string { return "not tried: " + e.By.Text() + " failed first" }

// Untouched is true: see object.IsUntouched.
func (e *BlockedError) Untouched() bool { return true }

// Journal records what is about to be done, so that the next process knows what this one
// may have touched. state.DB is the real one.
type Journal interface {
	// Begin is called with a plan that is not empty: before its first step, or beside its steps if all
	// that they make is born with a mark.
	Begin(p plan.Plan) error
	// End is called after the last step with one outcome a step.
	End(p plan.Plan, outcomes []error, took time.Duration) error
}

// Backends finds the backend that holds a kind. actual.Reader is the real one.
type Backends interface {
	Of(k object.Kind) (actual.Backend, bool)
}

// Executor applies plans. It keeps nothing between two of them.
type Executor struct {
	Backends Backends
	Journal  Journal
	// Now is the clock by which the journal is told how long it took.
	Now func() time.Time
	// StopAtFailure ends a plan with the batch in which a step failed: for plans
	// in which each step makes the next one safe. Otherwise a failed step keeps
	// back the steps that need it, and no others.
	StopAtFailure bool
}

// Result is how a plan went.
type Result struct {
	// Outcomes has one element a step; nil is success.
	Outcomes []error
	// Applied is how long the backends took. The journal's part is not in it.
	Applied time.Duration
	// JournalErr says that the plan or its outcome could not be recorded.
	JournalErr error
}

// Failed returns one StepError for each step of p that was tried and failed.
func (r Result) Failed(p plan.Plan) []error {
	var out []error
	for i, err := range r.Outcomes {
		if _, blocked := AsBlocked(err); err != nil && !blocked {
			out = append(out, &StepError{Op: p.Ops[i], Err: err})
		}
	}
	return out
}

// AsBlocked reports whether the outcome of a step is that it was not tried.
func AsBlocked(outcome error) (*BlockedError, bool) {
	b, ok := outcome.(*BlockedError) //nolint:errorlint // made here and never wrapped
	return b, ok
}

// Run applies the plan between two entries of the journal. A plan that could not
// be recorded is applied as far as what it makes carries a mark: of the rest
// nobody could tell later whose it is. With StopAtFailure none of it is applied.
//
// Where all that a plan makes is born with a mark, as that of an address that comes or goes, it is
// recorded while it is applied: traffic does not wait for the disk.
func (e Executor) Run(ctx context.Context, p plan.Plan) Result {
	began := e.Now()
	x := run{Executor: e, ops: p.Ops, outcomes: make([]error, len(p.Ops)), failed: map[object.Key]bool{}}
	recorded := make(chan error, 1)
	if x.waitsForRecord() {
		x.unrecorded = e.Journal.Begin(p)
		recorded <- x.unrecorded
	} else {
		go func() { recorded <- e.Journal.Begin(p) }()
	}
	for start := 0; start < len(p.Ops); {
		start = x.batch(ctx, start)
	}
	took := e.Now().Sub(began)
	err := <-recorded
	return Result{
		Outcomes: x.outcomes, Applied: took, JournalErr: errors.Join(err, e.Journal.End(p, x.outcomes, took)),
	}
}

// run is the execution of one plan.
type run struct {
	Executor
	ops      []plan.Op
	outcomes []error
	failed   map[object.Key]bool
	// unrecorded is why the plan could not be recorded; nil if it was.
	unrecorded error
	// first is the first step that failed.
	first *object.Key
	// announced is the first withdrawal that failed: then nothing that traffic
	// may still be sent to is dismantled.
	announced *object.Key
}

// batch executes the longest run of steps from start that one backend can take
// at once and returns the index after it. Steps of a batch do not need each
// other.
func (x *run) batch(ctx context.Context, start int) int {
	first := x.ops[start]
	backend, ok := x.Backends.Of(first.Key().Kind)
	if !ok {
		x.fail(start, fmt.Errorf("no backend holds kind %s", first.Key().Kind))
		return start + 1
	}
	var index []int
	var changes []object.Change
	in := map[object.Key]bool{}
	end := start
	for ; end < len(x.ops) && sameBatch(first, x.ops[end]) && !needsAny(x.ops[end], in); end++ {
		op := x.ops[end]
		if err := x.forbidden(op); err != nil {
			x.fail(end, err)
			continue
		}
		in[op.Key()] = true
		index = append(index, end)
		changes = append(changes, op.Change())
	}
	if err := ctx.Err(); err != nil {
		for _, i := range index {
			x.fail(i, err)
		}
		return end
	}
	if len(changes) > 0 {
		for n, err := range backend.Apply(ctx, changes) {
			if err != nil {
				x.fail(index[n], err)
			}
		}
	}
	return end
}

func sameBatch(a, b plan.Op) bool {
	return a.Phase == b.Phase && a.Key().Kind == b.Key().Kind
}

// needsAny reports whether the step needs one that is in the batch already.
func needsAny(op plan.Op, in map[object.Key]bool) bool {
	for _, need := range op.Needs {
		if in[need] {
			return true
		}
	}
	return false
}

func (x *run) fail(i int, err error) {
	op := x.ops[i]
	k := op.Key()
	x.outcomes[i] = err
	x.failed[k] = true
	if x.first == nil {
		x.first = &k
	}
	if op.Phase == plan.Withdraw && x.announced == nil {
		x.announced = &k
	}
}

// Unrecorded begins the reason of a step that is not taken because the state file cannot be
// written: what it makes bears no mark, and nothing would prove it ours.
const Unrecorded = "not tried without the state file"

// waitsForRecord reports whether a step must not be tried before the plan is recorded.
func (x *run) waitsForRecord() bool {
	return x.StopAtFailure || slices.ContainsFunc(x.ops, func(op plan.Op) bool {
		return op.Phase == plan.Build && !op.Key().IsBornMarked()
	})
}

// forbidden is why a step must not be tried; nil if it may be.
func (x *run) forbidden(op plan.Op) error {
	if by, no := x.blocked(op); no {
		return &BlockedError{By: by}
	}
	unmarked := op.Phase == plan.Build && !op.Key().HasMark()
	if x.unrecorded != nil && (unmarked || x.StopAtFailure) {
		return object.Untouched(fmt.Errorf(Unrecorded+": %w", x.unrecorded))
	}
	return nil
}

// blocked names the failed step that this one must not follow.
func (x *run) blocked(op plan.Op) (object.Key, bool) {
	if x.first != nil && x.StopAtFailure {
		return *x.first, true
	}
	for _, need := range op.Needs {
		if x.failed[need] {
			return need, true
		}
	}
	if x.announced != nil && (op.Phase == plan.Dismantle || op.Phase == plan.Clear) && !op.Evicts() {
		return *x.announced, true
	}
	if op.Phase == plan.Build && x.failed[op.Key()] {
		return op.Key(), true // its delete, the first half of a replacement, failed
	}
	return object.Key{}, false
}
