package bgp

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const (
	// maxVNI fits the 24 bits of a VXLAN header (RFC 7348 section 5).
	maxVNI = 1<<24 - 1
	// maxTargets leaves room for the rest in a message of 4096 octets, which
	// GoBGP would otherwise not send.
	maxTargets = 400
)

// encodeEVPN is the path as GoBGP takes it.
func encodeEVPN(p object.EVPNPath) (*apiutil.Path, error) {
	if err := validateEVPN(p); err != nil {
		return nil, err
	}
	octets, err := writeEVPN(p)
	if err != nil {
		return nil, fmt.Errorf("encode the path: %w", err)
	}
	path, err := octets.Path(bgp.RF_EVPN)
	if err != nil {
		return nil, err
	}
	path.RemoteID = speaker.PathMark
	return path, nil
}

// writeEVPN is the NLRI and the attributes on the wire. Every route offers VXLAN, which
// is what the label then means (RFC 8365 section 5.1.3). For a multicast route the VNI is
// not in the NLRI but in the tunnel attribute (RFC 7432 section 11.2).
func writeEVPN(p object.EVPNPath) (o speaker.Octets, err error) {
	r := speaker.EVPNRoute{Type: p.Type, RD: p.RD, MAC: p.MAC, Prefix: p.Prefix, Label: p.VNI}
	a := speaker.EVPNAttributes{
		Origin: p.Origin, NextHop: p.NextHop, Targets: p.Targets, RouterMAC: p.RouterMAC, Mobility: p.Mobility,
		MED: p.MED, Communities: p.Communities, LocalPref: p.LocalPref, Prepend: p.Prepend,
		Tunnels: []bgp.TunnelType{bgp.TUNNEL_TYPE_VXLAN},
	}
	if p.Type == object.EVPNMulticast {
		a.HasFlood, a.Flood, a.FloodType = true, p.VNI, bgp.PMSI_TUNNEL_TYPE_INGRESS_REPL
	}
	if o.NLRI, err = r.NLRI(); err != nil {
		return o, err
	}
	o.Attributes, err = a.Write(o.NLRI)
	return o, err
}

// decodeEVPN is the inverse of encodeEVPN.
func decodeEVPN(p *apiutil.Path) (path object.EVPNPath, clean, ok bool) {
	octets, err := speaker.OctetsOf(p)
	if err != nil {
		return path, false, false
	}
	return readEVPN(octets)
}

// readEVPN is the inverse of writeEVPN: clean is whether that would make the same
// octets. It is not ok for what cannot be one of ours.
func readEVPN(o speaker.Octets) (path object.EVPNPath, clean, ok bool) {
	r, err := speaker.ParseEVPN(o.NLRI)
	if err != nil {
		return path, false, false
	}
	a, whole := speaker.ReadEVPNAttributes(o.Attributes)
	path = object.EVPNPath{
		Type: r.Type, RD: r.RD, MAC: r.MAC, Prefix: r.Prefix, VNI: r.Label, NextHop: a.NextHop, Targets: a.Targets,
		RouterMAC: a.RouterMAC, Mobility: a.Mobility, Origin: a.Origin,
		MED: a.MED, Communities: a.Communities, LocalPref: a.LocalPref, Prepend: a.Prepend,
	}
	if r.Type == object.EVPNMulticast {
		path.VNI = a.Flood
	}
	again, err := writeEVPN(path)
	clean = whole && err == nil && bytes.Equal(again.NLRI, o.NLRI) && sameAttributes(again.Attributes, o.Attributes)
	return path, clean, true
}

// sameAttributes compares without regard to the order, which GoBGP changes when
// it adds an attribute.
func sameAttributes(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y []byte) bool { return bytes.Equal(x, y) }) {
			return false
		}
	}
	return true
}

