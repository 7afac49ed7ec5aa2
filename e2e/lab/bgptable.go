package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
)

// Family is an address family in FRR's words.
type Family string

// The families of the lab.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// Routes is FRR's BGP table: the next hops of all usable paths of each prefix,
// sorted. A path that graceful restart keeps as stale counts.
func (f *FRR) Routes(ctx context.Context, family Family) (map[netip.Prefix][]netip.Addr, error) {
	out, err := f.Vtysh(ctx, fmt.Sprintf("show bgp %s unicast json", family))
	if err != nil {
		return nil, err
	}
	return parseRoutes([]byte(out))
}

func parseRoutes(text []byte) (map[netip.Prefix][]netip.Addr, error) {
	var table struct {
		Routes map[netip.Prefix][]struct {
			Valid    bool `json:"valid"`
			NextHops []struct {
				IP    netip.Addr `json:"ip"`
				Scope string     `json:"scope"`
			} `json:"nexthops"`
		} `json:"routes"`
	}
	if err := json.Unmarshal(text, &table); err != nil {
		return nil, fmt.Errorf("read BGP table: %w", err)
	}
	routes := make(map[netip.Prefix][]netip.Addr)
	for prefix, paths := range table.Routes {
		for _, p := range paths {
			if !p.Valid {
				continue
			}
			for _, h := range p.NextHops {
				// An IPv6 path has a link-local next hop beside the global one.
				if h.Scope != "link-local" {
					routes[prefix] = append(routes[prefix], h.IP)
				}
			}
		}
		slices.SortFunc(routes[prefix], netip.Addr.Compare)
	}
	return routes, nil
}

// Peers maps every configured neighbour, an address or a link, to the state of its session.
func (f *FRR) Peers(ctx context.Context) (map[string]string, error) {
	out, err := f.Vtysh(ctx, "show bgp summary json")
	if err != nil {
		return nil, err
	}
	var families map[string]struct {
		Peers map[string]struct {
			State string `json:"state"`
		} `json:"peers"`
	}
	if err := json.Unmarshal([]byte(out), &families); err != nil {
		return nil, fmt.Errorf("read BGP summary: %w", err)
	}
	peers := make(map[string]string)
	for _, family := range families {
		for a, p := range family.Peers {
			peers[a] = p.State
		}
	}
	return peers, nil
}
