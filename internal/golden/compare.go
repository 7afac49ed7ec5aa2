package golden

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pmezard/go-difflib/difflib"
	"golang.org/x/tools/txtar"
)

// place is where a section belongs: behind which of the given sections, which is
// how two sections of one name, after two steps of a story, are told apart.
type place struct {
	after int
	name  string
}

// problems are all differences between the file and what was computed. Nothing
// escapes: whatever the sections say, the bytes of the file must be equal too.
func (c *Case) problems() []string {
	var out []string
	have := map[place]*section{}
	at := place{}
	for _, s := range c.sections {
		if s.given {
			at.after++
			if !s.used.Load() {
				out = append(out, fmt.Sprintf("%s: section %q is not used by the test", c.Path, s.Name))
			}
			continue
		}
		at.name = s.Name
		if have[at] != nil {
			out = append(out, fmt.Sprintf("%s: section %q is there twice", c.Path, s.Name))
		}
		have[at] = s
	}
	out = append(out, c.differences(have)...)
	for _, s := range c.sections {
		if !s.given && !s.used.Load() {
			out = append(out, fmt.Sprintf("%s: section %q is expected, but the test has no such result", c.Path, s.Name))
		}
	}
	if got := c.text(); len(out) == 0 && !bytes.Equal(got, c.have) {
		const what = "the sections are not in the order of the results, or not in the form of txtar"
		out = append(out, fmt.Sprintf("%s: %s:\n%s", c.Path, what, Diff(c.Path, string(c.have), string(got))))
	}
	if len(out) > 0 {
		out = append(out, "if this is right, run the test again with -update")
	}
	return out
}

// differences compares each result with the section of the same place.
func (c *Case) differences(have map[place]*section) []string {
	var out []string
	at := place{}
	for _, got := range c.out {
		if got.given {
			at.after++
			continue
		}
		at.name = got.Name
		want := have[at]
		if want == nil {
			out = append(out, fmt.Sprintf("%s: section %q is missing; it would be\n%s", c.Path, got.Name, got.Data))
			continue
		}
		want.used.Store(true)
		if text := normal(got.File); text != string(want.Data) {
			out = append(out, Diff(c.Path+":"+got.Name, string(want.Data), text))
		}
	}
	return out
}

// normal is a section as it is read back: txtar ends every section with a newline.
func normal(f txtar.File) string {
	return string(txtar.Parse(txtar.Format(&txtar.Archive{Files: []txtar.File{f}})).Files[0].Data)
}

// Diff is the unified difference between what a test wants and what it got, under
// the name of the place where the former is written; empty if there is none.
func Diff(name, want, got string) string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(want), B: difflib.SplitLines(got),
		FromFile: name + " (want)", ToFile: name + " (got)", Context: 3,
	})
	if err != nil { // it writes to memory
		panic(err)
	}
	return strings.TrimRight(text, "\n")
}

// WholeFile compares a file that is generated as a whole, such as a reference
// page, or rewrites it with -update.
func WholeFile(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := Diff(path, string(want), got); diff != "" {
		t.Errorf("%s\nif this is right, run the test again with -update", diff)
	}
}

func firstWord(name string) string {
	word, _, _ := strings.Cut(name, " ")
	return word
}
