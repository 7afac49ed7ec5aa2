package file_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// What neighbours announce, and what is connected, comes back as written.
func TestLearned(t *testing.T) {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	snap := observe.Snapshot{
		Chassis: "hv1", SB: &observe.Southbound{}, OVS: &observe.OpenVSwitch{SystemID: "hv1"},
		Host: &observe.Host{Revision: 1, Addresses: []observe.DeviceAddress{{Dev: "eth0", Addr: addr("192.0.2.1"), Net: prefix("192.0.2.0/31")}}},
		Learned: &observe.Learned{Revision: 7, Unsettled: "1 of 2 sessions are up", Paths: []observe.LearnedPath{
			{Prefix: prefix("0.0.0.0/0"), NextHop: addr("192.0.2.0"), Peer: "192.0.2.0", Stale: true},
			{Prefix: prefix("::/0"), NextHop: addr("2001:db8::1"), LinkLocal: addr("fe80::1"), Peer: "fe80::1%eth0"},
		}},
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
	same := cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})
	if diff := cmp.Diff(snap.Learned, back.Learned, same); diff != "" {
		t.Errorf("learned (-written +read):\n%s", diff)
	}
	if diff := cmp.Diff(snap.Host.Addresses, back.Host.Addresses, same); diff != "" {
		t.Errorf("addresses (-written +read):\n%s", diff)
	}
}
