package speaker

import (
	"encoding/binary"
	"net/netip"
	"testing"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
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
	for _, text := range []string{"", "192.0.2.1", "2001:db8::1"} {
		for _, allow := range []uint8{0, 1, 254, 255} {
			want, _ := netip.ParseAddr(text)
			p := described(Description(want, allow))
			p.Conf.AllowOwnAsn = AnyOwnAS
			if got := LocalAddressOf(p); got != want || AllowOwnASOf(p) != allow || !IsOurPeer(p) {
				t.Errorf("%q: local address %s, own AS %d, ours %t; want %s, %d, true", p.Conf.Description, got,
					AllowOwnASOf(p), IsOurPeer(p), want, allow)
			}
		}
	}
	for _, text := range []string{"bgp-ovn local-address x", "gateway local-address 192.0.2.1 allow-own-as 3"} {
		p := described(text)
		p.Conf.AllowOwnAsn = 2
		if got := LocalAddressOf(p); got.IsValid() || AllowOwnASOf(p) != 2 {
			t.Errorf("%q: local address %s, own AS %d, want none and GoBGP's", text, got, AllowOwnASOf(p))
		}
	}
}

// The limit that is configured is read back whatever room is added to it; a limit of GoBGP
// that we cannot have made, or have made without a mark, is what it is.
func TestPrefixLimitMark(t *testing.T) {
	for _, c := range []struct{ marked, have, want uint32 }{
		{0, 0, 0},
		{0, 100_000, 100_000},
		{10, 10, 10},
		{10, 11, 10},
		{10, 74, 10},
		{10, 13, 13},
		{10, 9, 9},
		{10, 0, 0},
		{1<<32 - 1, 1<<32 - 1, 1<<32 - 1},
	} {
		af := &api.AfiSafi{
			PrefixLimits: &api.PrefixLimit{MaxPrefixes: c.have}, UseMultiplePaths: PrefixLimitMark(c.marked),
		}
		if got := PrefixLimitOf(af); got != c.want {
			t.Errorf("limit %d of GoBGP marked with %d: %d, want %d", c.have, c.marked, got, c.want)
		}
	}
}

// Our own AS is counted in all segments.
func TestLoops(t *testing.T) {
	segments := []bgp.AsPathParamInterface{
		bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint32{65002, 65001}),
		bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SET, []uint32{65001, 65003}),
	}
	p := &apiutil.Path{Attrs: []bgp.PathAttributeInterface{
		bgp.NewPathAttributeOrigin(0), bgp.NewPathAttributeAsPath(segments),
	}}
	for allow, want := range []bool{true, true, false} {
		if got := Loops(p, 65001, uint8(allow)); got != want {
			t.Errorf("allowed %d times: loops %t, want %t", allow, got, want)
		}
	}
	if Loops(p, 65004, 0) || Loops(&apiutil.Path{}, 65001, 0) {
		t.Error("a path without our AS loops")
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
