// Package docs_test holds the documentation to the code.
package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = ".."

// defect is a row of predecessor-defects.md or inspected-defects.md.
type defect struct{ number, have, instead, tests string }

// TestDefects checks that the table of the predecessor's defects is complete
// and that every test in it exists. A cell of tests holds names in backquotes,
// and for EVPN mode the document that has them, or says why there is nothing
// to test.
func TestDefects(t *testing.T) {
	rows := defects(t, "predecessor-defects.md")
	want := 1
	for _, d := range rows {
		if !strings.HasPrefix(d.number, "M") {
			if d.number != fmt.Sprint(want) {
				t.Errorf("row %q follows row %d", d.number, want-1)
			}
			want++
		}
		if d.have == "" || d.instead == "" {
			t.Errorf("row %s says nothing", d.number)
		}
		for _, problem := range check(d) {
			t.Errorf("row %s: %s", d.number, problem)
		}
	}
	if want != 62 {
		t.Errorf("the table ends at %d, want 61", want-1)
	}
}

// TestDuties checks that each duty of FRR in the table of ovn-native-rules.md has tests, and that
// they exist.
func TestDuties(t *testing.T) {
	text, err := os.ReadFile("ovn-native-rules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## What FRR did")
	table, _, _ = strings.Cut(table, "\n## ")
	seen := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || strings.Trim(cells[0], "#- ") == "" {
			continue
		}
		number := strings.TrimSpace(cells[0])
		seen[number] = true
		for _, problem := range check(defect{number: number, tests: strings.TrimSpace(cells[3])}) {
			t.Errorf("duty %s: %s", number, problem)
		}
	}
	for n := range 10 { // those of the specification
		if number := fmt.Sprint(n + 1); !seen[number] {
			t.Errorf("duty %s is missing", number)
		}
	}
}

// TestCheckFinds makes sure that the check above can fail.
func TestCheckFinds(t *testing.T) {
	for _, tt := range []struct {
		cell string
		fine bool
	}{
		{"`docs TestCheckFinds`", true},
		{"`docs TestNobodyWroteThis`", false},
		{"`pkg/nowhere TestCheckFinds`", false},
		{"`docs/predecessor-defects.md`", false}, // a file, but no scenario
		{"`pkg/drivers/bgp/testdata/S02-provider-vm.txtar`", true},
		{"`pkg/drivers/bgp/testdata/S02-provider-vm.txt`", false},
		{"`docs TestCheckFinds`, see docs/evpn.md", false}, // not said to be EVPN mode
		{"not applicable: why", true},
		{"not applicable", false},
		{"docs TestCheckFinds", false},
		{"", false},
	} {
		if got := check(defect{number: "0", have: "this", instead: "that", tests: tt.cell}); (len(got) == 0) != tt.fine {
			t.Errorf("%q: got %q", tt.cell, got)
		}
	}
	for cell, fine := range map[string]bool{"see docs/evpn.md": true, "see docs/other.md": false} {
		if got := check(defect{instead: "EVPN mode: that", tests: cell}); (len(got) == 0) != fine {
			t.Errorf("%q in EVPN mode: got %q", cell, got)
		}
	}
}

// The objects of one VNI in evpn.md are those of the scenario.
func TestObjectsOfOneVNI(t *testing.T) {
	doc, err := os.ReadFile("evpn.md")
	if err != nil {
		t.Fatal(err)
	}
	scenario, err := os.ReadFile("../pkg/drivers/evpn/testdata/s60-flat.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(scenario), "-- want gw-1 --\n")
	want, _, _ = strings.Cut(want, "-- want")
	var block strings.Builder
	for line := range strings.Lines(want) {
		object, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  # ")
		block.WriteString("    " + object + "\n")
	}
	if want == "" || !strings.Contains(string(doc), block.String()) {
		t.Errorf("evpn.md does not have\n%s", block.String())
	}
}

// TestScenariosAreComplete checks that each acceptance scenario of the plain BGP
// mode has a file: S1 to S54 are derived, planned or followed by the loop.
func TestScenariosAreComplete(t *testing.T) {
	var names []string
	for _, dir := range []string{"pkg/drivers/bgp", "pkg/reconcile", "pkg/reconcile/plan"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "testdata", "S*.txtar"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no scenarios: %v", dir, err)
		}
		for _, f := range files {
			names = append(names, filepath.Base(f))
		}
	}
	name := regexp.MustCompile(`^S(\d\d)[a-z]?-`)
	have := map[string]bool{}
	for _, n := range names {
		if m := name.FindStringSubmatch(n); m != nil {
			have[m[1]] = true
		} else {
			t.Errorf("%s is not named like a scenario", n)
		}
	}
	for i := 1; i <= 54; i++ {
		if n := fmt.Sprintf("%02d", i); !have[n] {
			t.Errorf("scenario S%s has no file", n)
		}
	}
}

// defects reads the rows of all tables of a document.
func defects(t *testing.T, file string) []defect {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []defect
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| # |") || strings.HasPrefix(line, "| ID |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 {
			t.Errorf("%d cells, want 4: %s", len(cells), line)
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		out = append(out, defect{cells[0], cells[1], cells[2], cells[3]})
	}
	return out
}

// check returns what is wrong with the cell of tests.
func check(d defect) []string {
	if why, no := strings.CutPrefix(d.tests, "not applicable"); no {
		if len(why) < len(": w") || !strings.HasPrefix(why, ": ") {
			return []string{"not applicable, but no reason"}
		}
		return nil
	}
	var problems []string
	for _, word := range strings.Split(d.tests, ", ") {
		if word == "see docs/evpn.md" {
			if !strings.Contains(d.instead, "EVPN mode") {
				problems = append(problems, "refers to docs/evpn.md, but does not say what EVPN mode does")
			}
			continue
		}
		name := strings.Trim(word, "`")
		if "`"+name+"`" != word {
			problems = append(problems, fmt.Sprintf("%q is no test", word))
			continue
		}
		if err := exists(name); err != nil {
			problems = append(problems, err.Error())
		}
	}
	return problems
}

// exists looks for a scenario file, or for "DIRECTORY TEST".
func exists(name string) error {
	dir, test, isTest := strings.Cut(name, " ")
	if !isTest {
		if !strings.Contains(name, "/testdata/") {
			return fmt.Errorf("%s is not in a directory testdata", name)
		}
		_, err := os.Stat(filepath.Join(root, name))
		return err
	}
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		return err
	}
	wanted := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(test) + `\(\w+ \*testing\.[TBF]\)`)
	if !slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && wanted.Match(text)
	}) {
		return fmt.Errorf("%s has no %s", dir, test)
	}
	return nil
}
