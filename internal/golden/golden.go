// Package golden runs tests whose cases are txtar files. A file says in a few
// sections what is given, and in further sections what must come of it:
//
//	What this case is about, in a sentence.
//	-- snapshot --
//	...
//	-- want gw-1 --
//	...
//
// A [Suite] names the sections that its files may have. Everything else is an
// error, because a misspelt section or file would otherwise be a claim that
// nobody tests: an unknown section, one that the test does not read, one that
// it computes and the file lacks, one that it does not compute and the file has,
// and a file that is not named like a case.
//
// The flag -update rewrites what is expected; all that is given stays as it is.
package golden

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite what the golden files expect")

// extension is what every file of a suite ends with.
const extension = ".txtar"

// Suite is a directory of cases of one form. The name of a section is its first
// word; further words are its arguments, such as the node in "want gw-1".
type Suite struct {
	Dir   string   // below the directory of the test, which is "testdata" if empty
	Given []string // names of sections that a case reads
	Want  []string // names of sections that a case computes
}

// Run runs check for each file as a subtest that is named like the file, and then
// compares what check has computed with what the file expects.
func (s Suite) Run(t *testing.T, check func(t *testing.T, c *Case)) {
	t.Helper()
	for _, f := range s.Files(t) {
		t.Run(f.Name, func(t *testing.T) {
			c := &Case{File: f, t: t}
			check(t, c)
			if !t.Failed() {
				c.compare()
			}
		})
	}
}

// Files reads all cases without running them, for tests that ask something else
// of the same worlds.
func (s Suite) Files(t testing.TB) []*File {
	t.Helper()
	dir := s.Dir
	if dir == "" {
		dir = "testdata"
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []*File
	for _, e := range entries {
		if e.IsDir() {
			continue // another suite, or what a fuzzer has found
		}
		path := filepath.Join(dir, e.Name())
		f, err := s.read(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		t.Fatalf("no cases in %s", dir)
	}
	return files
}

// File reads the one case of this name.
func (s Suite) File(t testing.TB, name string) *File {
	t.Helper()
	files := s.Files(t)
	i := slices.IndexFunc(files, func(f *File) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no case %s", name)
	}
	return files[i]
}

func (s Suite) read(path string) (*File, error) {
	name, ok := strings.CutSuffix(filepath.Base(path), extension)
	if !ok {
		return nil, fmt.Errorf("%s: no test uses this file: it does not end with %s", path, extension)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	a := txtar.Parse(text)
	f := &File{Name: name, Path: path, have: text, comment: a.Comment}
	for _, sec := range a.Files {
		switch word := firstWord(sec.Name); {
		case slices.Contains(s.Given, word):
			f.add(sec, true)
		case slices.Contains(s.Want, word):
			f.add(sec, false)
		default:
			known := strings.Join(slices.Concat(s.Given, s.Want), ", ")
			return nil, fmt.Errorf("%s: unknown section %q: use one of %s", path, sec.Name, known)
		}
	}
	return f, nil
}

// File is one case as it was read.
type File struct {
	Name string // without directory and extension
	Path string // from the directory of the test

	have     []byte // the whole file
	comment  []byte // before the first section
	sections []*section
}

type section struct {
	txtar.File
	given bool
	used  atomic.Bool // read by the test, or compared with a result; subtests may be parallel
}

func (f *File) add(s txtar.File, given bool) {
	f.sections = append(f.sections, &section{File: s, given: given})
}

// Inline is a case with one section, for tests that write it themselves.
func Inline(section, text string) *File {
	f := &File{Name: "inline", Path: "inline"}
	f.add(txtar.File{Name: section, Data: []byte(text)}, true)
	return f
}

// Section is the text of the first section with this name and these arguments. An
// absent one is empty.
func (f *File) Section(name string) string {
	for _, s := range f.sections {
		if s.Name == name {
			return s.read()
		}
	}
	return ""
}

// Texts are those of all sections with this first word, in order.
func (f *File) Texts(word string) []string {
	var out []string
	for _, s := range f.sections {
		if firstWord(s.Name) == word {
			out = append(out, s.read())
		}
	}
	return out
}

// read is the text of a section that a test asks for. To look at what is expected
// is not to compare it.
func (s *section) read() string {
	if s.given {
		s.used.Store(true)
	}
	return string(s.Data)
}

// Has reports whether the file has this section, given or expected.
func (f *File) Has(name string) bool {
	return slices.ContainsFunc(f.sections, func(s *section) bool { return s.Name == name })
}

// Named are the full names of all sections with this first word, in order.
func (f *File) Named(word string) []string {
	var names []string
	for _, s := range f.sections {
		if firstWord(s.Name) == word {
			names = append(names, s.Name)
		}
	}
	return names
}

// Fields are the words of a section that is a list.
func (f *File) Fields(name string) []string { return strings.Fields(f.Section(name)) }

// Case is a file that is being run.
type Case struct {
	*File
	t *testing.T

	placed bool       // the given sections are in out
	out    []*section // what is given and what was computed, in the order of the file
}

// Each calls f for each given section in the order of the file. What f computes
// belongs right behind that section; without Each it belongs behind all of them.
func (c *Case) Each(f func(name, text string)) {
	c.placed = true
	for _, s := range c.sections {
		if !s.given {
			continue
		}
		c.out = append(c.out, s)
		f(s.Name, s.read())
	}
}

// Want says what a section must be.
func (c *Case) Want(name, text string) {
	c.place()
	c.out = append(c.out, &section{File: txtar.File{Name: name, Data: []byte(text)}})
}

// place puts the given sections before all results, unless [Case.Each] has.
func (c *Case) place() {
	if c.placed {
		return
	}
	c.placed = true
	for _, s := range c.sections {
		if s.given {
			c.out = append(c.out, s)
		}
	}
}

// WantSome is Want for a section that is left out where there is nothing to say.
func (c *Case) WantSome(name, text string) {
	if text != "" {
		c.Want(name, text)
	}
}

// compare holds the file against what was computed, or rewrites it.
func (c *Case) compare() {
	c.t.Helper()
	c.place()
	if *update {
		if err := c.rewrite(); err != nil {
			c.t.Fatal(err)
		}
		return
	}
	for _, problem := range c.problems() {
		c.t.Error(problem)
	}
}

// text is what the file would be if everything computed were right.
func (c *Case) text() []byte {
	a := &txtar.Archive{Comment: c.comment}
	for _, s := range c.out {
		a.Files = append(a.Files, s.File)
	}
	return txtar.Format(a)
}

// rewrite writes the file if that changes it.
func (c *Case) rewrite() error {
	got := c.text()
	if bytes.Equal(got, c.have) {
		return nil
	}
	return os.WriteFile(c.Path, got, 0o600)
}
