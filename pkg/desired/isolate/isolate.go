// Package isolate keeps a panic of one driver from ending the process: the others
// go on, and what the driver led to is held. It turns the panic into a value; what
// that means for objects and explanations is decided by its callers. It refuses to
// log: the stack is handed on to the loop, which does.
//
// Fatal errors of the Go runtime (stack overflow, out of memory, unsynchronised
// access to a map) are no panics and cannot be isolated.
//
// Read next: Exposer.Row in package expose for one row, Compute in package desired
// for a whole driver.
package isolate

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// depth bounds how many frames of a stack are kept.
const depth = 64

// Panic is a panic that was recovered from.
type Panic struct {
	// Value is the text of what was passed to panic, in one line.
	Value string
	// At is where it happened, such as "bgp/tenant.go:75"; empty if that cannot be
	// told.
	At string
	// pcs are the callers, the innermost first.
	pcs []uintptr
}

// String reads "runtime error: index out of range [0] with length 0 at bgp/tenant.go:75".
func (p *Panic) String() string {
	if p.At == "" {
		return p.Value
	}
	return p.Value + " at " + p.At
}

// Stack prints the stack of the panic, two lines a frame as the Go runtime does, but
// without addresses and arguments: it is the same each time.
func (p *Panic) Stack() string {
	var b strings.Builder
	p.frames(func(f runtime.Frame) bool {
		fmt.Fprintf(&b, "%s()\n\t%s:%d\n", f.Function, f.File, f.Line)
		return true
	})
	return b.String()
}

// frames yields the frames between Run and the panic, the innermost first, without
// those of the runtime's own that only carry it out. Who has called Run does not
// matter: the loop and a dry run meet the same defect.
func (p *Panic) frames(yield func(runtime.Frame) bool) {
	frames := runtime.CallersFrames(p.pcs)
	panicking, outside := false, false
	for {
		f, more := frames.Next()
		panicking = panicking || f.Function == "runtime.gopanic"
		outside = outside || panicking && !strings.HasPrefix(f.Function, "runtime.")
		if outside && (strings.HasSuffix(f.Function, "/isolate.Run") || !yield(f)) || !more {
			return
		}
	}
}

// Run calls f and returns its panic; nil if it returned normally.
func Run(f func()) (p *Panic) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		// The stack of the panic is still below this deferred function.
		pcs := make([]uintptr, depth)
		p = &Panic{Value: valueText(v), pcs: pcs[:runtime.Callers(0, pcs)]}
		p.frames(func(f runtime.Frame) bool {
			dir, file := path.Split(f.File)
			p.At = fmt.Sprintf("%s:%d", path.Join(path.Base(dir), file), f.Line)
			return false
		})
	}()
	f()
	return nil
}

// valueText prints a panic's value in one line, which status and scripts rely on.
// Where the value is a driver's own type whose method panics too, package fmt
// recovers from that.
func valueText(v any) string { return strings.Join(strings.Fields(fmt.Sprint(v)), " ") }
