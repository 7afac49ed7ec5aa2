package control

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// An answer has the JSON of the view that it is made of.
func TestVNIOf(t *testing.T) {
	for _, v := range []reconcile.VNI{
		{
			VNI: 7, VXLAN: "vxlan-7", Bridge: "br-7", VRF: "vrf-7", Table: 7, VTEP: netip.MustParseAddr("192.0.2.1"),
			RouterMAC: object.MAC{2, 0, 0, 0, 0, 7}, RDs: []string{"a"}, Targets: []string{"b"}, Imports: []string{"c"},
			Legs: []reconcile.Leg{{
				Dev: "veth-vrf-7", Peer: "veth-ovs-7",
				Port: reconcile.SwitchPort{Bridge: "br-ex", Number: 3},
			}},
			Announced: []string{"d"}, Local: []string{"e"}, Remote: []string{"f"},
			VTEPs: []reconcile.VTEP{{
				Addr: netip.MustParseAddr("192.0.2.2"), RouterMAC: object.MAC{2, 0, 0, 0, 0, 8},
				Routes: 2,
			}},
			Stations: []reconcile.Station{{MAC: object.MAC{2, 0, 0, 0, 0, 9}, VTEP: netip.MustParseAddr("192.0.2.2")}},
			Unused:   []string{"g"}, Missing: []string{"h"},
		},
		{
			VNI: 8, VTEP: netip.MustParseAddr("2001:db8::1"), Legs: []reconcile.Leg{}, VTEPs: []reconcile.VTEP{},
			Stations: []reconcile.Station{},
		},
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(VNIOf(v))
		if err != nil || string(got) != string(want) {
			t.Errorf("got\n%s, %v, want\n%s", got, err, want)
		}
	}
}
