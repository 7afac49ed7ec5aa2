package reconcile_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// What is there after a round is what was read and what its steps made of it: a step that
// failed changes nothing.
func TestThereAfterRound(t *testing.T) {
	path := func(last byte) object.Value {
		return object.NewPath(netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, last}), 32), object.OriginIncomplete)
	}
	var r reconcile.Round
	for last := range byte(3) {
		r.Have.Put(object.Item{Value: path(last)})
	}
	failed := errors.New("refused")
	for _, step := range []struct {
		op  plan.Op
		err error
	}{
		{plan.Op{Verb: plan.Delete, Before: path(1)}, nil},
		{plan.Op{Verb: plan.Delete, Before: path(2)}, failed},
		{plan.Op{Verb: plan.Create, After: path(3)}, nil},
		{plan.Op{Verb: plan.Create, After: path(4)}, failed},
	} {
		r.Plan.Ops, r.Outcomes = append(r.Plan.Ops, step.op), append(r.Outcomes, step.err)
	}
	there := r.There()
	for last, want := range []bool{true, false, true, true, false} {
		if got := there(path(byte(last)).Key()); got != want {
			t.Errorf("%v is there: %t, want %t", path(byte(last)).Key(), got, want)
		}
	}
}
