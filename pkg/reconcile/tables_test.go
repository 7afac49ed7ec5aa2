package reconcile

import (
	"context"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestTablesAreInspected: a VNI does not get a routing table before it is known whether others
// have it. Each table is asked for once a round, whatever comes of it.
func TestTablesAreInspected(t *testing.T) {
	s, err := story.Parse("include evpn")
	if err != nil {
		t.Fatal(err)
	}
	var asked [][]uint32
	n := newNode(t, "gw-1", s, defaults(), func(c *Config) {
		c.Drivers = []desired.Driver{evpn.New(evpnConfig(t, "99.99.1.1"))}
		c.InspectTables = func(_ context.Context, tables []uint32) bool {
			asked = append(asked, tables)
			if err := s.Tell("table 1001 foreign"); err != nil {
				t.Error(err)
			}
			return true
		}
	})
	r, err := n.c.Plan(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if r.Want.Has(object.Link{Name: "vrf-1001"}.Key()) {
		t.Error("the VRF is to have a table with routes of others")
	}
	if len(asked) != 1 || !slices.Equal(asked[0], []uint32{1001}) {
		t.Errorf("asked for %v, want 1001 once", asked)
	}
}
