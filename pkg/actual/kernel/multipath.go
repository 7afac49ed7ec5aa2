package kernel

import (
	"net/netip"
	"strconv"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// nexthop is one of several next hops of a route (struct rtnexthop).
type nexthop struct {
	via    netip.Addr
	device uint32
}

// nexthops resolves the devices of a route: of its one next hop, or of several.
func (b *Backend) nexthops(r object.Route) (device uint32, hops []nexthop, err error) {
	if r.Unreachable {
		return 0, nil, nil
	}
	if r.Hops.Empty() {
		device, err = b.links.index(r.Dev)
		return device, nil, err
	}
	for _, h := range r.NextHops() {
		index, err := b.links.index(h.Dev)
		if err != nil {
			return 0, nil, err
		}
		hops = append(hops, nexthop{h.Via, index})
	}
	return 0, hops, nil
}

// hopFlags are those with which a next hop through a gateway is written.
func hopFlags(via netip.Addr) uint8 {
	if object.OnLink(via) {
		return unix.RTNH_F_ONLINK
	}
	return 0
}

// excessive reports whether a next hop has a flag that it is not written with now and
// was by earlier versions: such a route is replaced in place.
func excessive(flags uint8, via netip.Addr) bool { return flags&unix.RTNH_F_ONLINK&^hopFlags(via) != 0 }

// multipathToRequest adds RTA_MULTIPATH.
// The device of each next hop has to be up: one that is down has the whole route
// refused with ENETDOWN (fib_check_nh in net/ipv4/fib_semantics.c, fib6_nh_init in
// net/ipv6/route.c).
func multipathToRequest(q *rtnl.Batch, family uint8, hops []nexthop) {
	end := q.Group(unix.RTA_MULTIPATH)
	for _, h := range hops {
		hop := q.Nexthop(rtnl.RtNexthop{Flags: hopFlags(h.via), Index: h.device})
		gatewayToRequest(q, family, h.via)
		hop()
	}
	end()
}

// multipath is the inverse of multipathToRequest. What [object.Route] cannot
// express, weights and hops without a gateway, is marked as such.
// Of the flags of a next hop onlink alone is compared: the kernel reports state in the
// others, such as RTNH_F_DEAD and RTNH_F_LINKDOWN, that is no part of the configuration.
func (r *route) multipath(a *rtnl.Attrs, names *links) {
	var hops []object.Hop
	plain := true
	a.Nexthops(func(h rtnl.RtNexthop, attrs *rtnl.Attrs) {
		via, ok := gatewayOf(attrs)
		name, resolved := names.name(h.Index)
		r.unresolved = r.unresolved || !resolved
		plain = plain && ok && resolved && h.Weight == 0 && !excessive(h.Flags, via)
		hops = append(hops, object.Hop{Via: via, Dev: name})
	})
	if !plain || len(hops) == 0 {
		r.mark("nexthops/" + strconv.Itoa(len(hops)))
		return
	}
	if !r.inexpressible {
		r.Route = r.WithHops(hops...)
	}
}

// gatewayOf reads the attributes of one next hop; false if there is no gateway
// or something that changes the packet.
func gatewayOf(a *rtnl.Attrs) (via netip.Addr, ok bool) {
	ok = true
	for a.Next() {
		switch a.Type {
		case unix.RTA_GATEWAY:
			via = a.Addr()
		case unix.RTA_VIA:
			via = a.Via()
		case unix.RTA_ENCAP_TYPE, unix.RTA_NEWDST:
			ok = false
		}
	}
	return via, ok && via.IsValid()
}
