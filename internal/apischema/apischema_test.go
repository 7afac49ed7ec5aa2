package apischema

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
)

const dir = "../../docs/api"

// TestSchemas holds docs/api to the Go types of the answers; -update writes it.
func TestSchemas(t *testing.T) {
	docs := DocsOf("../..")
	names := []string{"README.md"}
	var table strings.Builder
	for _, a := range Answers() {
		raw, err := json.MarshalIndent(Of(a, docs), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, a.Name+".json")
		golden.WholeFile(t, filepath.Join(dir, a.Name+".json"), string(raw)+"\n")
		commands := strings.Join(a.Commands, "`, `bgp-ovn ")
		fmt.Fprintf(&table, "| `bgp-ovn %s` | [%s.json](%s.json) |\n", commands, a.Name, a.Name)
	}
	const mark = "<!-- generated: go test ./internal/apischema -update -->\n\n| Command | Schema |\n|---|---|\n"
	path := filepath.Join(dir, "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(text), mark)
	if !ok {
		t.Fatalf("%s has no %q", path, mark)
	}
	golden.WholeFile(t, path, head+mark+table.String())
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.Contains(names, f.Name()) {
			t.Errorf("docs/api/%s belongs to no answer", f.Name())
		}
	}
}

// TestFieldsAreDescribed: most fields say what they are, and each is in the one style.
func TestFieldsAreDescribed(t *testing.T) {
	docs := DocsOf("../..")
	for _, a := range Answers() {
		s := Of(a, docs)
		if s["description"] == nil {
			t.Errorf("%s has no description", a.Name)
		}
		each(s, func(name string) {
			if strings.ToLower(name) != name || strings.Contains(name, "-") {
				t.Errorf("%s: field %q is not in lower case with underscores", a.Name, name)
			}
		})
	}
}

// each calls f with the names of all fields in a schema.
func each(s map[string]any, f func(string)) {
	if p, ok := s["properties"].(map[string]any); ok {
		for name := range p {
			f(name)
		}
	}
	if defs, ok := s["$defs"].(map[string]any); ok {
		for _, d := range defs {
			each(d.(map[string]any), f)
		}
	}
}

// TestValidate: answers that are not as they should be are refused.
func TestValidate(t *testing.T) {
	const reload = `{"version": 1, "changed": ["bgp.peers"]}`
	for answer, want := range map[string]string{
		reload:                               "",
		`{"version": 1, "changed": null}`:    "got null, want array",
		`{"version": 2, "changed": []}`:      "value must be 1",
		`{"version": 1}`:                     "missing property 'changed'",
		`{"version": 1, "changed": [7]}`:     "got number, want string",
		`{"version": 1, "changed": "peers"}`: "got string, want array",
		`[]`:                                 "got array, want object",
		`{`:                                  "EOF",
	} {
		err := Validate(dir, "reload", []byte(answer))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", answer, err, want)
		}
	}
	if err := Validate(dir, "nonsense", []byte(reload)); err == nil {
		t.Error("a schema that does not exist")
	}
}
