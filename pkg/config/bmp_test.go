package config

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// A station needs no more than its address, and several on one host differ in their ports.
func TestBMPStations(t *testing.T) {
	s, problems := Read("c.yaml", []byte(`bgp: {bmp: [{address: 192.0.2.50}, `+
		`{address: 192.0.2.50, port: 5000, policy: local-rib, statistics: 60}]}`))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddr("192.0.2.50")
	want := []BMPStation{{at, 11019, "all", 0}, {at, 5000, "local-rib", 60}}
	if !slices.Equal(s.BGP.BMP, want) {
		t.Errorf("got %+v, want %+v", s.BGP.BMP, want)
	}
}

// The policies are those of the speaker.
func TestBMPPolicies(t *testing.T) {
	have := bmpPolicies()
	for _, p := range speaker.Policies() {
		if !slices.Contains(have, string(p)) {
			t.Errorf("%s is missing", p)
		}
	}
	if len(have) != len(speaker.Policies()) {
		t.Errorf("got %q", have)
	}
}
