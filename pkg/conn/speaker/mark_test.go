package speaker

import (
	"encoding/binary"
	"net/netip"
	"testing"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// described is a peer with a description.
func described(text string) *api.Peer { return &api.Peer{Conf: &api.PeerConf{Description: text}} }

// A peer is ours if its description begins with our mark as a word of its own.
func TestIsOurPeer(t *testing.T) {
	for text, want := range map[string]bool{
		"bgp-ovn":                         true,
		"bgp-ovn local-address 192.0.2.1": true,
		"":                                false,
		"bgp-ovn2":                        false,
		"the bgp-ovn peer":                false,
		"BGP-OVN":                         false,
	} {
		if got := IsOurPeer(described(text)); got != want {
			t.Errorf("description %q: ours %t, want %t", text, got, want)
		}
	}
	if IsOurPeer(&api.Peer{}) {
		t.Error("a peer without a configuration is taken for ours")
	}
}

// What a description holds is read back, and such a peer is ours.
func TestDescriptionRoundTrip(t *testing.T) {
	for _, text := range []string{"192.0.2.1", "2001:db8::1"} {
		want := netip.MustParseAddr(text)
		p := described(Description(want))
		if got := LocalAddressOf(p); got != want || !IsOurPeer(p) {
			t.Errorf("%q: local address %s, ours %t; want %s, true", p.Conf.Description, got, IsOurPeer(p), want)
		}
	}
	without := Description(netip.Addr{})
	for _, text := range []string{without, "bgp-ovn local-address x", "gateway local-address 192.0.2.1"} {
		if got := LocalAddressOf(described(text)); got.IsValid() {
			t.Errorf("%q: local address %s, want none", text, got)
		}
	}
}

// A path is ours by its identifier alone.
func TestIsOurPath(t *testing.T) {
	for id, want := range map[uint32]bool{PathMark: true, 0: false, PathMark + 1: false} {
		if got := IsOurPath(&apiutil.Path{RemoteID: id}); got != want {
			t.Errorf("identifier %#x: ours %t, want %t", id, got, want)
		}
	}
	if text := string(binary.BigEndian.AppendUint32(nil, PathMark)); text != "bgpo" {
		t.Errorf("the mark is %q", text)
	}
}
