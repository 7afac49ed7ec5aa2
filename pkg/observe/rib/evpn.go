package rib

import (
	"context"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// listEVPN lists the best path of each NLRI, in the speaker's order.
func (s *Source) listEVPN(ctx context.Context) ([]observe.EVPNRoute, error) {
	list, err := s.cfg.Speaker.LearnedEVPN(ctx)
	if err != nil {
		return nil, err
	}
	var out []observe.EVPNRoute
	for _, p := range list {
		out = append(out, routeOf(p))
	}
	return out, nil
}

func routeOf(p bgp.LearnedEVPN) observe.EVPNRoute {
	return observe.EVPNRoute{
		Type: p.Type, RD: p.RD, EthernetTag: p.EthernetTag, Segment: p.Segment, MAC: p.MAC, Prefix: p.Prefix, Gateway: p.Gateway,
		VNI: p.VNI, VNI2: p.VNI2, NextHop: p.NextHop, Targets: p.Targets, RouterMAC: p.RouterMAC, Mobility: p.Mobility, Sticky: p.Sticky,
		Rank: observe.Rank{Preference: p.Preference, Length: p.Length, Origin: p.Origin, MED: p.MED, External: p.External},
		Peer: p.Peer, Stale: p.Stale,
	}
}

// noRoute asks for each distinct next hop whether a route leads there.
func (s *Source) noRoute(ctx context.Context, routes []observe.EVPNRoute) ([]netip.Addr, error) {
	if s.cfg.Resolver == nil || len(routes) == 0 {
		return nil, nil
	}
	seen := make(map[netip.Addr]struct{})
	var hops []netip.Addr
	for _, r := range routes {
		if _, ok := seen[r.NextHop]; !ok {
			seen[r.NextHop] = struct{}{}
			hops = append(hops, r.NextHop)
		}
	}
	slices.SortFunc(hops, netip.Addr.Compare)
	return s.cfg.Resolver.NoRoute(ctx, hops)
}
