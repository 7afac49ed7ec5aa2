package agent

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// TestStatusPanics: a panic of a driver is a problem, one for each driver however
// many rows it meets; other skips are none.
func TestStatusPanics(t *testing.T) {
	panicAt := func(driver, row string) observe.Skip {
		s := observe.Skip{Code: observe.SkipPanic, Driver: driver, Hold: true, Text: driver + " panicked at " + row}
		if row != "" {
			s.Table, s.Row = "Port_Binding", row
		}
		return s
	}
	var s statusReport
	s.panics([]observe.Skip{
		panicAt("bgp", "vm-a"),
		{Table: "Port_Binding", Row: "vm-b", Code: observe.SkipConflict, Text: "twice"},
		panicAt("evpn", ""), panicAt("bgp", "vm-c"), panicAt("bgp", "vm-d"),
	})
	const try = "report it with the output of: bgp-ovn snapshot"
	want := []control.Problem{
		{Code: "driver-panic", Text: "bgp panicked at vm-a (and at 2 more rows, see skipped)", Try: try},
		{Code: "driver-panic", Text: "evpn panicked at ", Try: try},
	}
	if len(s.Problems) != len(want) {
		t.Fatalf("got %+v, want %+v", s.Problems, want)
	}
	for i, p := range s.Problems {
		if p != want[i] {
			t.Errorf("got %+v, want %+v", p, want[i])
		}
	}
}
