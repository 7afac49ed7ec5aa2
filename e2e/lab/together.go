package lab

import (
	"context"
	"errors"
	"sync"
)

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
