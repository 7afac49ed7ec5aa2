package object

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// KindRoute is a FIB entry.
const KindRoute Kind = 10

var routeKind = kindOf[Route](traits{
	kind: KindRoute, name: "route", key: routeKey, readKey: readRouteKey, parse: parseRoute,
	marked: true, markedKey: ownRoute, listed: true,
})

// Route is one kernel FIB entry (rtnetlink RTM_NEWROUTE) of our own protocol.
type Route struct {
	// Table is the routing table (RTA_TABLE), never 0: the kernel stores main
	// as 254.
	Table uint32 `json:"table"`
	// Dst is masked.
	Dst netip.Prefix `json:"dst"`
	// Metric is RTA_PRIORITY; for IPv6 never 0, because the kernel stores 1024.
	Metric uint32 `json:"metric"`
	// Unreachable refuses what no better route leads to (RTN_UNREACHABLE); such a
	// route has no device and no next hop.
	Unreachable bool `json:"unreachable,omitempty"`
	// Dev is the name of the outgoing link; the index is resolved when applying.
	// It is empty if there are Hops.
	Dev string `json:"dev"`
	// Via is the gateway, invalid for a directly connected destination. Whether it
	// has to be reachable first is up to OnLink.
	Via netip.Addr `json:"via"`
	// Src is the preferred source address, usually invalid.
	Src netip.Addr `json:"src,omitzero"`
	// Hops are the next hops if there are several (RTA_MULTIPATH). A single one
	// is always in Dev and Via, so that equal routes are equal values.
	Hops Hops `json:"hops,omitzero"`
	// Protocol is rtm_protocol of a route that another program is to read by it, and 0
	// for all others, which bear our own. Such a route has no mark: the ledger proves
	// that it is ours.
	Protocol uint8 `json:"protocol,omitempty"`
}

// Hop is one of several next hops of a route, all of the same weight.
type Hop struct {
	Via netip.Addr
	Dev string
}

// String prints the hop as it stands in a route.
func (h Hop) String() string { return "nexthop " + h.Via.String() + " dev " + h.Dev }

// OnLink reports whether a gateway is written with the onlink flag (RTNH_F_ONLINK),
// so that it need not be reachable first. An IPv6 gateway is not: with the flag the
// kernel looks it up in main, whatever the table of the route, and refuses the route
// with EINVAL where main leads to it through another device
// (ip6_route_check_nh_onlink in net/ipv6/route.c). Without the flag it is looked up in
// the route's own table first, which leads to it because the route to a gateway comes
// before those through it. An IPv4-mapped address is that of a VTEP, to which no table
// has a route.
func OnLink(via netip.Addr) bool { return via.Is4() || via.Is4In6() }

// Hops is a set of at least two next hops held in one string, because a slice
// would make the route incomparable.
type Hops struct{ canon string }

// String prints the hops in order of their addresses.
func (h Hops) String() string { return h.canon }

// MarshalText is String for JSON.
func (h Hops) MarshalText() ([]byte, error) { return []byte(h.canon), nil }

// Empty reports whether there is none, that is, whether there are not several.
func (h Hops) Empty() bool { return h.canon == "" }

// metricIPv6 is what the kernel stores when an IPv6 route is added without a
// metric (IP6_RT_PRIO_USER). Wanting 0 would differ for ever.
const metricIPv6 = 1024

// The routing tables that the kernel looks into without being told, and those that
// are nobody's to take (RT_TABLE_UNSPEC, RT_TABLE_DEFAULT, RT_TABLE_MAIN,
// RT_TABLE_LOCAL).
const (
	TableUnspec  = 0
	TableDefault = 253
	TableMain    = 254
	TableLocal   = 255
)

// TableReserved reports whether a routing table is the kernel's own.
func TableReserved(table uint32) bool {
	return table == TableUnspec || table >= TableDefault && table <= TableLocal
}

// NewRoute returns a route in the form in which the kernel reports it back:
// masked destination, IPv6 default metric.
func NewRoute(table uint32, dst netip.Prefix, dev string, via netip.Addr) Route {
	r := Route{Table: table, Dst: dst.Masked(), Dev: dev, Via: via}
	if dst.Addr().Is6() {
		r.Metric = metricIPv6
	}
	return r
}

// UnreachableRoute refuses dst in a table. The metric must not be 0 for IPv6.
func UnreachableRoute(table uint32, dst netip.Prefix, metric uint32) Route {
	return Route{Table: table, Dst: dst.Masked(), Metric: metric, Unreachable: true}
}

// WithHops returns the route with exactly these next hops, in their one form.
func (r Route) WithHops(hops ...Hop) Route {
	hops = slices.Clone(hops)
	sorting.Sort(hops, func(a, b Hop) int { return cmp.Or(a.Via.Compare(b.Via), cmp.Compare(a.Dev, b.Dev)) })
	hops = slices.Compact(hops)
	r.Dev, r.Via, r.Hops = "", netip.Addr{}, Hops{}
	if len(hops) == 1 {
		r.Dev, r.Via = hops[0].Dev, hops[0].Via
		return r
	}
	words := make([]string, len(hops))
	for i, h := range hops {
		words[i] = h.String()
	}
	r.Hops.canon = strings.Join(words, " ")
	return r
}

