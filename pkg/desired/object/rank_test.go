package object_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Of several values under one key that of the highest rank stands, whatever the
// order in which they come, and nobody's reasons or needs are lost.
func TestRankDecides(t *testing.T) {
	item := func(rank uint8, med uint32, row string) object.Item {
		p := object.NewPath(netip.MustParsePrefix("172.24.4.146/32"), object.OriginIGP)
		p.MED = object.MetricOf(med)
		need := object.Neigh{Dev: "br-ex", Addr: netip.AddrFrom4([4]byte{192, 0, 2, rank})}.Key()
		return object.Item{Value: p, Rank: rank, Why: []object.Source{{Row: row}}, After: []object.Key{need}}
	}
	// The first and the last want the same, so that equal values meet as well.
	three := []object.Item{item(1, 7, "low"), item(2, 8, "middle"), item(3, 7, "high")}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var s object.Set
		for _, i := range order {
			if err := s.Add(three[i]); err != nil {
				t.Fatalf("%v: %v", order, err)
			}
		}
		it, _ := s.Get(three[0].Value.Key())
		if it.Value != three[2].Value || it.Rank != 3 || len(it.Why) != 3 || len(it.After) != 3 {
			t.Errorf("%v: %s, rank %d, %d reasons, %d needs", order, it.Value.Attrs(), it.Rank, len(it.Why), len(it.After))
		}
	}
}

// Where ranks do not decide, the first one stands and the other is an error.
func TestEqualRanksConflict(t *testing.T) {
	for _, ranks := range [][2]uint8{{0, 0}, {0, 3}, {3, 0}, {3, 3}} {
		first := object.Item{Value: object.NewPath(netip.MustParsePrefix("192.0.2.1/32"), object.OriginIGP), Rank: ranks[0]}
		second := object.Item{Value: object.NewPath(netip.MustParsePrefix("192.0.2.1/32"), object.OriginEGP), Rank: ranks[1]}
		var s object.Set
		err := errors.Join(s.Add(first), s.Add(second))
		var conflict *object.ConflictError
		if !errors.As(err, &conflict) || !slices.Equal(object.Of[object.Path](s), []object.Path{first.Value.(object.Path)}) {
			t.Errorf("ranks %v: error %v, set %v", ranks, err, object.Of[object.Path](s))
		}
	}
}
