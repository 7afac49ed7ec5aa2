package docs_test

import (
	"os"
	"strings"
	"testing"
)

// TestSecurityBounds checks that every bound in security.md names tests, and that they
// exist.
func TestSecurityBounds(t *testing.T) {
	doc, err := os.ReadFile("security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "\n## Bounds\n")
	table, _, found := strings.Cut(table, "\n## ")
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[3]) == "Tests" {
			continue
		}
		rows++
		d := defect{number: cells[0], have: cells[1], instead: cells[2], tests: strings.TrimSpace(cells[3])}
		complain(t, cells[0], check(d))
	}
	if !found || rows < 10 {
		t.Errorf("%d bounds were found", rows)
	}
}
