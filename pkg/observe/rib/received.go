package rib

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// ReceivedPath is one path that a neighbour has sent, used or not.
type ReceivedPath struct {
	// Peer is the neighbour's address as configured.
	Peer   string
	Family object.Family
	// NLRI is the text of what is announced; Prefix the same of a unicast path.
	NLRI   string
	Prefix netip.Prefix
	// ID is the identifier of several paths for one NLRI (RFC 7911).
	ID               uint32
	NextHop          netip.Addr
	ASPath           string
	Origin           object.Origin
	MED, LocalPref   object.Metric
	Communities      []string
	LargeCommunities []string
	// OriginAS is the last AS number of ASPath; 0 if there is none, as in what a node of
	// our own AS has announced.
	OriginAS uint32
	// Originator is the BGP Identifier that a route reflector has put in (RFC 4456).
	Originator netip.Addr
	// Since is when the path came or was changed.
	Since time.Time
	// Stale is set while graceful restart keeps the path.
	Stale bool
	// Loop says that our own AS is in ASPath more often than it may be.
	Loop bool
	// NoNextHop says that the speaker cannot use the next hop.
	NoNextHop bool
}

// Received calls fn with each path of a neighbour, or of all of them with an empty address,
// in no order. within bounds them to a prefix and what it contains, unless it is the zero
// value; paths of EVPN are left out then. What GoBGP holds is not copied.
func (t *Table) Received(ctx context.Context, peer string, within netip.Prefix, fn func(*ReceivedPath)) error {
	peers, err := t.conn.Peers(ctx, "")
	if err != nil {
		return err
	}
	found := false
	for _, p := range peers {
		if address := p.GetConf().GetNeighborAddress(); peer == "" || peer == address {
			found = true
			if err := t.receivedFrom(ctx, p, within, fn); err != nil {
				return fmt.Errorf("list what %s announces: %w", address, err)
			}
		}
	}
	if !found && peer != "" {
		return fmt.Errorf("peer %.80q is not in the speaker; bgp-ovn bgp peers lists those that are", peer)
	}
	return nil
}

func (t *Table) receivedFrom(ctx context.Context, p *api.Peer, within netip.Prefix, fn func(*ReceivedPath)) error {
	address, own := p.GetConf().GetNeighborAddress(), p.GetConf().GetLocalAsn()
	for _, af := range p.GetAfiSafis() {
		family, ok := speaker.FamilyFromAPI(af.GetConfig().GetFamily())
		if !ok || af.GetState().GetReceived() == 0 || within.IsValid() && object.FamilyOf(within.Addr()) != family {
			continue
		}
		req := apiutil.ListPathRequest{
			TableType: api.TableType_TABLE_TYPE_ADJ_IN, Name: address, Family: speaker.WireFamily(family),
		}
		if within.IsValid() {
			req.Prefixes = []*apiutil.LookupPrefix{{Prefix: within.String(), LookupOption: apiutil.LOOKUP_LONGER}}
		}
		err := t.conn.ListPaths(ctx, req, func(paths []*apiutil.Path) {
			for _, path := range paths {
				r := receivedOf(path, family)
				r.Peer, r.Loop = address, speaker.Loops(path, own, speaker.AllowOwnASOf(p))
				fn(&r)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// receivedOf reads a path. What it lacks stays the zero value.
func receivedOf(p *apiutil.Path, family object.Family) ReceivedPath {
	r := ReceivedPath{
		Family: family, ID: p.RemoteID, Since: time.Unix(p.Age, 0), Stale: p.Stale, NoNextHop: p.IsNexthopInvalid,
	}
	if p.Nlri != nil {
		r.NLRI = p.Nlri.String()
	}
	if _, prefix, ok := speaker.PrefixOf(p); ok {
		r.Prefix, r.NLRI = prefix, prefix.String()
	}
	for _, attr := range p.Attrs {
		switch a := attr.(type) {
		case *bgp.PathAttributeOrigin:
			r.Origin = object.Origin(a.Value)
		case *bgp.PathAttributeAsPath:
			r.ASPath, r.OriginAS = asPathOf(a)
		case *bgp.PathAttributeMultiExitDisc:
			r.MED = object.MetricOf(a.Value)
		case *bgp.PathAttributeLocalPref:
			r.LocalPref = object.MetricOf(a.Value)
		case *bgp.PathAttributeNextHop:
			r.NextHop = addrOf(a.Value)
		case *bgp.PathAttributeMpReachNLRI:
			if r.NextHop = addrOf(a.Nexthop); !r.NextHop.IsValid() {
				r.NextHop = linkLocalOf(p, a)
			}
		case *bgp.PathAttributeOriginatorId:
			r.Originator = a.Value
		case *bgp.PathAttributeCommunities:
			for _, c := range a.Value {
				r.Communities = append(r.Communities, strconv.Itoa(int(c>>16))+":"+strconv.Itoa(int(c&0xffff)))
			}
		case *bgp.PathAttributeLargeCommunities:
			for _, c := range a.Values {
				r.LargeCommunities = append(r.LargeCommunities, c.String())
			}
		}
	}
	return r
}

// asPathOf prints AS_PATH, sets in braces, and returns the last number of a sequence.
func asPathOf(a *bgp.PathAttributeAsPath) (text string, last uint32) {
	var words []string
	for _, segment := range a.Value {
		var numbers []string
		for _, as := range segment.GetAS() {
			numbers = append(numbers, strconv.FormatUint(uint64(as), 10))
			last = as
		}
		switch segment.GetType() {
		case bgp.BGP_ASPATH_ATTR_TYPE_SEQ:
			words = append(words, numbers...)
		case bgp.BGP_ASPATH_ATTR_TYPE_SET, bgp.BGP_ASPATH_ATTR_TYPE_CONFED_SET:
			words = append(words, "{"+strings.Join(numbers, ",")+"}")
		default:
			words = append(words, "("+strings.Join(numbers, " ")+")")
		}
	}
	return strings.Join(words, " "), last
}
