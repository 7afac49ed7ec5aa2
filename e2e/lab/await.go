package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A state for which no event exists is looked at often at first and less often
// later: each look may be a process, on a machine that has other work.
const (
	pollFirst = 5 * time.Millisecond
	pollLast  = 100 * time.Millisecond
)

// withPatience gives ctx a deadline if it has none.
func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, patience)
}

// await asks ready at once and then again and again until it reports true, and
// returns the error that came with that. An error that comes with false is the
// reason given when time is up.
func await(ctx context.Context, what string, ready func(context.Context) (bool, error)) error {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	for pause := pollFirst; ; pause = min(2*pause, pollLast) {
		done, err := ready(ctx)
		if done {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for %s: %w", what, ctx.Err()), err)
		}
	}
}

// together runs all functions at once and joins their errors. The first error
// cancels the others, so that a start fails with its cause and not by time;
// what the cancelled ones say of it is dropped.
func together(ctx context.Context, fs []func(context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(fs))
	var wg sync.WaitGroup
	for i, f := range fs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := f(inner); err != nil && !(errors.Is(err, context.Canceled) && ctx.Err() == nil) {
				errs[i] = err
				cancel()
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}
