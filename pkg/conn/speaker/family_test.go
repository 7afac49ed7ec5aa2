package speaker

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	api "github.com/osrg/gobgp/v3/api"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

var families = []object.Family{object.IPv4Unicast, object.IPv6Unicast, object.L2VPNEVPN}

// Every family comes back from GoBGP's form, and others are refused.
func TestFamilyRoundTrip(t *testing.T) {
	for _, want := range families {
		if got, ok := FamilyFromAPI(FamilyToAPI(want)); got != want || !ok {
			t.Errorf("got %s, %t, want %s", got, ok, want)
		}
	}
	for _, f := range []*api.Family{
		nil,
		{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_MPLS_VPN},
		{Afi: api.Family_AFI_L2VPN, Safi: api.Family_SAFI_UNICAST},
		{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_EVPN},
	} {
		if got, ok := FamilyFromAPI(f); ok {
			t.Errorf("%v is taken for %s", f, got)
		}
	}
}

// Every prefix comes back from its octets, of which there are no more than RFC 4271
// section 4.3 allows.
func TestPrefixRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addr := drawAddr(t, "addr")
		want := netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")).Masked()
		wire := NLRI(want)
		if len(wire) != 1+(want.Bits()+7)/8 {
			t.Fatalf("%s has %d octets", want, len(wire))
		}
		if got, ok := PrefixOf(object.FamilyOf(addr), wire); got != want || !ok {
			t.Fatalf("% x: got %s, %t, want %s", wire, got, ok, want)
		}
	})
}

// A length that the family does not have is refused.
func TestPrefixOfRefuses(t *testing.T) {
	for _, wire := range [][]byte{nil, {}, {33, 10, 0, 0, 0, 0}, {255}} {
		if got, ok := PrefixOf(object.IPv4Unicast, wire); ok {
			t.Errorf("% x is taken for %s", wire, got)
		}
	}
}

// GoBGP's listings report success when the context ends half-way.
func TestWhole(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	failed := errors.New("refused")
	if err := Whole(ctx, nil); err != nil {
		t.Errorf("got %v of a listing that came to its end", err)
	}
	if err := Whole(ctx, failed); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
	cancel()
	if err := Whole(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
