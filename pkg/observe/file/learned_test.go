package file_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// What neighbours announce, and what is connected, comes back as written.
func TestLearned(t *testing.T) {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	snap := observe.Snapshot{
		Chassis: "hv1", SB: &observe.Southbound{}, OVS: &observe.OpenVSwitch{SystemID: "hv1"},
		Host: &observe.Host{Revision: 1, Addresses: []observe.DeviceAddress{{
			Dev: "eth0", Addr: addr("192.0.2.1"),
			Net: prefix("192.0.2.0/31"),
		}}},
		Learned: &observe.Learned{Revision: 7, Unsettled: "1 of 2 sessions are up", Paths: []observe.LearnedPath{
			{Prefix: prefix("0.0.0.0/0"), NextHop: addr("192.0.2.0"), Peer: "192.0.2.0", Stale: true},
			{Prefix: prefix("::/0"), NextHop: addr("2001:db8::1"), LinkLocal: addr("fe80::1"), Peer: "fe80::1%eth0"},
		}, EVPN: []observe.EVPNRoute{
			{
				Type: object.EVPNMacIP, RD: "192.0.2.9:7", EthernetTag: 5, Segment: "00:01:02:03:04:05:06:07:08:09",
				MAC:    object.MAC{0xfa, 0x16, 0x3e, 0, 0, 1},
				Prefix: prefix("10.0.0.5/32"), VNI: 70000, VNI2: 1001, NextHop: addr("192.0.2.9"),
				Targets:   object.WordsOf("64999:1001", "65000:7"),
				RouterMAC: object.MAC{2, 0, 0, 0, 0, 9}, Mobility: object.MetricOf(0), Sticky: true, Peer: "192.0.2.0", Stale: true,
				Rank: observe.Rank{Preference: 100, Length: 2, Origin: object.OriginIncomplete, MED: 7, External: true},
			},
			{Type: object.EVPNMulticast, RD: "1:1", Prefix: prefix("192.0.2.9/32"), VNI: 7, NextHop: addr("192.0.2.9")},
			{
				Type: object.EVPNPrefix, RD: "1:1", Prefix: prefix("2001:db8::/64"), Gateway: addr("2001:db8::9"), VNI: 7,
				NextHop: addr("2001:db8:ffff::9"),
			},
		}, NoRoute: []netip.Addr{addr("192.0.2.9"), addr("2001:db8:ffff::9")}},
	}
	var text bytes.Buffer
	if err := file.Write(&text, snap); err != nil {
		t.Fatal(err)
	}
	f, err := file.Decode(&text)
	if err != nil {
		t.Fatal(err)
	}
	back, err := f.Snapshot("hv1")
	if err != nil {
		t.Fatal(err)
	}
	same := cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, object.Words{}, object.Metric{})
	if diff := cmp.Diff(snap.Learned, back.Learned, same); diff != "" {
		t.Errorf("learned (-written +read):\n%s", diff)
	}
	if diff := cmp.Diff(snap.Host.Addresses, back.Host.Addresses, same); diff != "" {
		t.Errorf("addresses (-written +read):\n%s", diff)
	}
}
