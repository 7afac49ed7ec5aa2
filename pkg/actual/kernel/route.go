package kernel

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// route is one FIB entry with what tells whose it is.
type route struct {
	object.Route
	protocol uint8
	// odd is set when the entry is of a form that [object.Route] cannot
	// express. Dev then says which in a word that is no device name (it has a
	// slash), so that it equals nothing wanted and shows what is in the way.
	odd bool
	// unresolved is set when the index of the device has no name yet.
	unresolved bool
}

// rtaNHID is RTA_NH_ID: the next hop is an object of its own.
const rtaNHID = 30

// routeToRequest writes r as a request about a route of this protocol, through
// a device or several next hops.
func routeToRequest(q *rtnl.Batch, kind uint16, flags int, r object.Route, protocol uint8, device uint32, hops ...nexthop) {
	family, scope, action := uint8(unix.AF_INET), uint8(unix.RT_SCOPE_UNIVERSE), uint8(unix.RTN_UNICAST)
	if r.Unreachable {
		action = unix.RTN_UNREACHABLE
	}
	if r.Dst.Addr().Is6() {
		family = unix.AF_INET6
	} else if r.Unreachable {
		scope = unix.RT_SCOPE_UNIVERSE
	} else if !r.Via.IsValid() && len(hops) == 0 {
		scope = unix.RT_SCOPE_LINK
	}
	// The flags of struct rtmsg: the gateway need not be reachable first.
	onlink := uint32(0)
	if r.Via.IsValid() {
		onlink = unix.RTNH_F_ONLINK
	}
	table := uint8(unix.RT_TABLE_UNSPEC)
	if r.Table <= 0xff {
		table = uint8(r.Table)
	}
	q.Begin(kind, flags, family, uint8(r.Dst.Bits()), 0, 0, table, protocol, scope, action)
	q.Header32(onlink)
	if r.Dst.Bits() > 0 {
		q.Addr(unix.RTA_DST, r.Dst.Addr())
	}
	q.Uint32(unix.RTA_TABLE, r.Table)
	q.Uint32(unix.RTA_PRIORITY, r.Metric)
	if device != 0 {
		q.Uint32(unix.RTA_OIF, device)
	}
	gatewayToRequest(q, r)
	if len(hops) > 0 {
		multipathToRequest(q, r.Dst.Addr().Is4(), hops)
	}
	if r.Src.IsValid() {
		q.Addr(unix.RTA_PREFSRC, r.Src)
	}
}

func gatewayToRequest(q *rtnl.Batch, r object.Route) {
	switch {
	case !r.Via.IsValid():
	case r.Via.Is4() == r.Dst.Addr().Is4():
		q.Addr(unix.RTA_GATEWAY, r.Via)
	default:
		// struct rtvia: an IPv4 destination behind an IPv6 gateway (RFC 8950).
		via := r.Via.As16()
		q.Bytes(unix.RTA_VIA, append(rtnl.Native16(unix.AF_INET6), via[:]...)...)
	}
}

