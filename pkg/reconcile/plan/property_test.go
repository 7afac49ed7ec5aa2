package plan_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestConverges: applying the difference gives what is wanted and not blocked,
// leaves everything foreign as it was, removes all else that is ours, and
// leaves nothing to do.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := mustSet(t, drawWant(t, true))
		w, l, foreign := drawWorld(t)
		before := read(w)
		p := plan.Diff(plan.Input{Want: want, Have: before, Ledger: l, Tidy: true})
		inOrder(t, want, p)
		run(t, w, l, p)
		after := read(w)
		noted := map[object.Key]bool{}
		for _, n := range p.Notes {
			noted[n.Key] = true
		}
		for k, it := range want.All() {
			if have, ok := after.Get(k); !noted[k] && (!ok || have.Value != it.Value) {
				t.Fatalf("%s is wanted and not there:\n%s", object.Text(it.Value), p)
			}
			if noted[k] && k.Kind.IsPath() {
				if have, ok := after.Get(k); ok && have.Marked {
					t.Fatalf("%s is blocked and announced:\n%s", object.Text(it.Value), p)
				}
			}
		}
		for _, v := range foreign {
			have, ok := after.Get(v.Key())
			if !ok || have.Value != v {
				t.Fatalf("foreign %s was touched:\n%s", object.Text(v), p)
			}
		}
		for k, it := range after.All() {
			if it.Marked && !want.Has(k) {
				t.Fatalf("%s is ours, not wanted and still there:\n%s", object.Text(it.Value), p)
			}
		}
		again := plan.Diff(plan.Input{Want: want, Have: after, Ledger: l, Tidy: true})
		if !again.Empty() || len(again.Forget) > 0 {
			t.Fatalf("after\n%sthere is left to do, %v\n%s", p, again.Forget, again)
		}
	})
}

// onOurLink reports whether v sits on a device of ours.
func onOurLink(before object.Set, v object.Value) bool {
	for _, need := range v.DependsOn() {
		for _, kind := range []object.Kind{object.KindLink, object.KindOVSPort} {
			if it, ok := before.Get(object.Key{Kind: kind, Name: need.Name}); ok && (it.Marked || onOurLink(before, it.Value)) {
				return true
			}
		}
	}
	return false
}

// inOrder: withdrawals come first, no step precedes what it needs, nothing is
// taken away before what sits on it.
func inOrder(t *rapid.T, want object.Set, p plan.Plan) {
	at := map[object.Key]int{} // where a key is built
	for i, op := range p.Ops {
		if op.Phase == plan.Build {
			at[op.Key()] = i
		}
	}
	phase := plan.Withdraw
	for i, op := range p.Ops {
		if op.Phase < phase {
			t.Fatalf("%s is in phase %d, behind phase %d:\n%s", op, op.Phase, phase, p)
		}
		phase = op.Phase
		if k := op.Key(); op.Verb == plan.Delete && k.Kind >= object.KindPath && op.Phase != plan.Withdraw {
			t.Fatalf("%s is not withdrawn first:\n%s", op, p)
		}
		if op.Phase == plan.Build {
			it, _ := want.Get(op.Key())
			for _, need := range slices.Concat(it.Value.DependsOn(), it.After) {
				for _, k := range []object.Key{need, {Kind: object.KindLink, Name: need.Name}} {
					if j, built := at[k]; built && j > i {
						t.Fatalf("%s precedes what it needs, %s:\n%s", op, k.Text(), p)
					}
				}
			}
		}
		if op.Verb == plan.Delete && op.Key().Kind == object.KindLink {
			for _, later := range p.Ops[i+1:] {
				if later.Verb == plan.Delete && later.Note != plan.NoteReplaced && op.Note != plan.NoteReplaced &&
					sitsOn(later.Before, op.Key().Name) {
					t.Fatalf("%s precedes %s, which sits on it:\n%s", op, later, p)
				}
			}
		}
	}
}

func sitsOn(v object.Value, dev string) bool {
	return slices.ContainsFunc(v.DependsOn(), func(k object.Key) bool { return k.Name == dev })
}

// TestNothingToDo: the difference of a set and itself is empty.
func TestNothingToDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := drawWant(t, false)
		want := mustSet(t, items)
		have := want.Clone()
		for _, it := range items {
			have.Put(object.Item{Value: it.Value, Marked: it.Value.Key().Kind.HasMark()})
		}
		p := plan.Diff(plan.Input{Want: want, Have: have, Ledger: plan.NoLedger{}})
		if !p.Empty() || len(p.Notes) > 0 {
			t.Fatalf("want nothing, got\n%s", p)
		}
	})
}