// validateEVPN refuses what GoBGP would accept and announce wrongly, or what
// would come back otherwise than it was written.
func validateEVPN(p object.EVPNPath) error {
	canon, err := object.ParseRD(p.RD)
	targets, bad := object.RouteTargetsOf(p.Targets.List()...)
	switch {
	case err != nil:
		return err
	case canon != p.RD:
		return fmt.Errorf("route distinguisher %s: write it as %s", p.RD, canon)
	case bad != nil:
		return bad
	case targets.Empty():
		return errors.New("no route target: nobody would import the path")
	case targets != p.Targets:
		return fmt.Errorf("route targets %s: write them as %s", p.Targets, targets)
	case len(targets.List()) > maxTargets:
		return fmt.Errorf("%d route targets do not fit into a message: use %d at most", len(targets.List()), maxTargets)
	case p.VNI == 0 || p.VNI > maxVNI:
		return fmt.Errorf("VNI %d: use 1 to %d", p.VNI, maxVNI)
	case p.Origin > object.OriginIncomplete:
		return fmt.Errorf("origin %d is unknown", p.Origin)
	case isGroup(p.RouterMAC):
		return fmt.Errorf("router MAC %s is a group address", p.RouterMAC)
	}
	if err := validatePrepend(p.Prepend); err != nil {
		return err
	}
	if !isVTEP(p.NextHop) {
		return fmt.Errorf("next hop %s is not the address of a VTEP", p.NextHop)
	}
	return validateEVPNRoute(p)
}

// isVTEP reports whether neighbours can send VXLAN packets to the address, from
// wherever they are: a link-local one means something on one link only.
func isVTEP(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && a.Zone() == "" &&
		!a.Is4In6()
}

// validateEVPNRoute checks what depends on the type of the route.
func validateEVPNRoute(p object.EVPNPath) error {
	addr := p.Prefix.Addr()
	switch {
	case p.Prefix != p.Prefix.Masked() || addr.Is4In6():
		return fmt.Errorf("%s is not a prefix", p.Prefix)
	case p.Type == object.EVPNMacIP && (p.MAC.IsZero() || isGroup(p.MAC)):
		return fmt.Errorf("MAC %s is not that of a station", p.MAC)
	case p.Type == object.EVPNMacIP && p.Prefix.IsValid() && (!p.Prefix.IsSingleIP() || addr.IsUnspecified()):
		return fmt.Errorf("%s is not the address of a station", p.Prefix)
	case p.Type == object.EVPNMacIP:
		return nil
	case !p.MAC.IsZero() || p.Mobility.Set:
		return fmt.Errorf("a %s route has no MAC and does not move", p.Type)
	case p.Type == object.EVPNMulticast && (!p.Prefix.IsValid() || !p.Prefix.IsSingleIP() || addr.IsUnspecified()):
		return fmt.Errorf("%s is not the address of an originator", p.Prefix)
	case p.Type == object.EVPNMulticast && !p.RouterMAC.IsZero():
		return fmt.Errorf("a %s route has no router MAC", p.Type)
	case p.Type == object.EVPNMulticast:
		return nil
	case p.Type != object.EVPNPrefix:
		return fmt.Errorf("EVPN route %s is not supported", p.Type)
	case !p.Prefix.IsValid():
		return errors.New("a type-5 route needs a prefix")
	case p.RouterMAC.IsZero():
		return errors.New("a type-5 route needs the router's MAC (RFC 9136 section 4.4.1): neighbours would ignore it")
	}
	return nil
}

// isGroup reports the group bit (IEEE 802 section 8.2): no station has such a MAC.
func isGroup(m object.MAC) bool { return m[0]&1 != 0 }

// sameButMobility reports whether the speaker holds what is wanted and has put in
// a sequence number that was left to it: GoBGP announces a MAC of ours that a
// neighbour has announced before with a number one higher (RFC 7432 section 15).
// It takes no number for less than 0, and so begins with 0, which does not win
// against no number: whoever detects that a MAC has moved here announces 1.
func sameButMobility(have, want object.Value) bool {
	h, ok := have.(object.EVPNPath)
	w, isEVPN := want.(object.EVPNPath)
	if !ok || !isEVPN || w.Mobility.Set {
		return false
	}
	h.Mobility = object.Metric{}
	return h == w
}

// losesMobility reports whether an update lowers the sequence number, which
// GoBGP refuses while it holds the higher one.
func losesMobility(have, want object.Value) bool {
	h, ok := have.(object.EVPNPath)
	w, isEVPN := want.(object.EVPNPath)
	return ok && isEVPN && h.Mobility.Set && w.Mobility.Set && w.Mobility.Value < h.Mobility.Value
}
