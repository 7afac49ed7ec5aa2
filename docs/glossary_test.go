package docs_test

import (
	"go/ast"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// codeTables says which constants are the codes of which section of
// glossary.md.
var codeTables = []struct {
	section string
	// code finds the constants in all packages but tests.
	code *regexp.Regexp
	// few is a number of codes that is certainly reached.
	few int
	// also are codes that are put together at run time or written where they are
	// used.
	also []string
}{
	{"Blocked objects", regexp.MustCompile(`\.(Block[A-Z]\w*|codeLeftAlone)$`), 11, nil},
	{"Skipped rows", regexp.MustCompile(`^observe\.Skip[A-Z]\w*$`), 6, nil},
	{"States of OVN's routers", regexp.MustCompile(`^native\.Code[A-Z]\w*$`), 14, nil},
	{"Reasons in explanations", regexp.MustCompile(`^reason\.[A-Z]\w*$`), 28, nil},
	{"Faults of sessions", regexp.MustCompile(`^speaker\.Fault[A-Z]\w*$`), 15, nil},
	{"Unused paths", regexp.MustCompile(`^control\.Unused[A-Z]\w*$`), 8, nil},
	{"What keeps packets away", regexp.MustCompile(`^reach\.Code[A-Z]\w*$`), 15, nil},
	{"Problems in status", regexp.MustCompile(`\.Problem[A-Z]\w*$`), 10, []string{
		"southbound-down", "northbound-down", "southbound-remote", "northbound-remote",
	}},
}

// TestGlossaryHasAllCodes checks that each table of codes has exactly the codes
// of the code, once each.
func TestGlossaryHasAllCodes(t *testing.T) {
	r := load(t)
	text := read(t, "glossary.md")
	for _, table := range codeTables {
		codes := r.codes(table.code)
		if table.section == "Problems in status" {
			codes = append(codes, r.problems...)
		}
		if len(codes) < table.few {
			t.Errorf("%s: only %q were found", table.section, codes)
		}
		complain(t, table.section, tableOf(text, table.section, append(codes, table.also...)))
	}
}

// TestProblemsHaveHarm: each code of a problem is in the table that says how bad it is,
// and the table has no others.
func TestProblemsHaveHarm(t *testing.T) {
	text := read(t, "glossary.md")
	codes := append(firstCells(text, "Problems in status"), firstCells(text, "What keeps packets away")...)
	codes = append(codes, object.BlockOverridden)
	for _, c := range codes {
		if !problem.Known(c) {
			t.Errorf("pkg/problem has no harm of %s", c)
		}
	}
	for _, c := range problem.Codes() {
		if !slices.Contains(codes, c) {
			t.Errorf("pkg/problem has %s, which is no code of a problem", c)
		}
	}
}

// TestGlossaryHasAllKinds checks that the kinds of objects are listed in their
// order, and that each class and each cause of a step is explained.
func TestGlossaryHasAllKinds(t *testing.T) {
	text := read(t, "glossary.md")
	var want []string
	for _, k := range object.Kinds() {
		want = append(want, k.String())
	}
	if got := firstCells(text, "Kinds of objects"); !slices.Equal(got, want) {
		t.Errorf("kinds %v, want %v", got, want)
	}
	for _, cause := range load(t).codes(regexp.MustCompile(`^plan\.Cause[A-Z]\w*$`)) {
		if !strings.Contains(text, "`"+cause+"`") {
			t.Errorf("cause %s is not explained", cause)
		}
	}
	for _, c := range expose.Classes() {
		if !strings.Contains(text, "`"+string(c)+"` (") {
			t.Errorf("class %s is not explained", c)
		}
	}
}

// TestGlossaryFinds makes sure that the check of codes can fail.
func TestGlossaryFinds(t *testing.T) {
	const text = "### Codes\n\n| Code | Meaning |\n|---|---|\n| `a` | one |\n| `b` | two |\n### Other\n| `c` | three |\n"
	for _, tt := range []struct {
		codes []string
		want  int
	}{
		{[]string{"a", "b"}, 0},
		{[]string{"a", "a", "b"}, 0}, // a code may be declared twice
		{[]string{"a", "b", "c"}, 1}, // elsewhere
		{[]string{"a"}, 1},           // b does not exist any more
		{nil, 2},
	} {
		if got := tableOf(text, "Codes", tt.codes); len(got) != tt.want {
			t.Errorf("%v: got %q, want %d", tt.codes, got, tt.want)
		}
	}
	if got := tableOf(strings.Replace(text, "`b`", "`a`", 1), "Codes", []string{"a"}); len(got) != 1 {
		t.Errorf("a code that has two rows: got %q", got)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tableOf returns how the first cells of a section's table differ from codes.
func tableOf(text, section string, codes []string) []string {
	var problems []string
	seen := map[string]bool{}
	for _, c := range firstCells(text, section) {
		if seen[c] {
			problems = append(problems, "two rows for "+c)
		}
		seen[c] = true
		if !slices.Contains(codes, c) {
			problems = append(problems, missing("code", c))
		}
	}
	wanted := map[string]bool{}
	for _, c := range codes {
		wanted[c] = true
	}
	for _, c := range slices.Sorted(maps.Keys(wanted)) {
		if !seen[c] {
			problems = append(problems, "code "+c+" is not explained")
		}
	}
	return problems
}

// firstCells returns the backquoted first cells of the table in a section.
func firstCells(text, section string) []string {
	_, body, _ := strings.Cut(text, "# "+section+"\n")
	body, _, _ = strings.Cut(body, "\n#")
	var out []string
	for line := range strings.Lines(body) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if name := strings.Trim(cell, "`"); strings.HasPrefix(line, "| `") {
			out = append(out, name)
		}
	}
	return out
}

// codes returns the values of the constants whose "package.Name" matches.
func (r *repository) codes(name *regexp.Regexp) []string {
	var out []string
	for dir, p := range r.packages {
		for c, value := range p.constants {
			if name.MatchString(p.name+"."+c) && !strings.HasPrefix(dir, "e2e") {
				out = append(out, value)
			}
		}
	}
	return out
}

// findProblems notes the codes of problems of `status` where they are written:
// as the first argument of a function named problem.
func (r *repository) findProblems(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		name, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || name.Sel.Name != "problem" {
			return true
		}
		if code, ok := stringOf(call.Args[0]); ok && problemCode.MatchString(code) {
			r.problems = append(r.problems, code)
		}
		return true
	})
}

var problemCode = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
