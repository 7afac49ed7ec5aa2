// Package derived prints what drivers derive, in the form of golden files.
package derived

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Objects prints one line an object of a desired set that show accepts: "!" and a
// code if it is blocked, and behind "#" which rules led to it and from which rows,
// as source prints them. Each line must read back as the same object, because the
// same text stands in plans and in snapshots.
func Objects(t testing.TB, s object.Set, show func(object.Item) bool, source func(object.Source) string) string {
	t.Helper()
	var b strings.Builder
	for _, it := range s.Sorted() {
		if !show(it) {
			continue
		}
		line := object.Text(it.Value)
		if back, err := object.Parse(line); err != nil || back != it.Value {
			t.Errorf("%s reads back as %v, %v", line, back, err)
		}
		if it.Block != nil {
			line = "! " + line + "  (" + it.Block.Code + ")"
		}
		var why []string
		for _, src := range it.Why {
			why = append(why, source(src))
		}
		fmt.Fprintf(&b, "%s  # %s\n", line, strings.Join(why, ", "))
	}
	return b.String()
}

// All shows every object.
func All(object.Item) bool { return true }

// RuleAndRow names a source by its rule and the name of the row.
func RuleAndRow(s object.Source) string { return s.Rule + " " + s.Row }

// RuleTableAndRow is for sources of which the row alone says too little.
func RuleTableAndRow(s object.Source) string { return s.Rule + " " + s.RowRef() }

// Skips prints one line a row that could not be used. With "(hold)" what was
// derived from the row before stays.
func Skips(skips []observe.Skip) string {
	var b strings.Builder
	for _, s := range skips {
		hold := ""
		if s.Hold {
			hold = "  (hold)"
		}
		fmt.Fprintf(&b, "%s%s\n", s, hold)
	}
	return b.String()
}
