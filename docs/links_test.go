package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	anyLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	ownID   = regexp.MustCompile(`<a id="([^"]+)">`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are what a page can be entered at, as GitHub and the site name its headings.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		words := notSlug.ReplaceAllString(strings.ToLower(strings.ReplaceAll(m[1], "`", "")), "")
		out[strings.ReplaceAll(strings.TrimSpace(words), " ", "-")] = true
	}
	for _, m := range ownID.FindAllStringSubmatch(text, -1) {
		out[m[1]] = true
	}
	return out
}

// broken are the links of a page that lead to no file, or to no place in it.
func broken(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range anyLink.FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(m[1], ":") {
			continue // a link to somewhere else
		}
		file, anchor, _ := strings.Cut(m[1], "#")
		to := page
		if file != "" {
			to = filepath.Join(filepath.Dir(page), file)
		}
		target, err := os.ReadFile(to)
		if info, dir := os.Stat(to); dir == nil && info.IsDir() && anchor == "" {
			continue
		}
		if err != nil || anchor != "" && !anchors(string(target))[anchor] {
			out = append(out, m[1])
		}
	}
	return out
}

// TestLinks: every link of every document leads somewhere.
func TestLinks(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"*.md", "runbooks/*.md", "../*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) < 4 {
			t.Fatalf("%s: %d pages, %v", pattern, len(found), err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		for _, link := range broken(t, page) {
			t.Errorf("%s: the link to %s leads nowhere", page, link)
		}
	}
}

// TestLinksFinds makes sure that the check above can fail.
func TestLinksFinds(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := "# A b, `c`\n[1](#a-b-c) [2](page.md#a-b-c) [3](#no) [4](none.md) [5](https://x/y#z) [6](page.md#d)\n"
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(broken(t, page), " "); got != "#no none.md page.md#d" {
		t.Errorf("got %q", got)
	}
}

// TestCompatibility: each line of the table of what goes together has a test that exists, or
// says that nobody has tested it.
func TestCompatibility(t *testing.T) {
	text, err := os.ReadFile("upgrade.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n| What | Version | Tested by |\n|---|---|---|\n")
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 {
			continue
		}
		rows++
		by := strings.TrimSpace(cells[2])
		if by == "not tested" {
			continue
		}
		if name := strings.Trim(by, "`"); "`"+name+"`" != by || exists(name) != nil {
			t.Errorf("%s: %s is no test", strings.TrimSpace(cells[1]), by)
		}
	}
	if rows < 15 {
		t.Errorf("only %d lines", rows)
	}
}
