package bgp_test

import (
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// TestEverywhere: what the driver says of all chassis together is what it derives for each
// of them, for dumps of a real OVN.
func TestEverywhere(t *testing.T) {
	found := 0
	for name := range expectations(t) {
		t.Run(name, func(t *testing.T) {
			snap, err := file.Read(filepath.Join(fixtures, name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			d := bgp.New(fixtureConfig(t, "off"))
			var want, got []netip.Prefix
			for _, c := range snap.Southbound.Chassis {
				view, err := snap.Snapshot(c.Name)
				if err != nil {
					continue // a chassis of which the dump has no Open_vSwitch database
				}
				want = append(want, placed(desired.Compute(view, nil, d).Want)...)
				got = d.Everywhere(view.SB)
			}
			slices.SortFunc(want, object.ComparePrefix)
			found += len(got)
			same := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
			if diff := cmp.Diff(slices.Compact(want), got, same); diff != "" {
				t.Errorf("all chassis one by one (-), everywhere (+):\n%s", diff)
			}
		})
	}
	if found < 20 {
		t.Errorf("only %d addresses in all dumps", found)
	}
}

// placed are the addresses of a set that one row puts on one chassis.
func placed(s object.Set) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range object.Of[object.Path](s) {
		it, _ := s.Get(p.Key())
		switch expose.ClassOf(it) {
		case expose.ClassProvider, expose.ClassFIP, expose.ClassGateway:
			out = append(out, p.Prefix)
		}
	}
	return out
}
