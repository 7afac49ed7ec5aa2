package faults_test

import (
	"os"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/faults"
	"github.com/bgp-ovn/bgp-ovn/internal/golden"
)

// The table of docs/troubleshooting.md is that of the faults; -update writes it.
func TestTroubleshooting(t *testing.T) {
	const path = "../../docs/troubleshooting.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "go test ./e2e/faults -update -->\n"
	head, _, ok := strings.Cut(string(doc), mark)
	if !ok {
		t.Fatal("the document has no place for the table")
	}
	golden.WholeFile(t, path, head+mark+"\n"+faults.Table())
}

// Every fault says all that the test on the lab and the document need.
func TestFaultsAreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, f := range faults.All() {
		if f.Name == "" || f.Symptom == "" || f.Inject == nil || f.Heal == nil || f.Command == "" || f.Code == "" ||
			f.Says == "" || f.Remedy == "" {
			t.Errorf("%s: something is missing: %+v", f.Name, f)
		}
		if names[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		names[f.Name] = true
	}
	if len(names) == 0 {
		t.Error("no faults")
	}
}
