package speaker

import (
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Octets are the NLRI and the path attributes of a path as they are on the wire (RFC
// 4271 section 4.3): what goes over gRPC, and what EVPN is read from and written as.
type Octets struct {
	NLRI       []byte
	Attributes [][]byte
}

// OctetsOf writes a path.
func OctetsOf(p *apiutil.Path) (o Octets, err error) {
	if o.NLRI, err = p.Nlri.Serialize(); err != nil {
		return o, fmt.Errorf("write the NLRI %s: %w", p.Nlri, err)
	}
	o.Attributes = make([][]byte, len(p.Attrs))
	for i, a := range p.Attrs {
		if o.Attributes[i], err = a.Serialize(); err != nil {
			return o, fmt.Errorf("write the attribute %s: %w", a, err)
		}
	}
	return o, nil
}

// Path is the inverse of OctetsOf for what they hold.
func (o Octets) Path(family bgp.Family) (*apiutil.Path, error) {
	p := &apiutil.Path{Family: family, Attrs: make([]bgp.PathAttributeInterface, len(o.Attributes))}
	var err error
	if p.Nlri, err = bgp.NLRIFromSlice(family, o.NLRI); err != nil {
		return nil, fmt.Errorf("read the NLRI % x: %w", o.NLRI, err)
	}
	for i, raw := range o.Attributes {
		if p.Attrs[i], err = bgp.GetPathAttribute(raw); err == nil {
			err = p.Attrs[i].DecodeFromBytes(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("read the attribute % x: %w", raw, err)
		}
	}
	return p, nil
}

// IsLocal reports whether a path originates in the speaker, and not at a neighbour.
func IsLocal(p *apiutil.Path) bool { return !p.PeerAddress.IsValid() }

// PrefixOf is the prefix of a unicast path.
func PrefixOf(p *apiutil.Path) (family object.Family, prefix netip.Prefix, ok bool) {
	n, ok := p.Nlri.(*bgp.IPAddrPrefix)
	if !ok {
		return 0, prefix, false
	}
	family, ok = FamilyOf(p.Family)
	return family, n.Prefix, ok
}
