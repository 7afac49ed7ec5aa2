package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// outlet is what is announced on a session. GoBGP could be asked: it keeps no
// record of what it has sent either, but computes it from the whole table, and
// its one loop does nothing else meanwhile: 0.4 s at 100,000 paths.
type outlet struct {
	local    netip.Addr      // our end, without a zone
	families []object.Family // what the neighbour takes
	graceful bool            // the neighbour supports graceful restart
	held     bool            // everything waits for End-of-RIB markers
}

// outletOf reads the capabilities from the neighbour's OPEN (RFC 5492). A
// session that is not up lets nothing out.
func outletOf(p *api.Peer, recorded speaker.Session) outlet {
	if speaker.StateOf(p) != Established {
		return outlet{}
	}
	local, _ := netip.ParseAddr(p.GetTransport().GetLocalAddress())
	out := outlet{local: local.WithZone("").Unmap(), held: isRestarting(p) && !recorded.Released}
	for _, c := range p.GetState().GetRemoteCap() {
		if m := c.GetMultiProtocol(); m != nil {
			if f, ok := speaker.FamilyFromAPI(m.GetFamily()); ok {
				out.families = append(out.families, f)
			}
		}
		out.graceful = out.graceful || c.GetGracefulRestart() != nil
	}
	return out
}

// hop is the next hop that a path of ours leaves with, if it does. It follows
// exportPolicy.
func (o outlet) hop(p object.Path) (netip.Addr, bool) {
	switch {
	case o.held || !slices.Contains(o.families, p.Family):
		return netip.Addr{}, false
	case p.NextHop.IsValid():
		return p.NextHop.Addr, true
	case p.Family == object.IPv6Unicast && o.local.Is4():
		return netip.Addr{}, false
	}
	return o.local, true
}

// count is how many of the paths leave.
func (o outlet) count(family object.Family, paths object.Set) uint64 {
	if !slices.Contains(o.families, family) {
		return 0
	}
	if family == object.L2VPNEVPN {
		if o.held {
			return 0
		}
		return uint64(paths.LenOf(object.KindEVPN))
	}
	var n uint64
	for _, it := range paths.AllOf(object.KindPath) {
		if p, ok := it.Value.(object.Path); ok && p.Family == family {
			if _, leaves := o.hop(p); leaves {
				n++
			}
		}
	}
	return n
}

// Advertised reports whether the prefix is announced to the peer, and with
// which next hop: it is if GoBGP's table has it, from us, and the session lets
// it out.
func (b *Backend) Advertised(
	ctx context.Context, peer string, prefix netip.Prefix,
) (hop netip.Addr, sent bool, err error) {
	list, err := b.speaker.Peers(ctx, peer)
	if err != nil || len(list) != 1 {
		return hop, false, err
	}
	out := outletOf(list[0], b.speaker.Sessions.Of(peer))
	req := apiutil.ListPathRequest{
		TableType: api.TableType_TABLE_TYPE_GLOBAL,
		Family:    speaker.WireFamily(object.FamilyOf(prefix.Addr())),
		Prefixes:  []*apiutil.LookupPrefix{{Prefix: prefix.String()}},
	}
	err = b.speaker.ListPaths(ctx, req, func(paths []*apiutil.Path) {
		for _, p := range paths {
			if !speaker.IsOurPath(p) || !speaker.IsLocal(p) || !p.Best {
				continue
			}
			if path, clean := decode(p); clean && path.Prefix == prefix {
				hop, sent = out.hop(path)
			}
		}
	})
	if err != nil {
		return hop, false, fmt.Errorf("look up %s: %w", prefix, err)
	}
	return hop, sent, nil
}
