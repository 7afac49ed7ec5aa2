// Package harness is what all tests on real systems share: waiting for a state,
// building the program under test once, network namespaces with a name, programs
// that run in them, and ending a test on an error.
//
// Nothing here judges how long something takes. A deadline is there so that a
// test which waits in vain says so; on a machine that has other work it is later
// (see [Slowness]).
package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Patience bounds a wait whose context has no deadline, on an idle machine.
const Patience = 60 * time.Second

// A state for which no event exists is looked at often at first and less often
// later: each look may be a process, on a machine that has other work.
const (
	pollFirst = 5 * time.Millisecond
	pollLast  = 100 * time.Millisecond
)

// SlownessVariable tells a process how slow the machine below it is. A guest
// cannot see that: it has a load average of its own.
const SlownessVariable = "E2E_SLOWNESS"

// slowest bounds the factor, so that a test that waits in vain still ends.
const slowest = 8

// Slowness is by how much deadlines are later than on an idle machine: the number
// of processes that want a processor, for each processor there is. It is between
// 1 and 8.
func Slowness() float64 {
	slow, _ := strconv.ParseFloat(os.Getenv(SlownessVariable), 64) // 0 if it is not set
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		word, _, _ := strings.Cut(string(text), " ")
		if load, err := strconv.ParseFloat(word, 64); err == nil {
			slow = max(slow, load/float64(runtime.NumCPU()))
		}
	}
	return min(max(slow, 1), slowest)
}

// Scaled is a duration of an idle machine on this one.
func Scaled(d time.Duration) time.Duration { return time.Duration(float64(d) * Slowness()) }

// WithTimeout is context.WithTimeout for a duration of an idle machine.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, Scaled(d))
}

// WithPatience gives ctx a deadline if it has none.
func WithPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return WithTimeout(ctx, Patience)
}

// Await asks ready at once and then again and again until it reports true, and
// returns the error that came with that. An error that comes with false is the
// reason given when time is up.
func Await(ctx context.Context, what string, ready func(context.Context) (bool, error)) error {
	ctx, cancel := WithPatience(ctx)
	defer cancel()
	began := time.Now()
	for pause := pollFirst; ; pause = min(2*pause, pollLast) {
		done, err := ready(ctx)
		if done {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			waited := time.Since(began).Round(time.Millisecond)
			return errors.Join(fmt.Errorf("wait for %s: %w after %s", what, ctx.Err(), waited), err)
		}
	}
}

// Until is Await for a condition that cannot fail.
func Until(ctx context.Context, what string, holds func() bool) error {
	return Await(ctx, what, func(context.Context) (bool, error) { return holds(), nil })
}
