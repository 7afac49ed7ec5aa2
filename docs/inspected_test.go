package docs_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// inspected is the identifier of a finding: its section and number.
var inspected = regexp.MustCompile(`^([SDTROV])(\d+)$`)

// TestInspectedDefects checks that each finding has one row, in order, and that
// every test that it names exists, or that it says why it is no defect.
func TestInspectedDefects(t *testing.T) {
	last, rows := map[string]int{}, map[string]int{}
	for _, d := range defects(t, "inspected-defects.md") {
		m := inspected.FindStringSubmatch(d.number)
		if m == nil {
			t.Errorf("row %q is not named like a finding", d.number)
			continue
		}
		var number int
		fmt.Sscan(m[2], &number)
		if number <= last[m[1]] {
			t.Errorf("row %s follows row %s%d", d.number, m[1], last[m[1]])
		}
		rows[m[1]]++
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
	for section, want := range map[string]struct{ first, last int }{
		"S": {1, 21}, "D": {1, 10}, "T": {1, 9}, "R": {1, 10}, "O": {5, 8}, "V": {1, 2},
	} {
		if rows[section] != want.last-want.first+1 || last[section] != want.last {
			t.Errorf("section %s has %d rows and ends at %d, want %d to %d", section, rows[section], last[section],
				want.first, want.last)
		}
	}
}