// TestOrderOfInsertionDoesNotMatter: the same input gives the same bytes.
func TestOrderOfInsertionDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := drawWant(t, true)
		w, l, _ := drawWorld(t)
		shuffled := rapid.Permutation(items).Draw(t, "order")
		a := plan.Diff(plan.Input{Want: mustSet(t, items), Have: read(w), Ledger: l})
		b := plan.Diff(plan.Input{Want: mustSet(t, shuffled), Have: read(w).Clone(), Ledger: l})
		if a.String() != b.String() {
			t.Fatalf("got\n%s\nand in another order\n%s", a, b)
		}
	})
}

// TestFrozenDeletesNothing: while everything is to be kept, only paths go whose
// own needs are missing, and what is replaced.
func TestFrozenDeletesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := mustSet(t, drawWant(t, true))
		w, l, _ := drawWorld(t)
		p := plan.Diff(plan.Input{
			Want: want, Have: read(w), Ledger: l,
			Keep: func(object.Key, []object.Source) *object.Block {
				return &object.Block{Code: object.BlockFrozen, Text: "drawn"}
			},
		})
		for _, op := range p.Ops {
			removes := op.Verb == plan.Delete || op.Verb == plan.Restore
			if removes && op.Note != plan.NoteReplaced && !(want.Has(op.Key()) && op.Key().Kind.IsPath()) {
				t.Fatalf("%s while frozen:\n%s", op, p)
			}
		}
	})
}

// TestKeptObjectsKeepWhatTheyNeed: whatever is held, nothing goes that is needed or
// kept, as far as the ledger knows, by something that stays; and what the ledger
// says of others is no reason for anything.
func TestKeptObjectsKeepWhatTheyNeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, l, _ := drawWorld(t)
		have := read(w)
		held := map[object.Key]bool{}
		items := have.Sorted()
		for i, it := range items {
			k := it.Value.Key()
			held[k] = rapid.IntRange(0, 5).Draw(t, fmt.Sprint("held ", i)) == 0
			of := object.Relations{Keeps: drawKeys(t, fmt.Sprint("keeps ", i), items)}
			of.After = drawKeys(t, fmt.Sprint("needs ", i), items)
			l.items[k] = object.Item{Value: it.Value}.WithRelations(of)
		}
		p := plan.Diff(plan.Input{Have: have, Ledger: l, Keep: func(k object.Key, _ []object.Source) *object.Block {
			if held[k] {
				return &object.Block{Code: object.BlockHeld, Text: "drawn"}
			}
			return nil
		}})
		gone := map[object.Key]bool{}
		for _, op := range p.Ops {
			gone[op.Key()] = true
		}
		stays := map[object.Key]bool{}
		for _, n := range p.Notes {
			stays[n.Key] = true
		}
		needed := closure(have, l, stays)
		for _, n := range p.Notes {
			if !held[n.Key] && !needed[n.Key] {
				t.Fatalf("%s stays for no reason:\n%s", n.Key.Text(), p)
			}
		}
		for k := range needed {
			if gone[k] {
				t.Fatalf("%s goes, and something that stays needs it:\n%s", k.Text(), p)
			}
		}
	})
}

// drawKeys draws some keys of items.
func drawKeys(t *rapid.T, label string, items []object.Item) []object.Key {
	var out []object.Key
	for i := range rapid.IntRange(0, 2).Draw(t, label) {
		out = append(out, rapid.SampledFrom(items).Draw(t, fmt.Sprint(label, " ", i)).Value.Key())
	}
	return out
}

// closure is all that is needed by something in stays, in the plainest way.
func closure(have object.Set, l *ledger, stays map[object.Key]bool) map[object.Key]bool {
	needed := map[object.Key]bool{}
	for grew := true; grew; {
		grew = false
		for k, it := range have.All() {
			if !stays[k] && !needed[k] {
				continue
			}
			for _, need := range object.Stays(it.Value, l.items[k].Relations()) {
				for _, alt := range need.Alternatives() {
					if have.Has(alt) && !needed[alt] {
						needed[alt], grew = true, true
					}
				}
			}
		}
	}
	return needed
}

func bg() context.Context { return context.Background() }
