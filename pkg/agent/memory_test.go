package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Memory is given back once a node is quiet, if it is worth a collection, and only then.
func TestTrimmer(t *testing.T) {
	var given []string
	tr := &trimmer{}
	for _, look := range []struct {
		name                           string
		allocated, live, objects, free uint64
	}{
		{"the first round goes on", 800, 400, 700, 10},
		{"and on", 1600, 600, 1100, 10},
		{"quiet", 1601, 600, 1101, 10},
		{"quiet for longer", 1602, 350, 351, 5},
		{"a change", 1612, 350, 361, 5},
		{"quiet after little", 1613, 350, 362, 5},
		{"many changes", 1850, 350, 600, 5},
		{"quiet after many", 1850, 350, 600, 5},
		{"garbage and room together", 1850, 350, 400, 60},
		{"a collection has freed much", 1850, 300, 300, 200},
		{"a small heap has little to give", 1850, 10, 20, 5},
		{"a small heap with room", 1850, 10, 20, 10},
		{"more in use than is there", 1850, 20, 10, 0},
	} {
		const mb = 1 << 20
		tr.free = func() { given = append(given, look.name) }
		tr.judge(heap{look.allocated * mb, look.live * mb, look.objects * mb, look.free * mb})
	}
	want := []string{
		"quiet", "quiet after many", "garbage and room together", "a collection has freed much", "a small heap with room",
	}
	if diff := cmp.Diff(want, given); diff != "" {
		t.Error("-want +given:", diff)
	}
	real := newTrimmer()
	freed := false
	real.free = func() { freed = true }
	real.look()
	if real.allocated == 0 || freed {
		t.Errorf("of a program that has just begun: %d octets allocated, given back %v", real.allocated, freed)
	}
}
