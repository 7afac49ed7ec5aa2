package harness

import (
	"context"
	"testing"
	"time"
)

// Must stops the test on an error and otherwise passes the value on:
//
//	vm := harness.Must(c.PlugVM(ctx, port))(t)
func Must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Check stops the test on an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Context ends with the test, or when a machine as busy as this one has had d.
func Context(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// AtEnd does something after the test, when the test's own context is over.
func AtEnd(t testing.TB, do func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := WithTimeout(context.WithoutCancel(t.Context()), Patience)
		defer cancel()
		Check(t, do(ctx))
	})
}

// Eventually waits until missing has nothing to say any more, and stops the test
// with what it said last.
func Eventually(t testing.TB, d time.Duration, missing func() string) {
	t.Helper()
	last := ""
	holds := func() bool {
		last = missing()
		return last == ""
	}
	ctx, cancel := WithTimeout(context.WithoutCancel(t.Context()), d)
	defer cancel()
	if Until(ctx, "what the test asks", holds) != nil {
		t.Fatalf("after %s: %s", Scaled(d).Round(time.Second), last)
	}
}
