package plan_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// TestMemoryPlansTheSame holds plans made with a memory against those without one, over
// random changes of all that a plan depends on.
func TestMemoryPlansTheSame(t *testing.T) {
	seeds, steps := 40, 250
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		w := newPlanWalk(uint64(seed))
		var m plan.Memory
		if seed%2 == 1 {
			m.SetFew(2) // of these few objects, so that now and then all are looked at
		}
		for step := range steps {
			w.step()
			in := w.input()
			have, want := m.Diff(in), plan.Diff(in)
			if !reflect.DeepEqual(have, want) {
				t.Fatalf("seed %d, step %d: with memory\n%s\n%+v\nwithout\n%s\n%+v", seed, step, have, have.Ops, want, want.Ops)
			}
		}
	}
}

// Two notes may have the same key: one that says why what is wanted must not come, and one
// that says why what is there does not go yet. They are in the same order each time.
func TestNotesOfOneKey(t *testing.T) {
	v, err := object.Parse("path ipv4-unicast 10.0.0.1/32  next-hop self origin incomplete")
	if err != nil {
		t.Fatal(err)
	}
	var want, have object.Set
	want.Put(object.Item{Value: v, Block: &object.Block{Code: object.BlockProtected, Text: "drawn"}})
	have.Put(object.Item{Value: v, Marked: true})
	in := plan.Input{Want: want, Have: have, Ledger: newLedger(), Stuck: map[object.Key]string{v.Key(): "drawn"}}
	notes := plan.Diff(in).Notes
	if len(notes) != 2 || notes[0].Block.Code != object.BlockBackoff || notes[1].Block.Code != object.BlockProtected {
		t.Errorf("got %+v, want the two by their codes", notes)
	}
}

// planWalk changes an input of plans at random.
type planWalk struct {
	*rand.Rand
	values     [][]object.Value
	want, have object.Set
	ledger     *ledger
	in         plan.Input
}

func newPlanWalk(seed uint64) *planWalk {
	return &planWalk{Rand: rand.New(rand.NewPCG(seed, 7)), values: universe(), ledger: newLedger()}
}

// one reports true once in n times.
func (w *planWalk) one(n int) bool { return w.IntN(n) == 0 }

func (w *planWalk) value() object.Value {
	of := w.values[w.IntN(len(w.values))]
	return of[w.IntN(len(of))]
}

// step changes a few items of either set, copies of which others may have, and now and
// then the rest of the input.
func (w *planWalk) step() {
	if w.one(2) {
		w.want, w.have = w.want.Clone(), w.have.Clone()
	}
	for range w.IntN(4) {
		w.changeWant()
	}
	for range w.IntN(4) {
		w.changeHave()
	}
	if w.one(6) {
		w.unmark()
	}
	if w.one(2) {
		w.changeLedger()
	}
	if w.one(8) {
		w.changeRest()
	}
	if w.one(5) { // much has come true
		for _, it := range w.want.Sorted() {
			if it.Block == nil && !w.one(10) {
				w.have.Put(object.Item{Value: it.Value, Marked: it.Value.Key().Kind.HasMark()})
			}
		}
	}
}

func (w *planWalk) changeWant() {
	v := w.value()
	if w.one(3) {
		w.want.Remove(v.Key())
		return
	}
	it := object.Item{Value: v, Why: []object.Source{{Rule: "R1", Table: "Port_Binding", Row: fmt.Sprint(w.IntN(3))}}}
	if v.Key().Kind.IsPath() {
		for range w.IntN(3) {
			it.After = append(it.After, w.value().Key())
		}
		if w.one(3) {
			it.Shared = []object.Key{w.value().Key()}
		}
	}
	if w.one(8) {
		codes := []string{object.BlockNotWired, object.BlockProtected, object.BlockFiltered, object.BlockUnverified}
		it.Block = &object.Block{Code: codes[w.IntN(len(codes))], Text: "drawn"}
	}
	w.want.Put(it)
}

func (w *planWalk) changeHave() {
	v := w.value()
	if w.one(3) {
		w.have.Remove(v.Key())
		return
	}
	it := object.Item{Value: v, Marked: !w.one(4)}
	switch w.IntN(8) {
	case 0:
		it.Found = &object.Found{Deviates: "an MTU"}
	case 1:
		it.Found = &object.Found{Overridden: "a rule of others"}
	}
	w.have.Put(it)
}

// unmark makes something that is there as wanted, and cannot carry a mark, look as if
// another owner had it: the ledger alone tells whose it is.
func (w *planWalk) unmark() {
	for _, it := range w.want.Sorted() {
		if !it.Value.Key().Kind.HasMark() && w.one(3) {
			w.have.Put(object.Item{Value: it.Value, Found: &object.Found{Deviates: "another protocol"}})
			return
		}
	}
}

func (w *planWalk) changeLedger() {
	v := w.value()
	if it, there := w.have.Get(v.Key()); there && !w.one(3) {
		v = it.Value
	}
	if w.one(3) {
		delete(w.ledger.items, v.Key())
		return
	}
	w.ledger.own(v.Key())
	w.ledger.items[v.Key()] = object.Item{Value: v, After: []object.Key{w.value().Key()}}
}

func (w *planWalk) changeRest() {
	in := plan.Input{}
	some := func(n int) map[object.Key]string {
		out := map[object.Key]string{}
		for range w.IntN(n) {
			out[w.value().Key()] = "drawn"
		}
		return out
	}
	in.Waiting, in.Contested = some(3), some(3)
	if w.one(3) {
		in.Stuck = some(3)
	}
	kinds := object.Kinds()
	if w.one(5) {
		in.Unmanaged = []object.Kind{kinds[w.IntN(len(kinds))]}
	}
	if w.one(5) {
		in.Unread = []object.Kind{kinds[w.IntN(len(kinds))]}
	}
	in.Tidy = w.one(3)
	if n := w.IntN(4); n > 0 {
		in.Keep = func(k object.Key, _ []object.Source) *object.Block {
			if (len(k.String())+n)%3 == 0 {
				return &object.Block{Code: object.BlockHeld, Text: "drawn"}
			}
			return nil
		}
	}
	if n := w.IntN(4); n > 0 {
		in.Evict = func(v object.Value) *object.Block {
			if (len(v.Key().String())+n)%5 == 0 {
				return &object.Block{Code: object.BlockProtected, Text: "drawn"}
			}
			return nil
		}
	}
	w.in = in
}

func (w *planWalk) input() plan.Input {
	in := w.in
	in.Want, in.Have, in.Ledger = w.want, w.have, w.ledger
	in.Unmanaged = slices.Clone(in.Unmanaged)
	return in
}
