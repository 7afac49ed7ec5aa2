package rib

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
)

// FuzzMessage reads any octets as GoBGP reads what a neighbour sends, writes them again as
// it does for another process, and reads what is learned from them, as we do.
func FuzzMessage(f *testing.F) {
	for _, c := range speakertest.Malformed() {
		f.Add(c.TwoOctetAS, c.Messages)
		f.Add(false, c.Open)
	}
	families := map[bgp.Family]bgp.BGPAddPathMode{
		bgp.RF_IPv4_UC: bgp.BGP_ADD_PATH_NONE, bgp.RF_IPv6_UC: bgp.BGP_ADD_PATH_NONE, bgp.RF_EVPN: bgp.BGP_ADD_PATH_NONE,
	}
	from := sources{"192.0.2.2": {name: "192.0.2.2", external: true, own: 65001}}
	f.Fuzz(func(t *testing.T, twoOctets bool, raw []byte) {
		m, err := bgp.ParseBGPMessage(raw, &bgp.MarshallingOption{AddPath: families, Use2ByteAS: twoOctets})
		if m == nil || m.Body == nil {
			return
		}
		u, ok := m.Body.(*bgp.BGPUpdate)
		if !ok {
			return
		}
		if err == nil {
			_, err = bgp.ValidateUpdateMsg(u, families, true, false, false)
		}
		if !used(err) {
			return
		}
		for _, p := range pathsOf(u) {
			p.PeerAddress = netip.MustParseAddr("192.0.2.2")
			if octets, err := speaker.OctetsOf(p); err == nil {
				_, _ = octets.Path(p.Family)
			}
			bestOf([]*apiutil.Path{p}, from)
			if best := bestRemote([]*apiutil.Path{p}, from); best != nil && p.Family == bgp.RF_EVPN {
				_, _ = learnedEVPNOf(best)
			}
		}
	})
}

// used reports whether GoBGP takes paths from an UPDATE with an error: it does if the wrong
// attribute alone is left out (RFC 7606 section 2).
func used(err error) bool {
	var e *bgp.MessageError
	return err == nil || errors.As(err, &e) && e.ErrorHandling == bgp.ERROR_HANDLING_ATTRIBUTE_DISCARD
}

// pathsOf are the paths that an UPDATE announces.
func pathsOf(u *bgp.BGPUpdate) []*apiutil.Path {
	var out []*apiutil.Path
	for _, n := range u.NLRI {
		out = append(out, &apiutil.Path{Family: bgp.RF_IPv4_UC, Nlri: n.NLRI, Attrs: u.PathAttributes})
	}
	for _, a := range u.PathAttributes {
		if reach, ok := a.(*bgp.PathAttributeMpReachNLRI); ok {
			for _, n := range reach.Value {
				out = append(out, &apiutil.Path{
					Family: bgp.NewFamily(reach.AFI, reach.SAFI), Nlri: n.NLRI, Attrs: u.PathAttributes,
				})
			}
		}
	}
	return out
}
