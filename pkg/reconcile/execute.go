package reconcile

import (
	"context"
	"errors"
	"fmt"
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

// BlockedError is a step that was not tried because one that it needs failed.
type BlockedError struct{ By object.Key }

// Error names the step that failed first.
func (e *BlockedError) Error() string { return "not tried: " + e.By.Text() + " failed first" }

// execute applies the plan: journal, batches, journal. A failed step fails the
// steps that need it and no others. The error is the journal's; outcomes of
// steps are in the second result.
func (c *Controller) execute(ctx context.Context, p plan.Plan) (outcomes []error, err error) {
	if len(p.Ops)+len(p.Forget) > 0 {
		c.ownedKeys = nil
	}
	if p.Empty() {
		return nil, c.cfg.Journal.Forget(p.Forget)
	}
	began := c.cfg.Clock.Now()
	x := executor{reader: c.cfg.Backends, ops: p.Ops, outcomes: make([]error, len(p.Ops)), failed: map[object.Key]bool{}}
	journal := c.cfg.Journal.Begin(p)
	x.unjournalled = journal
	for start := 0; start < len(p.Ops); {
		start = x.batch(ctx, start)
	}
	c.settle(p, x.outcomes, c.cfg.Clock.Now())
	c.applied = c.since(began)
	return x.outcomes, errors.Join(journal, c.cfg.Journal.End(p, x.outcomes, c.since(began)))
}

// settle remembers failures for the next rounds.
func (c *Controller) settle(p plan.Plan, outcomes []error, now time.Time) {
	for i, op := range p.Ops {
		var blocked *BlockedError
		switch err := outcomes[i]; {
		case err == nil:
			c.fails.clear(op.Key())
		case asBlocked(err, &blocked), errors.Is(err, context.Canceled):
			// It waits for the other key, or was never tried; a failure of its
			// own would delay it.
		default:
			after := op.After
			if op.Verb == plan.Restore {
				after = nil // a removal as far as waiting for another attempt goes
			}
			c.fails.add(op.Key(), after, err, now)
		}
	}
}

func asBlocked(err error, target **BlockedError) bool {
	b, ok := err.(*BlockedError) //nolint:errorlint // made here and never wrapped
	*target = b
	return ok
}

// executor runs the steps of one plan.
type executor struct {
	reader   *actual.Reader
	ops      []plan.Op
	outcomes []error
	failed   map[object.Key]bool
	// unjournalled is why the plan could not be recorded, if so.
	unjournalled error
	// stuck is the first withdrawal that failed: then nothing that traffic may
	// still be sent to is dismantled.
	stuck *object.Key
}

// batch executes the longest run of steps from start that one backend can take
// at once and returns the index after it. Steps of a batch do not need each
// other.
func (x *executor) batch(ctx context.Context, start int) int {
	first := x.ops[start]
	backend, ok := x.reader.Of(first.Key().Kind)
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
		if x.unjournalled != nil && op.Phase == plan.Build && !op.Key().Kind.HasMark() {
			// Nobody could tell later that it is ours.
			x.fail(end, fmt.Errorf("not tried without the state file: %w", x.unjournalled))
			continue
		}
		if by, no := x.blocked(op); no {
			x.fail(end, &BlockedError{By: by})
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

func (x *executor) fail(i int, err error) {
	op := x.ops[i]
	x.outcomes[i] = err
	x.failed[op.Key()] = true
	if op.Phase == plan.Withdraw && x.stuck == nil {
		k := op.Key()
		x.stuck = &k
	}
}

// blocked names the failed step that this one must not follow.
func (x *executor) blocked(op plan.Op) (object.Key, bool) {
	for _, need := range op.Needs {
		if x.failed[need] {
			return need, true
		}
	}
	if x.stuck != nil && (op.Phase == plan.Dismantle || op.Phase == plan.Clear) {
		return *x.stuck, true
	}
	if op.Phase == plan.Build && x.failed[op.Key()] {
		return op.Key(), true // its delete, the first half of a replacement, failed
	}
	return object.Key{}, false
}
