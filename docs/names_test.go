package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// backquoted is a word in backquotes.
var backquoted = regexp.MustCompile("`([^`\n]+)`")

// TestCodeMap holds the code map of ARCHITECTURE.md to the code: each package
// in it exists and declares what is to be searched for, and each package of the
// repository is in it.
func TestCodeMap(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	r := load(t)
	complain(t, "ARCHITECTURE.md", r.codeMap(string(text)))
}

// codeMap returns what is wrong with the table below "## Code map".
func (r *repository) codeMap(text string) []string {
	_, section, _ := strings.Cut(text, "\n## Code map\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var problems []string
	seen := map[string]bool{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) < 3 {
			continue
		}
		var packages []*goPackage
		for _, m := range backquoted.FindAllStringSubmatch(cells[0], -1) {
			p, ok := r.packages[m[1]]
			if !ok {
				problems = append(problems, missing("package", m[1]))
				continue
			}
			seen[m[1]] = true
			packages = append(packages, p)
		}
		for _, m := range backquoted.FindAllStringSubmatch(cells[len(cells)-1], -1) {
			if !slices.ContainsFunc(packages, func(p *goPackage) bool { return p.declared[m[1]] }) {
				problems = append(problems, missing("identifier", m[1])+" in"+strings.TrimRight(cells[0], " "))
			}
		}
	}
	for dir := range r.packages {
		if !seen[dir] && !hidden(dir) {
			problems = append(problems, "the code map lacks package "+dir)
		}
	}
	slices.Sort(problems)
	return problems
}

// hidden reports whether a package need not be in the code map: it is internal,
// or it is this one.
func hidden(dir string) bool {
	return dir == "docs" || slices.Contains(strings.Split(dir, "/"), "internal")
}

// TestCodeMapFinds makes sure that the check above can fail.
func TestCodeMapFinds(t *testing.T) {
	r := &repository{packages: map[string]*goPackage{
		"pkg/a":          {declared: map[string]bool{"A": true}},
		"pkg/b":          {declared: map[string]bool{"B": true, "B.c": true}},
		"pkg/a/internal": {},
	}}
	const head = "\n## Code map\n| Package | What it is | Search for |\n|---|---|---|\n"
	for table, want := range map[string]int{
		"| `pkg/a`, `pkg/b` | both | `A`, `B`, `B.c` |\n":                  0,
		"| `pkg/a` | one | `B` |\n| `pkg/b` | other | |\n":                 1, // B is not in a
		"| `pkg/a` | one | `A` |\n":                                        1, // b is missing
		"| `pkg/a` | | |\n| `pkg/b` | | |\n| `pkg/c` | | |\n":              1, // no c
		"| `pkg/a` | | |\n## Invariants\n| `pkg/b`, `pkg/c` | a | `D` |\n": 1, // b is elsewhere
	} {
		if got := r.codeMap(head + table); len(got) != want {
			t.Errorf("%s: got %q, want %d", table, got, want)
		}
	}
}

// TestNamesInDocs looks for words in backquotes that look like a path of the
// repository, a Go file or a test: they exist.
func TestNamesInDocs(t *testing.T) {
	r := load(t)
	docs, err := filepath.Glob("*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, doc := range append(docs, filepath.Join(root, "README.md"), filepath.Join(root, "ARCHITECTURE.md")) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		complain(t, doc, r.names(string(text)))
	}
}

var (
	// ofRepository begins a path of the repository. A path without one of these is
	// one of the machine, a prefix or anything else with a slash.
	ofRepository = regexp.MustCompile(`^(pkg|cmd|e2e|docs|state|scripts|tools|deploy|internal)/`)
	goFile       = regexp.MustCompile(`^[\w/]+\.go$`)
	testName     = regexp.MustCompile(`^(Test|Benchmark|Fuzz)[A-Z]\w*$`)
	link         = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

// names returns the names in a document that do not exist. A pair `DIRECTORY
// TEST` is looked at word by word.
func (r *repository) names(text string) []string {
	var problems []string
	for _, m := range backquoted.FindAllStringSubmatch(text, -1) {
		for word := range strings.FieldsSeq(m[1]) {
			word, _, _ = strings.Cut(strings.TrimPrefix(word, "./"), "...")
			switch {
			case ofRepository.MatchString(word), goFile.MatchString(word):
				if word = strings.TrimSuffix(word, ":"); !r.hasPath(word) {
					problems = append(problems, missing("file", word))
				}
			case testName.MatchString(word):
				if !r.anyDeclares(word) {
					problems = append(problems, missing("test", word))
				}
			}
		}
	}
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if !r.hasPath(path.Base(m[1])) {
			problems = append(problems, "the link to "+m[1]+" leads nowhere")
		}
	}
	return problems
}

