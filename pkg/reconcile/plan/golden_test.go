package plan_test

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestPlans runs every file in testdata. It has the sections
//
//	want   one object a line; "! " before it: blocked; lines that begin with
//	       "needs" name what the object above needs beyond its device
//	have   one object a line; "* " before it: somebody else's;
//	       "ledger " before it: without a mark, but remembered with this value;
//	       "(TEXT) " before it: what a backend found of it
//	plan   what is expected, and json if the file has that section
func TestPlans(t *testing.T) {
	plans := golden.Suite{Given: []string{"want", "have"}, Want: []string{"plan", "json"}}
	plans.Run(t, func(t *testing.T, c *golden.Case) {
		in := plan.Input{Ledger: newLedger()}
		in.Want = parseWant(t, c.Section("want"))
		in.Have = parseHave(t, c.Section("have"), in.Ledger.(*ledger))
		c.Want("plan", plan.Diff(in).String())
		if !c.Has("json") {
			return
		}
		raw, err := json.MarshalIndent(plan.Diff(in), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		c.Want("json", string(raw)+"\n")
	})
}

func parseWant(t *testing.T, text string) object.Set {
	t.Helper()
	var items []object.Item
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if need, ok := strings.CutPrefix(line, "needs "); ok {
			last := &items[len(items)-1]
			last.After = append(last.After, parse(t, need).Key())
			continue
		}
		line, blocked := strings.CutPrefix(line, "! ")
		it := object.Item{Value: parse(t, line), Why: []object.Source{{
			Driver: "test", Rule: "R1", Table: "Port_Binding",
			Row: "vm",
		}}}
		if blocked {
			it.Block = &object.Block{Code: object.BlockNotWired, Text: "no patch port yet"}
		}
		items = append(items, it)
	}
	return add(t, items)
}

func parseHave(t *testing.T, text string, l *ledger) object.Set {
	t.Helper()
	var items []object.Item
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		line, foreign := strings.CutPrefix(line, "* ")
		line, remembered := strings.CutPrefix(line, "ledger ")
		var found *object.Found
		if rest, ok := strings.CutPrefix(line, "("); ok {
			what, after, _ := strings.Cut(rest, ") ")
			line, found = after, &object.Found{Deviates: what}
		}
		v := parse(t, line)
		items = append(items, object.Item{Value: v, Marked: !foreign && !remembered, Found: found})
		if remembered {
			l.own(v.Key())
			l.items[v.Key()] = object.Item{Value: v}
		}
	}
	return add(t, items)
}

func parse(t *testing.T, line string) object.Value {
	t.Helper()
	v, err := object.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func add(t *testing.T, items []object.Item) object.Set {
	t.Helper()
	var s object.Set
	for _, it := range items {
		if err := s.Add(it); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// ledger is an Ownership in memory that is kept as state.DB keeps its own.
type ledger struct {
	owned map[object.Key]bool
	prior map[object.Key]object.Value
	why   map[object.Key][]object.Source
	items map[object.Key]object.Item
}

func newLedger() *ledger {
	return &ledger{
		map[object.Key]bool{},
		map[object.Key]object.Value{},
		map[object.Key][]object.Source{},
		map[object.Key]object.Item{},
	}
}

func (l *ledger) own(k object.Key)                 { l.owned[k] = true }
func (l *ledger) Owned(k object.Key) bool          { return l.owned[k] }
func (l *ledger) Why(k object.Key) []object.Source { return l.why[k] }
func (l *ledger) Recorded(k object.Key) (object.Item, bool) {
	it, ok := l.items[k]
	return it, ok
}

func (l *ledger) Prior(k object.Key) (object.Value, bool) {
	v, ok := l.prior[k]
	return v, ok
}

func (l *ledger) Keys(kind object.Kind) []object.Key {
	var out []object.Key
	for k := range l.owned {
		if k.Kind == kind {
			out = append(out, k)
		}
	}
	return out
}

// Differ yields everything.
func (l *ledger) Differ(want object.Set) iter.Seq[object.Key] {
	return func(yield func(object.Key) bool) {
		for k := range want.All() {
			if !yield(k) {
				return
			}
		}
		for k := range l.owned {
			if !want.Has(k) && !yield(k) {
				return
			}
		}
	}
}

// begin and end do what the journal does before and after a plan that succeeds.
func (l *ledger) begin(p plan.Plan) {
	for _, op := range p.Ops {
		if op.Phase != plan.Build {
			continue
		}
		k := op.Key()
		if !l.owned[k] && k.Kind.IsSetting() && op.Before != nil {
			l.prior[k] = op.Before
		}
		l.owned[k], l.why[k] = true, op.Why
		l.items[k] = object.Item{Value: op.After, Why: op.Why}.WithRelations(op.Relations)
	}
}

func (l *ledger) end(p plan.Plan) {
	gone := slices.Clone(p.Forget)
	for _, op := range p.Ops {
		if op.Verb == plan.Restore || op.Verb == plan.Delete && op.Note != plan.NoteReplaced {
			gone = append(gone, op.Key())
		}
	}
	for _, k := range gone {
		delete(l.owned, k)
		delete(l.prior, k)
		delete(l.why, k)
		delete(l.items, k)
	}
}
