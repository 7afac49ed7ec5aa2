package docs_test

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
)

// inspected is the identifier of a finding: its section and number.
var inspected = regexp.MustCompile(`^([SDT])(\d+)$`)

// TestInspectedDefects checks that each finding has one row, in order, and that
// every test that it names exists, or that it says why it is no defect.
func TestInspectedDefects(t *testing.T) {
	last := map[string]int{}
	for _, d := range defects(t, "inspected-defects.md") {
		m := inspected.FindStringSubmatch(d.number)
		if m == nil {
			t.Errorf("row %q is not named like a finding", d.number)
			continue
		}
		var number int
		fmt.Sscan(m[2], &number)
		if number != last[m[1]]+1 {
			t.Errorf("row %s follows row %s%d", d.number, m[1], last[m[1]])
		}
		last[m[1]] = number
		if d.have == "" || d.instead == "" {
			t.Errorf("row %s says nothing", d.number)
		}
		if why, ok := strings.CutPrefix(d.tests, "no defect: "); ok && why != "" {
			continue
		}
		for _, problem := range check(d) {
			t.Errorf("row %s: %s", d.number, problem)
		}
	}
	if want := map[string]int{"S": 21, "D": 10, "T": 9}; !maps.Equal(last, want) {
		t.Errorf("the sections end at %v, want %v", last, want)
	}
}
