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
	for _, g := range faults.All() {
		for _, f := range g.Faults {
			if f.Name == "" || f.Symptom == "" || f.Inject == nil || f.Heal == nil || f.Command == "" || f.Says == "" ||
				f.Remedy == "" {
				t.Errorf("%s: something is missing: %+v", f.Name, f)
			}
			if names[f.Name] {
				t.Errorf("%s is there twice", f.Name)
			}
			names[f.Name] = true
		}
	}
	if len(names) < 46 {
		t.Errorf("only %d faults", len(names))
	}
}

// Every drift says what is to be told of it, and each kind of object that is wanted on a
// node with a provider network has some.
func TestDriftsAreComplete(t *testing.T) {
	names, kinds := map[string]bool{}, map[string]int{}
	for _, d := range faults.Drifts() {
		switch {
		case d.Name == "" || names[d.Name] || len(d.Lines) == 0:
			t.Errorf("%s: no name of its own, or nothing happens: %+v", d.Name, d)
		case d.Kind == "" && d.Stays == "":
			t.Errorf("%s: nothing is claimed of it", d.Name)
		case (d.Kind == "") != (d.How == ""), d.Stays != "" && (d.Shows == "" || len(d.Heal) == 0):
			t.Errorf("%s: something is missing: %+v", d.Name, d)
		}
		names[d.Name] = true
		kinds[d.Kind]++
	}
	for _, kind := range []string{"device", "sysctl", "address", "neigh", "proxy", "route", "rule", "flow"} {
		if kinds[kind] == 0 {
			t.Errorf("no drift of kind %s", kind)
		}
	}
	if len(names) < 50 {
		t.Errorf("only %d drifts", len(names))
	}
}
