package rib

import (
	"context"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

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
