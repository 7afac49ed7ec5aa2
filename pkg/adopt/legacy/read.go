package legacy

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// State is what there is in the kernel and may be the predecessor's.
type State struct {
	Rules []Rule
	// Routes are all forwarding entries of the tables that were asked for,
	// and of those that a rule of the predecessor's form leads to.
	Routes []Route
	VLANs  []VLAN
	// Devices are those of the names that were asked for, and of the type that
	// the predecessor gives them.
	Devices []Device
}

// Scope says what to read.
type Scope struct {
	// Bridges are those whose VLAN devices are read.
	Bridges []string
	// Tables are routing tables that are read whoever leads there.
	Tables []uint32
	// Dummy and VRF are the names of FRR's devices.
	Dummy, VRF string
}

// Read reads all of it. Everything is sorted.
func (k *Kernel) Read(s Scope) (State, error) {
	var out State
	links, err := again(k.nl.LinkList)
	if err != nil {
		return out, fmt.Errorf("read links: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	if out.Rules, err = k.rules(); err != nil {
		return out, err
	}
	tables := slices.Clone(s.Tables)
	for _, r := range out.Rules {
		tables = append(tables, r.Table)
	}
	slices.Sort(tables)
	for _, table := range slices.Compact(tables) {
		routes, err := k.routes(table, names)
		if err != nil {
			return out, err
		}
		out.Routes = append(out.Routes, routes...)
	}
	for _, l := range links {
		if err := k.device(s, l, names, &out); err != nil {
			return out, err
		}
	}
	if err := k.inspect(out.VLANs, links, tables); err != nil {
		return out, err
	}
	sorting.Sort(out.VLANs, func(a, b VLAN) int { return cmp.Compare(a.Name, b.Name) })
	sorting.Sort(out.Devices, func(a, b Device) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// attempts bounds how often a dump that others keep interrupting is repeated.
const attempts = 10

// again repeats a dump that a change has interrupted (NLM_F_DUMP_INTR): part of the
// state is worse than none, because what is missing would count as gone.
func again[T any](dump func() ([]T, error)) (rows []T, err error) {
	for range attempts {
		if rows, err = dump(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return rows, err
		}
	}
	return nil, err
}

// rules reads the rules that select by destination, and by nothing else, and
// that have the priority of the predecessor's.
func (k *Kernel) rules() ([]Rule, error) {
	var out []Rule
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		rows, err := again(func() ([]netlink.Rule, error) { return k.nl.RuleList(family) })
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		for i := range rows {
			if to, ok := destinationOnly(&rows[i]); ok && rows[i].Priority == RulePriority {
				out = append(out, Rule{To: to, Table: uint32(rows[i].Table), Priority: RulePriority, protocol: rows[i].Protocol})
			}
		}
	}
	sorting.Sort(out, func(a, b Rule) int { return a.Key().Compare(b.Key()) })
	return out, nil
}

// destinationOnly compares with what a rule without any other selector is read
// as, so that a selector which nobody thought of here counts.
func destinationOnly(r *netlink.Rule) (netip.Prefix, bool) {
	to, ok := prefixOf(r.Dst)
	plain := netlink.NewRule()
	plain.Priority, plain.Family, plain.Table, plain.Protocol = r.Priority, r.Family, r.Table, r.Protocol
	rest := *r
	rest.Dst = nil
	return to, ok && r.Table > 0 && rest == *plain
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	bits, size := n.Mask.Size()
	if size == 32 { // the library hands IPv4 out in sixteen bytes too
		addr = addr.Unmap()
	}
	return netip.PrefixFrom(addr, bits), ok
}

// routes reads the plain forwarding entries of a table.
func (k *Kernel) routes(table uint32, names map[int]string) ([]Route, error) {
	var out []Route
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		rows, err := again(func() ([]netlink.Route, error) {
			return k.nl.RouteListFiltered(family, &netlink.Route{Table: int(table)}, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return nil, fmt.Errorf("read routes of table %d: %w", table, err)
		}
		for i := range rows {
			if r, ok := routeOf(&rows[i], family, names); ok {
				out = append(out, r)
			}
		}
	}
	sorting.Sort(out, func(a, b Route) int { return a.Key().Compare(b.Key()) })
	return out, nil
}

// Learned reads the routes of the main table that FRR has learned by BGP, with their next hops.
func (k *Kernel) Learned() ([]Learned, error) {
	links, err := again(k.nl.LinkList)
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	behind, err := k.behindStandIn(names)
	if err != nil {
		return nil, err
	}
	var out []Learned
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		rows, err := again(func() ([]netlink.Route, error) {
			return k.nl.RouteListFiltered(family, &netlink.Route{Table: object.TableMain, Protocol: unix.RTPROT_BGP},
				netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
		})
		if err != nil {
			return nil, fmt.Errorf("read routes of FRR: %w", err)
		}
		hops := map[object.Key][]object.Hop{} // IPv6 may list each next hop by itself
		for i := range rows {
			l, more := learnedOf(&rows[i], family, names)
			for i, h := range more {
				if real, ok := behind[h.Dev]; ok && h.Via == standIn {
					more[i].Via = real
				}
			}
			if len(more) > 0 {
				hops[l.Key()] = append(hops[l.Key()], more...)
				out = append(out, Learned{l})
			}
		}
		for i, l := range out {
			if all := hops[l.Key()]; len(all) > 0 {
				out[i].Route = l.WithHops(all...)
			}
		}
	}
	sorting.Sort(out, func(a, b Learned) int { return a.Key().Compare(b.Key()) })
	return slices.Compact(out), nil
}

// standIn is what zebra has as the gateway of an IPv4 route whose next hop is an IPv6 address, with a
// neighbour of that address for the MAC address of the real one.
var standIn = netip.MustParseAddr("169.254.0.1")

// behindStandIn finds by device which neighbour the address stands for: the one with its MAC address.
func (k *Kernel) behindStandIn(names map[int]string) (map[string]netip.Addr, error) {
	macs := map[int]string{}
	out := map[string]netip.Addr{}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		rows, err := again(func() ([]netlink.Neigh, error) { return k.nl.NeighList(0, family) })
		if err != nil {
			return nil, fmt.Errorf("read neighbours: %w", err)
		}
		for _, n := range rows {
			addr, ok := netip.AddrFromSlice(n.IP)
			mac := n.HardwareAddr.String()
			switch addr = addr.Unmap(); {
			case !ok || mac == "":
			case addr == standIn:
				macs[n.LinkIndex] = mac
			case addr.Is6() && addr.IsLinkLocalUnicast() && macs[n.LinkIndex] == mac:
				if have, twice := out[names[n.LinkIndex]]; !twice || addr.Less(have) {
					out[names[n.LinkIndex]] = addr
				}
			}
		}
	}
	return out, nil
}

// learnedOf is a route without its next hops, and those of them that are gateways.
func learnedOf(row *netlink.Route, family int, names map[int]string) (r object.Route, hops []object.Hop) {
	if row.Type != unix.RTN_UNICAST || row.Encap != nil {
		return r, nil
	}
	dst, ok := prefixOf(row.Dst)
	if !ok {
		dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if family == unix.AF_INET6 {
			dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	r = object.Route{Table: object.TableMain, Dst: dst, Metric: uint32(row.Priority)}
	hop := func(gw net.IP, via netlink.Destination, index int) {
		addr, ok := netip.AddrFromSlice(gw)
		if v, is := via.(*netlink.Via); is && !ok {
			addr, ok = netip.AddrFromSlice(v.Addr)
		}
		if ok && names[index] != "" {
			hops = append(hops, object.Hop{Via: addr.Unmap(), Dev: names[index]})
		}
	}
	hop(row.Gw, row.Via, row.LinkIndex)
	for _, nh := range row.MultiPath {
		hop(nh.Gw, nh.Via, nh.LinkIndex)
	}
	return r, hops
}

// routeOf leaves out what the predecessor never writes: several next hops,
// encapsulations, and types other than unicast.
func routeOf(row *netlink.Route, family int, names map[int]string) (Route, bool) {
	if row.Type != unix.RTN_UNICAST || row.Protocol == unix.RTPROT_KERNEL ||
		len(row.MultiPath) > 0 || row.Encap != nil || row.Via != nil {
		return Route{}, false
	}
	dst, ok := prefixOf(row.Dst)
	if !ok {
		dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if family == unix.AF_INET6 {
			dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	r := Route{Protocol: uint8(row.Protocol), Route: object.Route{
		Table: uint32(row.Table), Dst: dst, Metric: uint32(row.Priority), Dev: names[row.LinkIndex],
	}}
	r.Via, _ = netip.AddrFromSlice(row.Gw)
	r.Src, _ = netip.AddrFromSlice(row.Src)
	r.Via, r.Src = r.Via.Unmap(), r.Src.Unmap()
	return r, r.Dev != ""
}

// device sorts one device in, if it is any of those that are looked for.
func (k *Kernel) device(s Scope, l netlink.Link, names map[int]string, out *State) error {
	a := l.Attrs()
	vlan, isVLAN := l.(*netlink.Vlan)
	onBridge := isVLAN && slices.Contains(s.Bridges, names[a.ParentIndex])
	frr := a.Name == s.Dummy && l.Type() == "dummy" || a.Name == s.VRF && l.Type() == "vrf"
	if !onBridge && !frr {
		return nil
	}
	rows, err := again(func() ([]netlink.Addr, error) { return k.nl.AddrList(l, netlink.FAMILY_ALL) })
	if err != nil {
		return fmt.Errorf("read addresses of %s: %w", a.Name, err)
	}
	var addrs []netip.Prefix
	for _, row := range rows {
		if p, ok := prefixOf(row.IPNet); ok && !p.Addr().IsLinkLocalUnicast() || ok && p.Addr().Is4() {
			addrs = append(addrs, p)
		}
	}
	if frr {
		out.Devices = append(out.Devices, Device{Name: a.Name, Type: l.Type(), Addrs: len(addrs)})
		return nil
	}
	link := object.Link{
		Name: a.Name, Type: "vlan", Parent: names[a.ParentIndex], VLAN: uint16(vlan.VlanId),
		Up: a.Flags&net.FlagUp != 0,
	}
	out.VLANs = append(out.VLANs, VLAN{Link: link, Alias: a.Alias, Addrs: addrs})
	return nil
}

// inspect finds out what VLAN devices are used for.
func (k *Kernel) inspect(vlans []VLAN, links []netlink.Link, tables []uint32) error {
	if len(vlans) == 0 {
		return nil
	}
	used, err := k.usedDevices(links, tables)
	if err != nil {
		return err
	}
	for i := range vlans {
		v := &vlans[i]
		if v.Proxies, err = proxies(v.Name); err != nil {
			return err
		}
		v.Used = used[v.Name]
	}
	return nil
}

// usedDevices names those that are ports of another device, that have others on them,
// or to which a route outside of the tables leads.
func (k *Kernel) usedDevices(links []netlink.Link, tables []uint32) (map[string]bool, error) {
	indexes := map[int]bool{}
	for _, l := range links {
		if a := l.Attrs(); l.Type() != "veth" { // whose parent is its other end
			indexes[a.ParentIndex] = true
		}
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		rows, err := again(func() ([]netlink.Route, error) {
			return k.nl.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_TABLE) // of all tables
		})
		if err != nil {
			return nil, fmt.Errorf("read routes: %w", err)
		}
		for i := range rows {
			if rows[i].Protocol == unix.RTPROT_KERNEL || slices.Contains(tables, uint32(rows[i].Table)) {
				continue
			}
			indexes[rows[i].LinkIndex] = true
			for _, hop := range rows[i].MultiPath {
				indexes[hop.LinkIndex] = true
			}
		}
	}
	used := map[string]bool{}
	for _, l := range links {
		used[l.Attrs().Name] = indexes[l.Attrs().Index] || l.Attrs().MasterIndex != 0
	}
	return used, nil
}

// proxies reports whether a device answers for the addresses of others in both
// families, while new devices do in neither: somebody has told it to.
func proxies(device string) (bool, error) {
	for _, setting := range []string{"ipv4/conf/%s/proxy_arp", "ipv6/conf/%s/proxy_ndp"} {
		for name, want := range map[string]string{device: "1", "default": "0"} {
			val, err := os.ReadFile("/proc/sys/net/" + fmt.Sprintf(setting, name))
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			if err != nil {
				return false, fmt.Errorf("read sysctl: %w", err)
			}
			if strings.TrimSpace(string(val)) != want {
				return false, nil
			}
		}
	}
	return true, nil
}
