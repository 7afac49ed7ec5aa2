package object

import (
	"fmt"
	"net/netip"
	"strings"
)

// Route is one kernel FIB entry (rtnetlink RTM_NEWROUTE) of our own protocol.
type Route struct {
	// Table is the routing table (RTA_TABLE), never 0: the kernel stores main
	// as 254.
	Table uint32 `json:"table"`
	// Dst is masked.
	Dst netip.Prefix `json:"dst"`
	// Metric is RTA_PRIORITY; for IPv6 never 0, because the kernel stores 1024.
	Metric uint32 `json:"metric"`
	// Dev is the name of the outgoing link; the index is resolved when applying.
	Dev string `json:"dev"`
	// Via is the gateway, invalid for a directly connected destination. It is
	// written with the onlink flag, so that it need not be reachable first.
	Via netip.Addr `json:"via"`
	// Src is the preferred source address, usually invalid.
	Src netip.Addr `json:"src,omitzero"`
}

// metricIPv6 is what the kernel stores when an IPv6 route is added without a
// metric (IP6_RT_PRIO_USER). Wanting 0 would differ for ever.
const metricIPv6 = 1024

// NewRoute returns a route in the form in which the kernel reports it back:
// masked destination, IPv6 default metric.
func NewRoute(table uint32, dst netip.Prefix, dev string, via netip.Addr) Route {
	r := Route{Table: table, Dst: dst.Masked(), Dev: dev, Via: via}
	if dst.Addr().Is6() {
		r.Metric = metricIPv6
	}
	return r
}

// Key is the FIB's own: table, destination and metric.
func (r Route) Key() Key {
	return Key{Kind: KindRoute, Num: r.Table, Prefix: r.Dst, Aux: r.Metric}
}

func routeKey(k Key) string {
	return fmt.Sprintf("%s table %d metric %d", k.Prefix, k.Num, k.Aux)
}

// Attrs prints next hop and preferred source.
func (r Route) Attrs() string {
	var b strings.Builder
	b.WriteString("dev " + r.Dev)
	if r.Via.IsValid() {
		b.WriteString(" via " + r.Via.String())
	}
	if r.Src.IsValid() {
		b.WriteString(" src " + r.Src.String())
	}
	return b.String()
}

// DependsOn names the outgoing device.
func (r Route) DependsOn() []Key { return []Key{DeviceNeed(r.Dev)} }

func parseRoute(f *fields) (Value, error) {
	var r Route
	r.Dst = f.prefix()
	r.Table = f.uint32After("table")
	r.Metric = f.uint32After("metric")
	for f.more() {
		switch w := f.word(); w {
		case "dev":
			r.Dev = f.word()
		case "via":
			r.Via = f.addr()
		case "src":
			r.Src = f.addr()
		default:
			return nil, f.unknown(w)
		}
	}
	return r, f.err
}
