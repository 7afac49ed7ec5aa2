package kernel

import (
	"encoding/binary"
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

// multipathToRequest adds RTA_MULTIPATH. A gateway of the other family stands
// in RTA_VIA, as it does outside (RFC 8950).
func multipathToRequest(q *rtnl.Batch, ipv4 bool, hops []nexthop) {
	var out []byte
	order := binary.NativeEndian
	for _, h := range hops {
		gateway := h.via.AsSlice()
		kind := uint16(unix.RTA_GATEWAY)
		if h.via.Is4() != ipv4 {
			kind, gateway = unix.RTA_VIA, append(rtnl.Native16(unix.AF_INET6), gateway...)
		}
		size := unix.SizeofRtAttr + len(gateway)
		padded := (size + 3) &^ 3
		out = order.AppendUint16(out, uint16(unix.SizeofRtNexthop+padded))
		out = append(out, unix.RTNH_F_ONLINK, 0)
		out = order.AppendUint32(out, h.device)
		out = order.AppendUint16(out, uint16(size))
		out = order.AppendUint16(out, kind)
		out = append(out, gateway...)
		out = append(out, make([]byte, padded-size)...)
	}
	q.Bytes(unix.RTA_MULTIPATH, out...)
}

// multipath is the inverse of multipathToRequest. What [object.Route] cannot
// express, weights and hops without a gateway, is marked as such.
func (r *route) multipath(data []byte, names *links) {
	all := data
	var hops []object.Hop
	plain := true
	for len(data) >= unix.SizeofRtNexthop {
		size := int(rtnl.Uint16At(data, 0))
		if size < unix.SizeofRtNexthop || size > len(data) {
			break
		}
		via, ok := gatewayOf(data[unix.SizeofRtNexthop:size])
		name, known := names.name(rtnl.Uint32At(data, 4))
		r.unresolved = r.unresolved || !known
		plain = plain && ok && known && data[3] == 0
		hops = append(hops, object.Hop{Via: via, Dev: name})
		data = data[min((size+3)&^3, len(data)):]
	}
	if !plain || len(hops) == 0 {
		r.mark("nexthops/" + strconv.Itoa(countNexthops(all)))
		return
	}
	if !r.odd {
		r.Route = r.WithHops(hops...)
	}
}

// gatewayOf reads the attributes of one next hop; false if there is no gateway
// or something that changes the packet.
func gatewayOf(attributes []byte) (via netip.Addr, ok bool) {
	ok = true
	for a := rtnl.AttrsOf(attributes); a.Next(); {
		switch a.Type {
		case unix.RTA_GATEWAY:
			via = a.Addr()
		case unix.RTA_VIA:
			via, _ = netip.AddrFromSlice(a.Data[min(2, len(a.Data)):])
		case unix.RTA_ENCAP_TYPE, unix.RTA_NEWDST:
			ok = false
		}
	}
	return via, ok && via.IsValid()
}

// countNexthops counts the entries of RTA_MULTIPATH (struct rtnexthop).
func countNexthops(b []byte) int {
	n := 0
	for len(b) >= unix.SizeofRtNexthop {
		size := int(rtnl.Uint16At(b, 0))
		if size < unix.SizeofRtNexthop || size > len(b) {
			break
		}
		b, n = b[min((size+3)&^3, len(b)):], n+1
	}
	return n
}
