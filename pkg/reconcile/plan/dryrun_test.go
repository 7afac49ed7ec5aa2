package plan_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestProofDryRun: of random worlds and intents, what a dry run prints and what is then
// written are the same, line for line and in this order, both on the way to what is
// wanted and on the way back to nothing; and the same question is answered with the same
// bytes, whatever the order in which the objects came.
func TestProofDryRun(t *testing.T) {
	pairs := proof.Count(500, 10000)
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	t.Cleanup(func() { _ = checks.Value.Set(before) }) // it was a number before
	if err := checks.Value.Set(fmt.Sprint(pairs)); err != nil {
		t.Fatal(err)
	}
	ways, writes := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		items := drawWant(t, true)
		w, l, _ := drawWorld(t)
		for _, want := range [][]object.Item{items, nil} {
			in := plan.Input{Want: mustSet(t, want), Have: read(w), Ledger: l, Tidy: true}
			p := plan.Diff(in)
			sameAgain(t, in, p)
			made := recorded(w, func() { run(t, w, l, p) })
			if printed := printedSteps(p.String()); !slices.Equal(printed, made) {
				t.Fatalf("printed\n%s\nwritten\n%s", strings.Join(printed, "\n"), strings.Join(made, "\n"))
			}
			ways, writes = ways+1, writes+len(made)
		}
	})
	proof.Report(t, "%d random pairs, %d plans there and back with %d steps: each printed step was written, and nothing "+
		"else; each printed three times with the same bytes", pairs, ways, writes)
	if ways < 2*pairs || writes < pairs {
		t.Errorf("%d plans with %d steps are too few for %d pairs", ways, writes, pairs)
	}
}

// sameAgain demands the same bytes of plans of the same objects in other orders.
func sameAgain(t *rapid.T, in plan.Input, p plan.Plan) {
	text, doc := p.String(), marshalled(t, p)
	for i := range 2 {
		again := in
		again.Want, again.Have = shuffled(t, in.Want, fmt.Sprint("want ", i)), shuffled(t, in.Have, fmt.Sprint("have ", i))
		q := plan.Diff(again)
		if got := q.String(); got != text {
			t.Fatalf("the same question is answered with\n%s\nand with\n%s", text, got)
		}
		if got := marshalled(t, q); got != doc {
			t.Fatalf("the same question is answered with\n%s\nand with\n%s", doc, got)
		}
	}
}

func marshalled(t *rapid.T, p plan.Plan) string {
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shuffled is a set whose objects were put in another order.
func shuffled(t *rapid.T, s object.Set, label string) (out object.Set) {
	if s.Len() == 0 {
		return out
	}
	for _, it := range rapid.Permutation(s.Sorted()).Draw(t, label) {
		out.Put(it)
	}
	return out
}

// recorded is what the world was told to write, in the form of printedSteps.
func recorded(w *model.World, do func()) (made []string) {
	w.StopOn(func(c object.Change) error {
		verb, attrs := "+", ""
		switch {
		case c.After == nil:
			verb = "-"
		case c.Before == nil:
			attrs = c.After.Attrs()
		default:
			verb, attrs = "~", c.Before.Attrs()+" -> "+c.After.Attrs()
		}
		made = append(made, words(verb+" "+c.Key().Text()+" "+attrs))
		return nil
	})
	do()
	w.StopOn(nil)
	return made
}

// printedSteps are the steps of a printed plan, without what is said of their reasons.
func printedSteps(text string) (steps []string) {
	for line := range strings.Lines(text) {
		if strings.ContainsAny(line[:1], "+~-") {
			line, _, _ = strings.Cut(line, "  # ")
			line, _, _ = strings.Cut(line, "  (")
			if !strings.Contains(line, " -> ") { // a setting of a device that is made in this plan
				line = strings.Replace(line, "~", "+", 1)
			}
			steps = append(steps, words(line))
		}
	}
	return steps
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }
