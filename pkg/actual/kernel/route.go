package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// route is one FIB entry with what identifies its owner.
type route struct {
	object.Route
	protocol uint8
	// inexpressible is set when the entry is of a form that [object.Route] cannot
	// express. Dev then names the form in a text that is no device name (it has a
	// slash), so that it equals nothing wanted and shows what is in the way.
	inexpressible bool
	// unresolved is set when the index of the device has no name yet.
	unresolved bool
	// extra is what one of ours has that we never write, in words of ip(8).
	extra string
}

// routeHeader is the header of a request about a route of this protocol. IPv6
// knows no scopes.
// A direct IPv4 route has link scope, as ip(8) gives it: the gateway of a route is
// resolved by routes of a narrower scope alone (fib_check_nh in
// net/ipv4/fib_semantics.c).
func routeHeader(r object.Route, protocol uint8) rtnl.RtMsg {
	h := rtnl.RtMsg{
		Family: rtnl.FamilyOf(r.Dst.Addr()), DstLen: uint8(r.Dst.Bits()),
		Table: rtnl.ShortTable(r.Table), Protocol: protocol, Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
	}
	switch {
	case r.Unreachable:
		h.Type = unix.RTN_UNREACHABLE
	case r.Via.IsValid():
		h.Flags = uint32(hopFlags(r.Via))
	case h.Family == unix.AF_INET && r.Hops.Empty():
		h.Scope = unix.RT_SCOPE_LINK
	}
	return h
}

// routeToRequest writes r with that header, through a device or several next
// hops.
func routeToRequest(q *rtnl.Batch, kind uint16, flags int, h rtnl.RtMsg,
	r object.Route, device uint32, hops []nexthop,
) {
	q.Begin(kind, flags, h)
	if r.Dst.Bits() > 0 {
		q.Addr(unix.RTA_DST, r.Dst.Addr())
	}
	q.Uint32(unix.RTA_TABLE, r.Table)
	// IPv6 turns metric 0 into 1024 (IP6_RT_PRIO_USER): a route written with 0
	// would not come back as it was written.
	q.Uint32(unix.RTA_PRIORITY, r.Metric)
	if device != 0 {
		q.Uint32(unix.RTA_OIF, device)
	}
	gatewayToRequest(q, h.Family, r.Via)
	if len(hops) > 0 {
		multipathToRequest(q, h.Family, hops)
	}
	if r.Src.IsValid() {
		q.Addr(unix.RTA_PREFSRC, r.Src)
	}
}

// gatewayToRequest writes a gateway, if it is one: as RTA_VIA where it is of
// another family than the route (RFC 8950).
func gatewayToRequest(q *rtnl.Batch, family uint8, via netip.Addr) {
	switch {
	case !via.IsValid():
	case rtnl.FamilyOf(via) == family:
		q.Addr(unix.RTA_GATEWAY, via)
	default:
		q.Via(unix.RTA_VIA, via)
	}
}

// routeFromMessage is the inverse of routeToRequest. It returns false for what
// is not a forwarding entry: local, broadcast and multicast ones, cached
// clones, those for one type of service, and the kernel's link-local ones, of
// which every device has the same.
// Clones (RTM_F_CLONED) are exceptions of IPv6 with a learned path MTU or a redirect;
// they end with their entry.
func routeFromMessage(m rtnl.Message, names *links) (r route, ok bool, err error) {
	h, attrs, err := m.Route()
	if err != nil || h.TOS != 0 || h.Flags&unix.RTM_F_CLONED != 0 {
		return route{}, false, err
	}
	switch h.Type {
	case unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_ANYCAST, unix.RTN_MULTICAST:
		return route{}, false, nil
	case unix.RTN_UNICAST, unix.RTN_UNREACHABLE:
	default:
		r.mark("type/" + typeName(h.Type))
	}
	r.protocol, r.Table = h.Protocol, uint32(h.Table)
	dst := netip.IPv4Unspecified()
	if h.Family == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	for attrs.Next() {
		if attrs.Type == unix.RTA_DST {
			dst = attrs.Addr()
			continue
		}
		r.attribute(&attrs, names)
		r.unwritten(&attrs)
	}
	if err := attrs.Err(); err != nil {
		return route{}, false, err
	}
	if r.Via.IsValid() && excessive(uint8(h.Flags), r.Via) {
		r.mark("onlink/" + r.Dev)
	}
	if r.Dst, err = rtnl.Prefix(dst, h.DstLen); err != nil {
		return route{}, false, err
	}
	if h.Type == unix.RTN_UNREACHABLE {
		// IPv6 shows lo as its device.
		r.Route = object.Route{Table: r.Table, Dst: r.Dst, Metric: r.Metric, Unreachable: true}
		r.inexpressible, r.unresolved = false, false
	}
	return r, !(r.protocol == unix.RTPROT_KERNEL && dst.IsLinkLocalUnicast()), nil
}

