package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Memory is given back once a node is quiet, if it is worth a collection, and only then.
func TestTrimmer(t *testing.T) {
	const mb = 1 << 20
	var given []string
	tr := &trimmer{}
	for _, look := range []struct {
		name                  string
		allocated, live, free uint64
	}{
		{"the first round goes on", 800 * mb, 400 * mb, 10 * mb},
		{"and on", 1600 * mb, 600 * mb, 10 * mb},
		{"quiet", 1601 * mb, 600 * mb, 10 * mb},
		{"quiet for longer", 1602 * mb, 350 * mb, 5 * mb},
		{"a change", 1612 * mb, 350 * mb, 5 * mb},
		{"quiet after little", 1613 * mb, 350 * mb, 5 * mb},
		{"many changes", 1850 * mb, 350 * mb, 5 * mb},
		{"quiet after many", 1850 * mb, 350 * mb, 5 * mb},
		{"a collection has freed much", 1850 * mb, 300 * mb, 200 * mb},
		{"a small heap has little to give", 1850 * mb, 10 * mb, 20 * mb},
	} {
		tr.free = func() { given = append(given, look.name) }
		tr.judge(look.allocated, look.live, look.free)
	}
	want := []string{"quiet", "quiet after many", "a collection has freed much"}
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
