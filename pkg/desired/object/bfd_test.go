package object_test

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// The text of a peer with BFD is read back as the same peer, whatever the profile is.
func TestPeerWithBFDAsText(t *testing.T) {
	for profile, b := range map[string]object.BFD{
		"300x3": {On: true}, "50x3": {On: true, Interval: 50}, "300x10-multihop": {On: true, Multiplier: 10, Multihop: true},
	} {
		p := object.Peer{Address: "192.0.2.1", Port: 179, AS: 65000, HoldTime: 90, BFD: b}
		p.Families = object.WordsOf("ipv4-unicast")
		if b.String() != profile || b != b.Canonical() {
			t.Errorf("%+v is printed as %s, want %s", b, b, profile)
		}
		got, err := object.Parse("peer " + p.String())
		if err != nil || got != object.Value(p) {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", p, got, err, p)
		}
	}
}
