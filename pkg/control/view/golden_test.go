package view_test

import (
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// TestGoldens prints the answers in testdata, which are in the form of the API: a status or
// an audit.
func TestGoldens(t *testing.T) {
	was := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = was })
	golden.Suite{Given: []string{"status", "audit"}, Want: []string{"text"}}.Run(t, func(t *testing.T, c *golden.Case) {
		var print func(io.Writer) error
		if c.Has("status") {
			var s control.Status
			parse(t, c.Section("status"), &s)
			print = func(w io.Writer) error { return view.Status(w, view.Text, s) }
		} else {
			var a control.Audit
			parse(t, c.Section("audit"), &a)
			print = func(w io.Writer) error { return view.Audit(w, view.Text, a) }
		}
		c.Want("text", printed(t, print))
	})
}

func parse(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}
