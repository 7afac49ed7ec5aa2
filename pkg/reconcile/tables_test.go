package reconcile

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/native"
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

// TestSharedTables: what others have in the table of a router of OVN is known before anything is
// derived from it.
func TestSharedTables(t *testing.T) {
	s, err := story.Parse("include native\nadvertised a1 on lr0 port lrp-ext prefix 172.24.4.100\n")
	if err != nil {
		t.Fatal(err)
	}
	var asked [][]uint32
	n := newNode(t, "hv1", s, defaults(), func(c *Config) {
		conf := native.Defaults()
		conf.Expose, conf.RequireKernel = expose.DefaultOptions(), true
		c.Drivers = []desired.Driver{native.New(conf)}
		c.InspectTables = func(context.Context, []uint32) bool { return false }
		c.WatchTables = func(_ context.Context, tables []uint32) bool {
			asked = append(asked, tables)
			if err := s.Tell("watched 172.24.4.100/32 table 7 proto 84"); err != nil {
				t.Error(err)
			}
			return true
		}
	})
	r, err := n.c.Plan(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	path := object.NewPath(netip.MustParsePrefix("172.24.4.100/32"), object.OriginIncomplete).Key()
	if it, ok := r.Want.Get(path); !ok || it.Block != nil {
		t.Errorf("the path is wanted: %t, blocked: %v", ok, it.Block)
	}
	if len(asked) != 1 || !slices.Equal(asked[0], []uint32{7}) {
		t.Errorf("asked for %v, want 7 once", asked)
	}
}