func (r *route) attribute(a *rtnl.Attrs, names *links) {
	switch a.Type {
	case unix.RTA_TABLE:
		r.Table = a.Uint32()
	case unix.RTA_PRIORITY:
		r.Metric = a.Uint32()
	case unix.RTA_OIF:
		r.device(a.Uint32(), names)
	case unix.RTA_GATEWAY:
		r.Via = a.Addr()
	case unix.RTA_VIA:
		r.Via = a.Via()
	case unix.RTA_PREFSRC:
		r.Src = a.Addr()
	case unix.RTA_MULTIPATH:
		r.multipath(a, names)
	case unix.RTA_ENCAP_TYPE:
		r.mark("encap/" + strconv.Itoa(int(a.Uint16())))
	// The kernel expands the object into RTA_GATEWAY or RTA_MULTIPATH as well,
	// unless net.ipv4.nexthop_compat_mode is 0. The id has precedence.
	case rtnl.RTA_NH_ID:
		r.mark("nhid/" + strconv.Itoa(int(a.Uint32())))
	case unix.RTA_SRC, unix.RTA_NEWDST:
		r.mark("attribute/" + strconv.Itoa(int(a.Type)))
	}
}

// unwritten notes attributes that others have set on an entry of which the value is
// the same with and without them.
func (r *route) unwritten(a *rtnl.Attrs) {
	switch a.Type {
	case unix.RTA_METRICS:
		a.Each(func(m *rtnl.Attrs) { r.add(metricName(m.Type), uint32Of(m)) })
	case unix.RTA_FLOW:
		r.add("realms", a.Uint32())
	case unix.RTA_PREF: // 0 is medium, and there with every IPv6 entry
		if a.Uint8() != 0 {
			r.add("pref", uint32(a.Uint8()))
		}
	case unix.RTA_CACHEINFO: // struct rta_cacheinfo: rta_expires is the third word
		if len(a.Data) >= 12 && binary.NativeEndian.Uint32(a.Data[8:]) != 0 {
			r.extra = joinWords(r.extra, "expires")
		}
	}
}

func (r *route) add(name string, value uint32) {
	r.extra = joinWords(r.extra, name+" "+strconv.Itoa(int(value)))
}

func joinWords(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// uint32Of is a metric as a number; 0 for the one that is a name.
func uint32Of(a *rtnl.Attrs) uint32 {
	if len(a.Data) != 4 {
		return 0
	}
	return a.Uint32()
}

// metricName is the word of ip(8) for a metric of a route (RTAX_*).
func metricName(kind uint16) string {
	switch kind {
	case unix.RTAX_LOCK:
		return "lock"
	case unix.RTAX_MTU:
		return "mtu"
	case unix.RTAX_ADVMSS:
		return "advmss"
	case unix.RTAX_HOPLIMIT:
		return "hoplimit"
	case unix.RTAX_WINDOW:
		return "window"
	case unix.RTAX_INITCWND:
		return "initcwnd"
	default:
		return "metric-" + strconv.Itoa(int(kind))
	}
}

func (r *route) mark(what string) { r.Dev, r.Hops, r.inexpressible = what, object.Hops{}, true }

func (r *route) device(index uint32, names *links) {
	if r.inexpressible {
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
// Both families refuse an exclusive create when destination, table and metric are
// taken, whatever the next hop (EEXIST from fib_table_insert in net/ipv4/fib_trie.c
// and fib6_add_rt2node in net/ipv6/ip6_fib.c).
func (b *Backend) encodeRoute(q *rtnl.Batch, c object.Change) error {
	if c.After == nil {
		return b.deleteRoute(q, c)
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
		case r.Protocol != 0 && there && have.Value == c.Before: // ours by the ledger
			flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
		case c.Reclaim && there && have.Value == c.Before && !has(b.mirror.multiple, r.Key()):
			flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
		case there && (!have.Marked || has(b.mirror.others, r.Key())):
			return b.foreign(object.Item{Value: have.Value})
		case there:
			flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
		}
	}
	b.mirror.onDevices(r)
	routeToRequest(q, unix.RTM_NEWROUTE, flags, routeHeader(r, b.protocolOf(r)), r, device, hops)
	return nil
}

// protocolOf is the protocol that a route is written with.
func (b *Backend) protocolOf(r object.Route) uint8 {
	if r.Protocol != 0 {
		return r.Protocol
	}
	return b.marks.RouteProtocol
}

// deleteRoute selects by everything we know of the route and by our protocol,
// so that it can hit no other; by the one that it has now if it is to be reclaimed.
// An attribute that is absent, RT_SCOPE_NOWHERE and RTN_UNSPEC match anything
// (fib_table_delete in net/ipv4/fib_trie.c, ip6_route_del in net/ipv6/route.c). The
// protocol is compared by both. What has gone meanwhile is answered with ESRCH.
func (b *Backend) deleteRoute(q *rtnl.Batch, c object.Change) error {
	r := c.Before.(object.Route)
	protocol := b.protocolOf(r)
	if c.Reclaim {
		have, there := b.mirror.set.Get(r.Key())
		if !there || have.Value != c.Before || has(b.mirror.multiple, r.Key()) {
			return nil // ours is gone; what is there now is another owner's
		}
		if other, ok := b.mirror.others[r.Key()]; ok {
			protocol = other
		}
	}
	device, hops, err := b.nexthops(r)
	if err != nil {
		if have, ok := b.mirror.set.Get(r.Key()); !ok || have.Value != object.Value(r) {
			return nil // the device is gone, and the route with it
		}
		// Of a form that we do not write, but with our mark: by key alone.
		r.Via, r.Src, device = netip.Addr{}, netip.Addr{}, 0
	}
	h := routeHeader(r, protocol)
	h.Scope = unix.RT_SCOPE_NOWHERE // of any scope
	if device == 0 && len(hops) == 0 {
		h.Type = unix.RTN_UNSPEC // of any type
	}
	routeToRequest(q, unix.RTM_DELROUTE, 0, h, r, device, hops)
	return nil
}
