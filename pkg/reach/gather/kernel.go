package gather

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// device is a device with its index.
type device struct {
	reach.Device
	index uint32
}

func forwardPath(ipv6 bool) string {
	if ipv6 {
		return "net/ipv6/conf/all/forwarding"
	}
	return "net/ipv4/ip_forward"
}

// sysctl is the value of a setting; empty if there is none.
func sysctl(path string) string {
	text, err := os.ReadFile(filepath.Join("/proc/sys", path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// device reads one device by name.
func (s *session) device(name string) device {
	if d, ok := s.devices[name]; ok {
		return d
	}
	d := device{Device: reach.Device{Name: name, Missing: true}}
	var master uint32
	var b rtnl.Batch
	b.Begin(unix.RTM_GETLINK, unix.NLM_F_ACK, rtnl.IfInfoMsg{})
	b.Text(unix.IFLA_IFNAME, name)
	err := s.conn.Ask(s.ctx, &b, func(_ int, m rtnl.Message) {
		h, attrs, err := m.Link()
		if err != nil {
			return
		}
		d.index, d.Missing = h.Index, false
		d.Up, d.Carrier = h.Flags&unix.IFF_UP != 0, h.Flags&unix.IFF_LOWER_UP != 0
		for attrs.Next() {
			switch attrs.Type {
			case unix.IFLA_MTU:
				d.MTU = int(attrs.Uint32())
			case unix.IFLA_MASTER:
				master = attrs.Uint32()
			case unix.IFLA_LINKINFO:
				d.info(&attrs)
			}
		}
	}, func(_ int, err *rtnl.Error) {
		if !errors.Is(err, unix.ENODEV) {
			s.failed("device "+name, err)
		}
	})
	if err != nil {
		s.failed("device "+name, err)
	}
	if master != 0 {
		d.Master = s.name(master)
	}
	conf := "net/ipv4/conf/" + name + "/"
	d.Forwarding = sysctl(conf+"forwarding") != "0"
	d.ProxyARP = sysctl(conf+"proxy_arp") != "0" || sysctl("net/ipv4/conf/all/proxy_arp") == "1"
	d.RPFilter = max(number(sysctl(conf+"rp_filter")), number(sysctl("net/ipv4/conf/all/rp_filter")))
	s.devices[name] = d
	return d
}

// name is that of a device that was asked for by index.
func (s *session) name(index uint32) string {
	for name, d := range s.devices {
		if d.index == index && !d.Missing {
			return name
		}
	}
	text := fmt.Sprintf("device %d", index)
	var b rtnl.Batch
	b.Begin(unix.RTM_GETLINK, unix.NLM_F_ACK, rtnl.IfInfoMsg{Index: index})
	err := s.conn.Ask(s.ctx, &b, func(_ int, m rtnl.Message) {
		_, attrs, err := m.Link()
		for err == nil && attrs.Next() {
			if attrs.Type == unix.IFLA_IFNAME {
				text = attrs.Text()
			}
		}
	}, func(int, *rtnl.Error) {})
	if err != nil {
		s.failed(text, err)
	}
	return text
}

// lookups asks the kernel about packets from the fabric and about the answers to them.
func (s *session) lookups(q Question, f *reach.Facts) {
	var ask []reach.Lookup
	for _, src := range q.Fabric {
		if src.Addr.Is6() != q.Addr.Is6() {
			continue
		}
		for _, dev := range q.entries() {
			if src.Dev == "" || src.Dev == dev {
				ask = append(ask, reach.Lookup{From: dev, Src: src.Addr, Dst: q.Addr, Far: src.Far})
			}
		}
	}
	in := len(ask)
	for _, src := range q.Fabric {
		if src.Addr.Is6() == q.Addr.Is6() && q.Dev != "" && len(q.entries()) > 0 {
			ask = append(ask, reach.Lookup{From: q.Dev, Src: q.Addr, Dst: src.Addr, Far: src.Far})
		}
	}
	s.ask(ask)
	f.In, f.Back = ask[:in:in], ask[in:]
}

// ask asks the kernel as it would ask itself for a packet that comes in by a device, or that
// is the node's own where there is none, and has it answer with the entry of the table that
// matches.
func (s *session) ask(lookups []reach.Lookup) {
	hops := make([][]hop, len(lookups))
	for first := 0; first < len(lookups); {
		var b rtnl.Batch
		part := lookups[first:]
		for i := 0; i < len(part) && !b.Full(); i++ {
			l := part[i]
			bits, from := uint8(l.Dst.BitLen()), uint8(0)
			if l.Src.IsValid() {
				from = uint8(l.Src.BitLen())
			}
			flags := uint32(unix.RTM_F_FIB_MATCH)
			if l.Dst.Is4() { // IPv6 tells the table without, and refuses the flag
				flags |= unix.RTM_F_LOOKUP_TABLE
			}
			b.Begin(unix.RTM_GETROUTE, unix.NLM_F_ACK, rtnl.RtMsg{
				Family: rtnl.FamilyOf(l.Dst), DstLen: bits, SrcLen: from, Flags: flags,
			})
			b.Addr(unix.RTA_DST, l.Dst)
			if l.Src.IsValid() {
				b.Addr(unix.RTA_SRC, l.Src)
			}
			if l.From != "" {
				b.Uint32(unix.RTA_IIF, s.device(l.From).index)
			}
		}
		part, hops := part[:b.Len()], hops[first:]
		err := s.conn.Ask(s.ctx, &b, func(i int, m rtnl.Message) {
			route, out, err := routeOf(m)
			if err != nil {
				s.failed("route to "+part[i].Dst.String(), err)
				return
			}
			part[i].Route, hops[i] = route, out
			part[i].Refused = refusalOfType(route.Type)
		}, func(i int, err *rtnl.Error) { part[i].Refused = refusalOf(err) })
		if err != nil {
			s.failed("routes", err)
			return
		}
		first += len(part)
	}
	for i := range lookups {
		lookups[i].Route.Hops = s.hops(hops[i])
	}
}

// hop is a next hop by the index of its device.
type hop struct {
	index uint32
	via   netip.Addr
}

func (s *session) hops(list []hop) []reach.Hop {
	var out []reach.Hop
	for _, h := range list {
		out = append(out, reach.Hop{Dev: s.name(h.index), Via: h.via})
	}
	return out
}

func refusalOf(err error) reach.Refusal {
	switch {
	case errors.Is(err, unix.EXDEV):
		return reach.RefusedSource
	case errors.Is(err, unix.EINVAL):
		return reach.RefusedBlackhole
	case errors.Is(err, unix.EACCES):
		return reach.RefusedProhibited
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENETDOWN):
		return reach.RefusedNoDevice
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EAGAIN):
		return reach.RefusedNoRoute
	default:
		return reach.Refusal(err.Error())
	}
}

// routeTypes are the names of RTN_* as ip(8) prints them.
var routeTypes = map[uint8]string{
	unix.RTN_UNICAST: "unicast", unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_ANYCAST: "anycast",
	unix.RTN_MULTICAST: "multicast", unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable",
	unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw",
}

// refusalOfType is that of an entry that the kernel answers with although it refuses.
func refusalOfType(kind string) reach.Refusal {
	switch kind {
	case "blackhole":
		return reach.RefusedBlackhole
	case "prohibit":
		return reach.RefusedProhibited
	case "unreachable", "throw":
		return reach.RefusedNoRoute
	default:
		return ""
	}
}

// routeOf reads an entry of a table.
func routeOf(m rtnl.Message) (r reach.Route, hops []hop, err error) {
	h, attrs, err := m.Route()
	if err != nil {
		return r, nil, err
	}
	r = reach.Route{Type: routeTypes[h.Type], Table: uint32(h.Table), Protocol: h.Protocol}
	dst := netip.IPv4Unspecified()
	if h.Family == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	one, single := hop{}, false
	for attrs.Next() {
		switch attrs.Type {
		case unix.RTA_DST:
			dst = attrs.Addr()
		case unix.RTA_TABLE:
			r.Table = attrs.Uint32()
		case unix.RTA_PRIORITY:
			r.Metric = attrs.Uint32()
		case unix.RTA_OIF:
			one.index, single = attrs.Uint32(), true
		case unix.RTA_GATEWAY:
			one.via = attrs.Addr()
		case unix.RTA_VIA:
			one.via = attrs.Via()
		case unix.RTA_MULTIPATH:
			attrs.Nexthops(func(nh rtnl.RtNexthop, a *rtnl.Attrs) {
				h := hop{index: nh.Index}
				for a.Next() {
					switch a.Type {
					case unix.RTA_GATEWAY:
						h.via = a.Addr()
					case unix.RTA_VIA:
						h.via = a.Via()
					}
				}
				hops = append(hops, h)
			})
		}
	}
	if single && len(hops) == 0 {
		hops = append(hops, one)
	}
	prefix, wrong := rtnl.Prefix(dst, h.DstLen)
	r.Dst = prefix
	return r, hops, errors.Join(attrs.Err(), wrong)
}

// mostRefusing bounds how many refusing routes are read.
const mostRefusing = 1 << 12

// refusing reads the routes of a family that refuse, in all tables: the kernel filters by
// type.
func (s *session) refusing(ipv6 bool) []reach.Route {
	family := uint8(unix.AF_INET)
	if ipv6 {
		family = unix.AF_INET6
	}
	var all []reach.Route
	for _, kind := range []uint8{unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT} {
		var found []reach.Route
		err := s.conn.Dump(s.ctx, func(q *rtnl.Batch) {
			q.Begin(unix.RTM_GETROUTE, 0, rtnl.RtMsg{Family: family, Type: kind})
		}, func() { found = nil }, func(m rtnl.Message) error {
			r, _, err := routeOf(m)
			if err == nil && r.Type == routeTypes[kind] && len(found) < mostRefusing {
				found = append(found, r)
			}
			return err
		})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			s.failed("routes that refuse", err)
		}
		all = append(all, found...)
	}
	return all
}

