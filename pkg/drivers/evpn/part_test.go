package evpn

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestPanicAtVNI: after a panic at what a VNI consists of, some row of each object of it is held, those of its
// stations and of what is behind them among these.
func TestPanicAtVNI(t *testing.T) {
	s, err := story.Parse("include segment\nmade ovsee72aa80d49 on br-ex ofport 22")
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot("gw-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []Method{MethodVRF, MethodL2VNI} {
		d := New(Config{
			Expose: expose.DefaultOptions(), LocalIP: netip.MustParseAddr("99.99.1.1"), Port: 4789, TenantNetworks: true,
			Networks: []NetworkConfig{{
				NetworkRef: expose.NetworkRef{Network: "public", VLAN: 100}, Method: method, VNI: 2001,
			}},
		})
		p := d.newPass(nil, snap, new(object.Set))
		p.collect()
		var vni *overlay
		if method == MethodVRF {
			vni = &p.vrfs[0].overlay
		} else {
			vni = &p.segments[0].overlay
		}
		if p.part(vni, func() { panic("defect") }) {
			t.Fatal("the part returned")
		}
		held := map[string]bool{}
		for _, s := range p.Skips() {
			held[s.Row] = held[s.Row] || s.Hold
		}
		var whole object.Set
		d.Desired(snap, &whole)
		for _, it := range whole.Sorted() {
			isHeld := func(src object.Source) bool { return held[src.Row] }
			if it.Why[0].Rule != "E0" && !slices.ContainsFunc(it.Why, isHeld) {
				t.Errorf("%s: %s because of %v is not held by %v", method, object.Text(it.Value), it.Why, held)
			}
		}
	}
}