// TestNamesFinds makes sure that the check above can fail.
func TestNamesFinds(t *testing.T) {
	r := load(t)
	for text, want := range map[string]int{
		"`pkg/observe`, `observe/join.go`, `join.go`, `TestNamesFinds`": 0,
		"`go test ./pkg/observe/...`, `docs TestNamesFinds`":            0,
		"`/etc/none`, `10.0.0.0/8`, none.go, `Testing`":                 0,
		"[a](docs_test.go), [b](../README.md#run-it), [c](https://x/y)": 0,
		"`pkg/nowhere`":               1,
		"`observe/nothing.go`":        1,
		"`nothing.go`":                1,
		"`docs TestNobodyWroteThis`":  1,
		"[a](nothing.md)":             1,
		"`pkg/no/where`, `nobody.go`": 2,
	} {
		if got := r.names(text); len(got) != want {
			t.Errorf("%s: got %q, want %d", text, got, want)
		}
	}
}

// TestPackageComments holds package comments to the code: each package has one,
// and the files, packages and identifiers that it names exist.
func TestPackageComments(t *testing.T) {
	r := load(t)
	for dir, p := range r.packages {
		if p.doc == "" {
			t.Errorf("%s has no package comment", dir)
		}
		complain(t, dir, r.comment(dir, p))
	}
}

var (
	commentFile    = regexp.MustCompile(`[\w/]+\.go\b`)
	commentPath    = regexp.MustCompile(`\b(pkg|cmd|e2e|docs|state|scripts)/[\w/.-]*\w`)
	commentPackage = regexp.MustCompile(`\bpackage ([a-z][\w/]*)`)
	commentLink    = regexp.MustCompile(`\[([A-Z]\w*(?:\.\w+)?|[a-z]\w*\.[A-Z]\w*)\]`)
	// qualified is Type.Member or package.Name.
	qualified = regexp.MustCompile(`\b([A-Za-z]\w*)\.([A-Za-z]\w*)\b`)
	camelCase = regexp.MustCompile(`(?:^|[^.\w/-])([A-Z][a-z]+[A-Za-z0-9]*)(?:[^\w]|$)`)
)

// comment returns what a package comment names and does not exist. In the
// paragraph "Read next" words are identifiers if they are written like ones.
func (r *repository) comment(dir string, p *goPackage) []string {
	var problems []string
	for _, name := range commentFile.FindAllString(p.doc, -1) {
		if !r.hasPath(path.Join(dir, name)) && !(strings.Contains(name, "/") && r.hasPath(name)) {
			problems = append(problems, missing("file", name))
		}
	}
	for _, name := range commentPath.FindAllString(p.doc, -1) {
		if !r.hasPath(name) {
			problems = append(problems, missing("file", name))
		}
	}
	for _, m := range commentLink.FindAllStringSubmatch(p.doc, -1) {
		if !r.resolves(p, m[1]) {
			problems = append(problems, missing("identifier", m[1]))
		}
	}
	_, next, _ := strings.Cut(p.doc, "Read next:")
	next, _, _ = strings.Cut(next, "\n\n")
	for _, m := range commentPackage.FindAllStringSubmatch(next, -1) {
		if len(r.named(path.Base(m[1]))) == 0 {
			problems = append(problems, missing("package", m[1]))
		}
	}
	next = commentFile.ReplaceAllString(next, "")
	for _, m := range qualified.FindAllString(next, -1) {
		if !r.resolves(p, m) {
			problems = append(problems, missing("identifier", m))
		}
	}
	for _, m := range camelCase.FindAllStringSubmatch(qualified.ReplaceAllString(next, ""), -1) {
		if !p.declared[m[1]] && !r.anyDeclares(m[1]) {
			problems = append(problems, missing("identifier", m[1]))
		}
	}
	return problems
}

// resolves reports whether a name stands for something, seen from a package:
// Name, Type.Member, package.Name or a package.
func (r *repository) resolves(from *goPackage, name string) bool {
	if from.declared[name] || len(r.named(name)) > 0 || strings.Contains(name, ".") && r.anyDeclares(name) {
		return true
	}
	pkg, member, ok := strings.Cut(name, ".")
	return ok && slices.ContainsFunc(r.named(pkg), func(p *goPackage) bool { return p.declared[member] })
}

// TestCommentFinds makes sure that the check above can fail.
func TestCommentFinds(t *testing.T) {
	r := load(t)
	for text, want := range map[string]int{
		"Read next: join.go, Snapshot, then Join.Snapshot and package object.": 0,
		"See [Snapshot] and [object.Key]; go to pkg/desired.":                  0,
		"Read next: [Snapshot] for EVPN, object.Key.":                          0,
		"Read next: nothing.go":                                                1,
		"Read next: Nonsense":                                                  1,
		"Read next: Join.Nonsense":                                             1,
		"Read next: object.Nonsense":                                           1,
		"See [Nonsense].":                                                      1,
		"Read next: package nonsense.":                                         1,
		"It is made by pkg/nonsense/all.":                                      1,
	} {
		p := &goPackage{declared: r.packages["pkg/observe"].declared, doc: text}
		if got := r.comment("pkg/observe", p); len(got) != want {
			t.Errorf("%s: got %q, want %d", text, got, want)
		}
	}
}
