package object

import (
	"slices"
	"strings"
)

// Words is a sorted set of words held in one string, because a slice would
// make the struct that holds it incomparable. A word contains no blank.
type Words struct{ canon string }

// WordsOf returns the set of ws.
func WordsOf(ws ...string) Words {
	ws = slices.Clone(ws)
	slices.Sort(ws)
	return Words{strings.Join(slices.Compact(ws), " ")}
}

// String joins the words with commas, the form used on one line.
func (w Words) String() string { return strings.ReplaceAll(w.canon, " ", ",") }

// List returns the words in order.
func (w Words) List() []string { return strings.Fields(w.canon) }

// Empty reports whether there is no word.
func (w Words) Empty() bool { return w.canon == "" }
