package object

import "errors"

// Untouched returns err, marked as proof that the change has made nothing: it was not tried, or
// the system refused it as a whole, because an object of another owner is there for instance.
// After any other error what was to be made may be there, and be ours. Nil stays nil.
func Untouched(err error) error {
	if err == nil {
		return nil
	}
	return &untouched{err}
}

// IsUntouched reports whether an error, or one that it wraps, is such a proof: it has a method
// Untouched that says so.
func IsUntouched(err error) bool {
	var proof interface{ Untouched() bool }
	return errors.As(err, &proof) && proof.Untouched()
}

type untouched struct{ err error }

// Error is that of the cause.
func (u *untouched) Error() string { return u.err.Error() }

// Unwrap returns the cause.
func (u *untouched) Unwrap() error { return u.err }

// Untouched is always true.
func (u *untouched) Untouched() bool { return true }