// NextHops is the inverse of WithHops.
func (r Route) NextHops() []Hop {
	if r.Hops.Empty() {
		return []Hop{{r.Via, r.Dev}}
	}
	words := strings.Fields(r.Hops.canon)
	var out []Hop
	for ; len(words) >= 4; words = words[4:] {
		via, _ := netip.ParseAddr(words[1]) // as printed by Hop.String
		out = append(out, Hop{via, words[3]})
	}
	return out
}

// Key is the FIB's own: table, destination and metric. A protocol is part of it as the
// word that says whose the route is.
func (r Route) Key() Key {
	k := Key{Kind: KindRoute, Num: r.Table, Prefix: r.Dst, Aux: r.Metric}
	if r.Protocol != 0 {
		k.Sub = strconv.Itoa(int(r.Protocol))
	}
	return k
}

// protocolWord is before the protocol in the text of a key.
const protocolWord = "proto"

func routeKey(k Key) string {
	text := k.Prefix.String() + " table " + strconv.Itoa(int(k.Num)) + " metric " + strconv.Itoa(int(k.Aux))
	if k.Sub != "" {
		text += " " + protocolWord + " " + k.Sub
	}
	return text
}

func readRouteKey(f *fields) Key {
	k := Key{Prefix: f.prefix(), Num: f.uint32After("table"), Aux: f.uint32After("metric")}
	if f.more() {
		if n := f.numberAfter(protocolWord, 8); n != 0 {
			k.Sub = strconv.Itoa(int(n))
		}
	}
	return k
}

// ownRoute reports whether a route bears our protocol.
func ownRoute(k Key) bool { return k.Sub == "" }

// Attrs prints next hop and preferred source.
func (r Route) Attrs() string {
	if r.Unreachable {
		return "unreachable"
	}
	var b strings.Builder
	if r.Hops.Empty() {
		b.WriteString("dev " + r.Dev)
	} else {
		b.WriteString(r.Hops.String())
	}
	if r.Via.IsValid() {
		b.WriteString(" via " + r.Via.String())
	}
	if r.Src.IsValid() {
		b.WriteString(" src " + r.Src.String())
	}
	return b.String()
}

// Details are the next hops one by one, of a route with several or with a protocol.
func (r Route) Details() any {
	if r.Hops.Empty() && r.Protocol == 0 {
		return nil
	}
	type hop struct {
		Via netip.Addr `json:"via"`
		Dev string     `json:"dev"`
	}
	var v struct {
		NextHops []hop `json:"nexthops"`
	}
	for _, h := range r.NextHops() {
		v.NextHops = append(v.NextHops, hop(h))
	}
	return v
}

// DependsOn names the outgoing devices.
func (r Route) DependsOn() []Key {
	if r.Unreachable {
		return nil
	}
	if r.Hops.Empty() {
		return []Key{DeviceNeed(r.Dev)}
	}
	var out []Key
	for _, h := range r.NextHops() {
		if need := DeviceNeed(h.Dev); !slices.Contains(out, need) {
			out = append(out, need)
		}
	}
	return out
}

// Steers is the route's destination in its table. A route that refuses traffic
// takes it away as well as one that leads elsewhere.
func (r Route) Steers() Steered {
	if r.Protocol != 0 {
		return Steered{} // another program reads it: no rule of the node leads to its table
	}
	direct := !r.Unreachable && r.Hops.Empty() && !r.Via.IsValid()
	return Steered{Dst: r.Dst, Table: r.Table, Metric: r.Metric, Direct: direct, Refuses: r.Unreachable}
}

// KeyAt is the key of a route to the same destination with another metric.
func (r Route) KeyAt(metric uint32) Key {
	r.Metric = metric
	return r.Key()
}

// Place puts a route that refuses traffic among the devices that others made. It
// needs none, and keeps what is in a VRF from looking into the main table, so it
// comes before the first device in the VRF and goes after the last. Routes through a
// gateway come after those that lead to one: see OnLink.
func (r Route) Place() (Kind, int) {
	switch {
	case r.Unreachable:
		return KindDevice, 0
	case r.Via.IsValid() || !r.Hops.Empty():
		return KindRoute, 1
	default:
		return KindRoute, 0
	}
}

func parseRoute(f *fields) (Value, error) {
	var r Route
	r.Dst = f.prefix()
	r.Table = f.uint32After("table")
	r.Metric = f.uint32After("metric")
	var hops []Hop
	for f.more() {
		switch w := f.word(); w {
		case "unreachable":
			r.Unreachable = true
		case "dev":
			r.Dev = f.word()
		case "via":
			r.Via = f.addr()
		case "src":
			r.Src = f.addr()
		case protocolWord:
			r.Protocol = uint8(f.number(8))
		case "nexthop":
			hops = append(hops, Hop{Via: f.addr(), Dev: f.wordAfter("dev")})
		default:
			return nil, f.unknown(w)
		}
	}
	if len(hops) > 0 {
		r = r.WithHops(hops...)
	}
	return r, f.err
}
