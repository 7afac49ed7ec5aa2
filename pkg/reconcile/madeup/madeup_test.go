// Package madeup proves that a kind is one file and one line, and a driver one file:
// it puts both, which nothing in the product knows, in place by an overlay and runs
// them through plan, apply, journal, audit, printing and explanations.
package madeup

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	// What the test inside is made of: when that changes, go does not answer from its
	// cache.
	_ "github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	_ "github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	_ "github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	_ "github.com/bgp-ovn/bgp-ovn/state"
)

const root = "../../.."

// TestMadeUpKindAndDriver runs testdata/inside_test.go with the overlay. The one
// line of the table of kinds is made here.
func TestMadeUpKindAndDriver(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(root, "pkg/desired/object/kind.go"))
	if err != nil {
		t.Fatal(err)
	}
	const before = "\trouteKind, ruleKind,"
	if strings.Count(string(table), before) != 1 {
		t.Fatalf("the table of kinds has no line %q", before)
	}
	changed := filepath.Join(t.TempDir(), "kind.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(table), before, "\tbeaconKind,\n"+before, 1)),
		0o600); err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for at, from := range map[string]string{
		"pkg/desired/object/kind.go":          changed,
		"pkg/desired/object/beacon.go":        "testdata/kind.go",
		"pkg/drivers/beacon/beacon.go":        "testdata/driver.go",
		"pkg/reconcile/madeup/inside_test.go": "testdata/inside_test.go",
	} {
		to, err := filepath.Abs(filepath.Join(root, at))
		if err != nil {
			t.Fatal(err)
		}
		// go's cache takes a file that was looked at for an input of the test.
		if _, err := os.Stat(from); err != nil {
			t.Fatal(err)
		}
		if replace[to], err = filepath.Abs(from); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(overlay, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-overlay", overlay, "-run",
		"^TestInside$", "./pkg/reconcile/madeup")
	cmd.Dir = root // vet is off because it enters directories that only the overlay has
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "ok ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestGenericCodeNamesNoKind: planner, loop, fuse, executor and state ask traits. The
// upgrade of old files is about the kinds of its time.
func TestGenericCodeNamesNoKind(t *testing.T) {
	named := regexp.MustCompile(`object\.Kind[A-Z]\w*`)
	var files []string
	for _, pattern := range []string{
		"pkg/reconcile/plan/*.go", "pkg/reconcile/execute/*.go", "pkg/reconcile/round.go", "pkg/reconcile/run.go",
		"pkg/reconcile/fuse.go", "pkg/reconcile/cause.go", "pkg/reconcile/failures.go", "state/*.go",
	} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "upgrade.go" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range named.FindAllString(string(text), -1) {
			if name != "object.KindsThat" {
				t.Errorf("%s names %s", file, name)
			}
		}
	}
}