// routeFromMessage is the inverse of routeToRequest. It returns false for what
// is not a forwarding entry: local, broadcast and multicast ones, cached
// clones, those for one type of service, and the kernel's link-local ones, of
// which every device has the same.
func routeFromMessage(m rtnl.Message, names *links) (route, bool) {
	h, attrs, ok := m.Header(unix.SizeofRtMsg)
	if !ok || h[3] != 0 || rtnl.Uint32At(h, 8)&unix.RTM_F_CLONED != 0 {
		return route{}, false
	}
	switch h[7] {
	case unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_ANYCAST, unix.RTN_MULTICAST:
		return route{}, false
	}
	r := route{protocol: h[5], Route: object.Route{Table: uint32(h[4])}}
	dst := netip.IPv4Unspecified()
	if h[0] == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	if h[7] != unix.RTN_UNICAST && h[7] != unix.RTN_UNREACHABLE {
		r.mark("type/" + typeName(h[7]))
	}
	for attrs.Next() {
		switch attrs.Type {
		case unix.RTA_DST:
			dst = attrs.Addr()
		case unix.RTA_TABLE:
			r.Table = attrs.Uint32()
		case unix.RTA_PRIORITY:
			r.Metric = attrs.Uint32()
		case unix.RTA_OIF:
			r.device(attrs.Uint32(), names)
		case unix.RTA_GATEWAY:
			r.Via = attrs.Addr()
		case unix.RTA_VIA:
			r.Via, _ = netip.AddrFromSlice(attrs.Data[min(2, len(attrs.Data)):])
		case unix.RTA_PREFSRC:
			r.Src = attrs.Addr()
		case unix.RTA_MULTIPATH:
			r.multipath(attrs.Data, names)
		case unix.RTA_ENCAP_TYPE:
			r.mark("encap/" + strconv.Itoa(int(attrs.Uint16())))
		case rtaNHID:
			r.mark("nhid/" + strconv.Itoa(int(attrs.Uint32())))
		case unix.RTA_SRC, unix.RTA_NEWDST:
			r.mark("attribute/" + strconv.Itoa(int(attrs.Type)))
		}
	}
	r.Dst = netip.PrefixFrom(dst, int(h[1]))
	if h[7] == unix.RTN_UNREACHABLE {
		// IPv6 shows lo as its device.
		r.Route = object.Route{Table: r.Table, Dst: r.Dst, Metric: r.Metric, Unreachable: true}
		r.odd, r.unresolved = false, false
	}
	return r, !(r.protocol == unix.RTPROT_KERNEL && dst.IsLinkLocalUnicast())
}

func (r *route) mark(what string) { r.Dev, r.Hops, r.odd = what, object.Hops{}, true }

func (r *route) device(index uint32, names *links) {
	if r.odd {
		return
	}
	if r.Dev, r.unresolved = names.name(index); !r.unresolved {
		r.Dev = "index/" + strconv.Itoa(int(index))
	}
	r.unresolved = !r.unresolved
}

func typeName(t uint8) string {
	switch t {
	case unix.RTN_BLACKHOLE:
		return "blackhole"
	case unix.RTN_UNREACHABLE:
		return "unreachable"
	case unix.RTN_PROHIBIT:
		return "prohibit"
	case unix.RTN_THROW:
		return "throw"
	default:
		return strconv.Itoa(int(t))
	}
}

// encodeRoute writes one change. A create is exclusive. A replace hits the
// first entry under the key, whoever's it is, so it is used only where the
// mirror knows that there is ours and nothing else.
func (b *Backend) encodeRoute(q *rtnl.Batch, c object.Change) error {
	if c.After == nil {
		return b.deleteRoute(q, c.Before.(object.Route))
	}
	r := c.After.(object.Route)
	device, hops, err := b.nexthops(r)
	if err != nil {
		return err
	}
	flags := unix.NLM_F_CREATE | unix.NLM_F_EXCL
	if c.Before != nil {
		if c.Before.Key() != c.After.Key() {
			return fmt.Errorf("an update cannot change a key: %s", c.Before.Key().Text())
		}
		have, there := b.mirror.set.Get(r.Key())
		switch {
		case there && (!have.Marked || has(b.mirror.others, r.Key())):
			return b.foreign(object.Item{Value: have.Value})
		case there:
			flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
		}
	}
	b.mirror.onDevices(r)
	routeToRequest(q, unix.RTM_NEWROUTE, flags, r, b.marks.RouteProtocol, device, hops...)
	return nil
}

// deleteRoute selects by everything we know of the route and by our protocol,
// so that it can hit no other.
func (b *Backend) deleteRoute(q *rtnl.Batch, r object.Route) error {
	device, hops, err := b.nexthops(r)
	if err != nil {
		if have, ok := b.mirror.set.Get(r.Key()); !ok || have.Value != object.Value(r) {
			return nil // the device is gone, and the route with it
		}
		// Of a form that we do not write, but with our mark: by key alone.
		r.Via, r.Src, device = netip.Addr{}, netip.Addr{}, 0
	}
	routeToRequest(q, unix.RTM_DELROUTE, 0, r, b.marks.RouteProtocol, device, hops...)
	q.Patch(6, unix.RT_SCOPE_NOWHERE)
	if device == 0 && len(hops) == 0 {
		q.Patch(7, unix.RTN_UNSPEC)
	}
	return nil
}
