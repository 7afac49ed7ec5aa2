package control

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// TestVNIOf: an answer has fields for whatever a VNI has, and beside them a line for
// people.
func TestVNIOf(t *testing.T) {
	for want, v := range map[string]reconcile.VNI{
		`{"vni":7,"vxlan":"vxlan-7","bridge":"br-7","vrf":"vrf-7","table":7,"vtep":"192.0.2.1",` +
			`"router_mac":"02:00:00:00:00:07","rds":["a"],"route_targets":["b"],"import_targets":["c"],` +
			`"legs":[{"device":"veth-vrf-7","peer":"veth-ovs-7","bridge":"br-ex","ofport":3,` +
			`"line":"veth-vrf-7 - veth-ovs-7 on br-ex ofport 3"}],"announced":[],` +
			`"local":[{"destination":"10.0.0.0/24","next_hops":[{"address":null,"device":"veth-vrf-7"}],` +
			`"line":"10.0.0.0/24 dev veth-vrf-7"}],` +
			`"remote":[{"destination":"10.1.0.0/24","next_hops":[{"address":"192.0.2.2","device":"br-7"}],` +
			`"line":"10.1.0.0/24 dev br-7 via 192.0.2.2"}],` +
			`"vteps":[{"address":"192.0.2.2","router_mac":"02:00:00:00:00:08","routes":2,` +
			`"line":"192.0.2.2 router-mac 02:00:00:00:00:08 routes 2"}],` +
			`"stations":[{"mac":"02:00:00:00:00:09","address":null,"vtep":"192.0.2.2",` +
			`"line":"02:00:00:00:00:09 at 192.0.2.2"}],` +
			`"unused":[{"table":"Port_Binding","row":"vm","code":"conflict","text":"two ports"}],` +
			`"missing":[{"kind":"link","key":"vxlan-7","verb":"create","line":"link vxlan-7: to create"},` +
			`{"kind":"link","key":"br-7","code":"foreign","text":"a bridge of another owner",` +
			`"line":"link br-7: foreign: a bridge of another owner"}]}`: {
			VNI: 7, VXLAN: "vxlan-7", Bridge: "br-7", VRF: "vrf-7", Table: 7, VTEP: netip.MustParseAddr("192.0.2.1"),
			RouterMAC: object.MAC{2, 0, 0, 0, 0, 7}, RDs: []string{"a"}, Targets: []string{"b"}, Imports: []string{"c"},
			Legs: []reconcile.Leg{{
				Dev: "veth-vrf-7", Peer: "veth-ovs-7",
				Port: reconcile.SwitchPort{Bridge: "br-ex", Number: 3},
			}},
			Local: []object.Route{{Dst: netip.MustParsePrefix("10.0.0.0/24"), Dev: "veth-vrf-7", Table: 7}},
			Remote: []object.Route{{
				Dst: netip.MustParsePrefix("10.1.0.0/24"), Dev: "br-7", Via: netip.MustParseAddr("192.0.2.2"), Table: 7,
			}},
			VTEPs: []reconcile.VTEP{{
				Addr: netip.MustParseAddr("192.0.2.2"), RouterMAC: object.MAC{2, 0, 0, 0, 0, 8},
				Routes: 2,
			}},
			Stations: []reconcile.Station{{MAC: object.MAC{2, 0, 0, 0, 0, 9}, VTEP: netip.MustParseAddr("192.0.2.2")}},
			Unused:   []observe.Skip{{Table: "Port_Binding", Row: "vm", Code: observe.SkipConflict, Text: "two ports"}},
			Missing: []reconcile.Missing{
				{Key: object.Link{Name: "vxlan-7"}.Key(), Verb: "create"},
				{
					Key:   object.Link{Name: "br-7"}.Key(),
					Block: object.Block{Code: object.BlockForeign, Text: "a bridge of another owner"},
				},
			},
		},
		`{"vni":8,"vxlan":"","bridge":"","vtep":"2001:db8::1","rds":[],"route_targets":[],"import_targets":[],` +
			`"legs":[],"announced":[],"local":[],"remote":[],"vteps":[],"stations":[],"unused":[],"missing":[]}`: {
			VNI: 8, VTEP: netip.MustParseAddr("2001:db8::1"),
		},
	} {
		out, err := VNIOf(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(out)
		if err != nil || string(got) != want {
			t.Errorf("got\n%s, %v, want\n%s", got, err, want)
		}
	}
}
