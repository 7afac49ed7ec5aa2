package speaker

import (
	"net/netip"
	"reflect"
	"testing"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/config/oc"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

var families = []object.Family{object.IPv4Unicast, object.IPv6Unicast, object.L2VPNEVPN}

// A speaker has the tables of the families that are spoken here, and no others: GoBGP numbers
// them otherwise than RFC 4760.
func TestFamiliesOfTheSpeaker(t *testing.T) {
	var have []object.Family
	for _, n := range (Config{}).global().Families {
		wire, err := bgp.GetFamily(string(oc.IntToAfiSafiTypeMap[int(n)]))
		f, ok := FamilyOf(wire)
		if err != nil || !ok {
			t.Fatalf("family %d: %v, %v", n, wire, err)
		}
		have = append(have, f)
	}
	if !reflect.DeepEqual(have, families) {
		t.Errorf("tables of %v, want %v", have, families)
	}
}

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

// Every prefix comes back from GoBGP's octets, as it does from its values.
func TestPrefixRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addr := drawAddr(t, "addr")
		want := netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")).Masked()
		nlri, err := bgp.NewIPAddrPrefix(want)
		if err != nil {
			t.Fatal(err)
		}
		family := object.FamilyOf(addr)
		p := &apiutil.Path{Family: WireFamily(family), Nlri: nlri}
		wire, err := OctetsOf(p)
		if err != nil || len(wire.NLRI) != 1+(want.Bits()+7)/8 {
			t.Fatalf("%s has %d octets, %v", want, len(wire.NLRI), err)
		}
		again, err := wire.Path(p.Family)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*apiutil.Path{p, again} {
			if f, got, ok := PrefixOf(p); got != want || f != family || !ok {
				t.Fatalf("got %s, %s, %t, want %s", f, got, ok, want)
			}
		}
	})
}

// Octets that GoBGP cannot read are an error, in the NLRI and in an attribute.
func TestMalformedOctetsAreRefused(t *testing.T) {
	for _, o := range []Octets{
		{NLRI: nil},
		{NLRI: []byte{33, 10, 0, 0, 0, 0}},
		{NLRI: []byte{32, 10, 0, 0}},
		{NLRI: []byte{8, 10}, Attributes: [][]byte{{0x40, 1, 2, 0}}},
	} {
		if p, err := o.Path(bgp.RF_IPv4_UC); err == nil {
			t.Errorf("%+v is taken for %+v", o, p)
		}
	}
}

// A path of a message comes back as it was, with where it comes from.
func TestPathRoundTrip(t *testing.T) {
	want := &apiutil.Path{
		Family: bgp.RF_IPv4_UC, RemoteID: PathMark, Withdrawal: true,
		Attrs: []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(2)},
	}
	want.Nlri, _ = bgp.NewIPAddrPrefix(netip.MustParsePrefix("203.0.113.7/32"))
	m, err := pathToAPI(want)
	if err != nil {
		t.Fatal(err)
	}
	m.NeighborIp, m.Best, m.Stale, m.IsNexthopInvalid = "fe80::1%eth0", true, true, true
	got, err := pathFromAPI(m)
	if err != nil {
		t.Fatal(err)
	}
	want.PeerAddress, want.Best, want.Stale = netip.MustParseAddr("fe80::1%eth0"), true, true
	want.IsNexthopInvalid = true
	if !reflect.DeepEqual(got, want) || IsLocal(got) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
