package state

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// What was certainly not made does not stay in the ledger, unless it was there before; what may
// have been made does.
func TestUntouched(t *testing.T) {
	at := file(t)
	db := open(t, at)
	link := func(name string) object.Link { return object.Link{Name: name, Type: object.LinkBridge, Up: true} }
	old, refused, unsure, made := link("old"), link("refused"), link("unsure"), link("made")
	do(t, db, build(old, nil))
	untouched := object.Untouched(errors.New("it exists"))
	p := plan.Plan{Ops: []plan.Op{build(old, nil), build(refused, nil), build(unsure, nil), build(made, nil)}}
	outcomes := []error{untouched, fmt.Errorf("create: %w", untouched), errors.New("no answer"), nil}
	if err := db.Begin(p); err != nil {
		t.Fatal(err)
	}
	for _, op := range p.Ops {
		if !db.Owned(op.Key()) {
			t.Errorf("%s is not in the ledger while it is made", op.Key().Text())
		}
	}
	if err := db.End(p, outcomes, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"memory", "the file"} {
		for i, want := range []bool{true, false, true, true} {
			if got := db.Owned(p.Ops[i].Key()); got != want {
				t.Errorf("in %s %s is ours: %t, want %t", where, p.Ops[i].Key().Text(), got, want)
			}
		}
		db = reopen(t, db, at)
	}
	if object.Untouched(nil) != nil || object.IsUntouched(nil) || object.IsUntouched(errors.New("refused")) {
		t.Error("what is no proof counts as one")
	}
}
