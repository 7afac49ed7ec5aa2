package isolate_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/isolate"
)

// TestRun: a panic of any sort becomes one line that says what and where, and
// stays the same from one run to the next.
func TestRun(t *testing.T) {
	var list []int
	var nowhere *isolate.Panic
	for name, tt := range map[string]struct {
		f    func()
		want string
	}{
		"none": {func() {}, ""},
		"index": {
			func() { _ = list[3] },
			`^runtime error: index out of range \[3\] with length 0 at isolate/isolate_test\.go:\d+$`,
		},
		"nil": {
			func() { nowhere.At = "x" },
			`^runtime error: invalid memory address or nil pointer dereference at isolate/isolate_test\.go:\d+$`,
		},
		"error":   {func() { panic(errors.New("two\nlines")) }, `^two lines at isolate/isolate_test\.go:\d+$`},
		"called":  {func() { list = slices.Repeat(list, -1) }, `^cannot be negative at slices/slices\.go:\d+$`},
		"nothing": {func() { panic(nil) }, `^panic called with nil argument at isolate/isolate_test\.go:\d+$`},
	} {
		t.Run(name, func(t *testing.T) {
			var p, again *isolate.Panic
			for _, to := range []**isolate.Panic{&p, &again} { // one line, so that both stacks have it
				*to = isolate.Run(tt.f)
			}
			if tt.want == "" {
				if p != nil {
					t.Fatalf("got %s", p)
				}
				return
			}
			if p == nil || !regexp.MustCompile(tt.want).MatchString(p.String()) {
				t.Fatalf("got %v, want %s", p, tt.want)
			}
			if p.String() != again.String() {
				t.Errorf("got %q, then %q", p, again)
			}
			if stack := p.Stack(); !strings.Contains(stack, "isolate_test.go") || stack != again.Stack() {
				t.Errorf("want the same stack twice, and it to lead here:\n%s", stack)
			}
		})
	}
}
