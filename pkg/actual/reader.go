package actual

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Reader reads all backends as one.
type Reader struct{ backends []Backend }

// NewReader returns a reader over backends, whose kinds must be disjoint.
func NewReader(backends ...Backend) (*Reader, error) {
	seen := map[object.Kind]string{}
	for _, b := range backends {
		for _, k := range b.Kinds() {
			if other, taken := seen[k]; taken {
				return nil, fmt.Errorf("backends %s and %s both hold kind %s", other, b.Name(), k)
			}
			seen[k] = b.Name()
		}
	}
	return &Reader{backends}, nil
}

// Backends returns what it reads.
func (r *Reader) Backends() []Backend { return r.backends }

// Of returns the backend that holds a kind.
func (r *Reader) Of(k object.Kind) (Backend, bool) {
	for _, b := range r.backends {
		if slices.Contains(b.Kinds(), k) {
			return b, true
		}
	}
	return nil, false
}

// Read returns the union of what the backends hold. A backend that cannot be
// read leaves its kinds out, and the error, which lists all such backends,
// names them: nothing of those kinds may be planned.
func (r *Reader) Read(ctx context.Context, f Focus) (have object.Set, unread []object.Kind, err error) {
	errs := &multierror.Error{ErrorFormat: joined}
	sets := make([]object.Set, 0, len(r.backends))
	for _, b := range r.backends {
		s, err := b.Read(ctx, f)
		if err != nil {
			errs = multierror.Append(errs, &ReadError{Backend: b.Name(), Err: err})
			unread = append(unread, b.Kinds()...)
			continue
		}
		sets = append(sets, s)
	}
	return object.Union(sets...), unread, errs.ErrorOrNil()
}

// ReadError says which backend could not be read, and why.
type ReadError struct {
	Backend string
	Err     error
}

// Error reads "read kernel: ...".
func (e *ReadError) Error() string { return "read " + e.Backend + ": " + e.Err.Error() }

// Unwrap returns why.
func (e *ReadError) Unwrap() error { return e.Err }

// joined prints several errors in one line: the library's default is a bulleted
// list, which breaks logs.
func joined(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Close closes every backend and returns what went wrong.
func (r *Reader) Close() error {
	errs := &multierror.Error{ErrorFormat: joined}
	for _, b := range r.backends {
		if err := b.Close(); err != nil {
			errs = multierror.Append(errs, fmt.Errorf("close %s: %w", b.Name(), err))
		}
	}
	return errs.ErrorOrNil()
}
