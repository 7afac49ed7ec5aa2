package evpn_test

import (
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
)

// TestGuards: a gateway that cannot be read holds its VNI, and a router MAC that is
// ours or a group's leads nowhere; each is reported.
func TestGuards(t *testing.T) {
	const route = "include evpn\nlearned type-5 10.9.0.0/24 rd 99.99.2.2:7 next-hop 99.99.2.2 vni 1001 rt 65000:1001 " +
		"router-mac "
	for _, tt := range []struct {
		name, story string
		hold        bool
	}{
		{"gateway", `include evpn
set cr-lrp-gw1 mac "fa:16:3e:74:e6:3b 172.24.4.999/24"`, true},
		{"our own MAC", route + "02:75:61:52:ab:7f", false},
		{"broadcast", route + "ff:ff:ff:ff:ff:ff", false},
		{"multicast", route + "01:00:5e:00:00:01", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			snap := snapshot(t, tt.story, "gw-1")
			res := desired.Compute(snap, nil, evpn.New(defaultConfig()))
			if len(res.Skipped) != 1 || res.Skipped[0].Hold != tt.hold {
				t.Errorf("skipped %v, want one that holds: %t", res.Skipped, tt.hold)
			}
			if n := res.Want.LenOf(object.KindFDB); n != 0 {
				t.Errorf("%d forwarding entries", n)
			}
		})
	}
}

// TestTables: only tables that are not ours yet are in question.
func TestTables(t *testing.T) {
	for text, want := range map[string][]uint32{
		"include evpn":                                    {1001},
		"include evpn\ntable 1001 foreign":                {1001}, // refused, and may become free
		"include evpn\nvrf vrf-1001 table 1001 ours":      nil,
		"include evpn\nvrf vrf-1001 table 1001":           {1001},
		"include evpn\nset cr-lrp-gw1 chassis gw-2":       nil,
		"include evpn\nset gw1 id neutron_bgpvpn:vni=254": nil, // the kernel's
	} {
		snap := snapshot(t, text, "gw-1")
		if got := evpn.New(defaultConfig()).Tables(nil, snap); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}