// nudStates are the names of NUD_* as ip(8) prints them.
var nudStates = map[uint16]string{
	unix.NUD_INCOMPLETE: "INCOMPLETE", unix.NUD_REACHABLE: "REACHABLE", unix.NUD_STALE: "STALE", unix.NUD_DELAY: "DELAY",
	unix.NUD_PROBE: "PROBE", unix.NUD_FAILED: "FAILED", unix.NUD_NOARP: "NOARP", unix.NUD_PERMANENT: "PERMANENT",
}

// neighbour reads one entry; nil if there is none.
func (s *session) neighbour(dev string, addr netip.Addr) *reach.Neighbour {
	d := s.device(dev)
	if dev == "" || d.Missing {
		return nil
	}
	var out *reach.Neighbour
	var b rtnl.Batch
	b.Begin(unix.RTM_GETNEIGH, unix.NLM_F_ACK, rtnl.NdMsg{Family: rtnl.FamilyOf(addr), Index: d.index})
	b.Addr(unix.NDA_DST, addr)
	err := s.conn.Ask(s.ctx, &b, func(_ int, m rtnl.Message) {
		h, attrs, err := m.Neigh()
		n := reach.Neighbour{State: nudStates[h.State]}
		for err == nil && attrs.Next() {
			if attrs.Type == unix.NDA_LLADDR {
				n.MAC = macText(attrs.Data)
			}
		}
		out = &n
	}, func(int, *rtnl.Error) {})
	if err != nil {
		s.failed("neighbour "+addr.String(), err)
	}
	return out
}

func macText(b []byte) string {
	parts := make([]string, len(b))
	for i, v := range b {
		parts[i] = fmt.Sprintf("%02x", v)
	}
	return strings.Join(parts, ":")
}
