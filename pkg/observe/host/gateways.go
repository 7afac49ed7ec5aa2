package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"golang.org/x/sys/unix"
)

// mostRoutes bounds how many routes of a family are looked at: another program may
// have the whole Internet in the main table. The kernel dumps default routes first
// (fib_table_dump in net/ipv4/fib_trie.c, fib6_walk in net/ipv6/ip6_fib.c).
const mostRoutes = 1 << 14

// gateway is one next hop of a route of others in the main table, behind the device
// with that index.
type gateway struct {
	dst   netip.Prefix
	via   netip.Addr
	index int
}

// readGateways reads the routes of the main table that are not ours and lead to a
// next hop. The caller holds refresh.
func (s *Source) readGateways(ctx context.Context) ([]gateway, error) {
	var all []gateway
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		var found []gateway
		rows := 0
		err := s.dumpTable(ctx, family, unix.RT_TABLE_MAIN, 0, func() { found, rows = nil, 0 }, func(m rtnl.Message) error {
			if rows++; rows > mostRoutes {
				return errFound
			}
			part, err := gatewaysFromMessage(m, s.cfg.RouteProtocol)
			found = append(found, part...)
			return err
		})
		if err != nil && !errors.Is(err, errFound) {
			return nil, fmt.Errorf("read the gateways of the main table: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// gatewaysFromMessage are the next hops of one route, none if it is ours, leads to no
// next hop or refuses traffic. A route without RTA_DST is a default route.
func gatewaysFromMessage(m rtnl.Message, ours uint8) (out []gateway, err error) {
	h, attrs, err := m.Route()
	if err != nil || h.Type != unix.RTN_UNICAST || h.Protocol == ours {
		return nil, err
	}
	dst := netip.IPv4Unspecified()
	if h.Family == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	one := gateway{}
	for attrs.Next() {
		switch attrs.Type {
		case unix.RTA_DST:
			dst = attrs.Addr()
		case unix.RTA_MULTIPATH:
			attrs.Nexthops(func(hop rtnl.RtNexthop, a *rtnl.Attrs) {
				g := gateway{index: int(hop.Index)}
				for a.Next() {
					g.hop(a)
				}
				out = append(out, g)
			})
		default:
			one.hop(&attrs)
		}
	}
	if one.via.IsValid() {
		out = append(out, one)
	}
	prefix, wrong := rtnl.Prefix(dst, h.DstLen)
	for i := range out {
		out[i].dst = prefix.Masked()
	}
	out = slices.DeleteFunc(out, func(g gateway) bool { return !g.via.IsValid() })
	return out, errors.Join(attrs.Err(), wrong)
}

// hop takes an attribute that says where a next hop is.
func (g *gateway) hop(a *rtnl.Attrs) {
	switch a.Type {
	case unix.RTA_GATEWAY:
		g.via = a.Addr()
	case unix.RTA_VIA: // a gateway of the other family (RFC 8950)
		g.via = a.Via()
	case unix.RTA_OIF:
		g.index = int(a.Uint32())
	}
}

// gatewayList names the devices of the gateways, in the order of a listing. The
// caller holds mu.
func (s *Source) gatewayList() []observe.Gateway {
	var out []observe.Gateway
	for _, g := range s.gateways {
		if l, ok := s.links[g.index]; ok {
			out = append(out, observe.Gateway{Dst: g.dst, Via: g.via, Dev: l.Name})
		}
	}
	sorting.Sort(out, func(a, b observe.Gateway) int {
		return cmp.Or(a.Dst.Addr().Compare(b.Dst.Addr()), cmp.Compare(a.Dst.Bits(), b.Dst.Bits()), a.Via.Compare(b.Via),
			strings.Compare(a.Dev, b.Dev))
	})
	return slices.Compact(out)
}
