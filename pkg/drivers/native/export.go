package native

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The metrics that ovn-controller gives its routes: traffic should come to the chassis of
// the tracked port, and may come to any other one.
const (
	metricHere  = 100
	metricOther = 1000
)

// The values of LOCAL_PREF that stand for them.
const (
	prefHere  = 200
	prefOther = 100
)

// candidate is a prefix that a router wants to announce, with the best of its rows.
type candidate struct {
	prefix netip.Prefix
	metric int
	router *router
	row    *observe.AdvertisedRoute
	// port is the router port that traffic enters by, tracked the port whose chassis
	// should attract it, if that decided something.
	port, tracked *observe.PortBinding
}

// export adds the paths of all routers. Routers with the same prefix make one path, the
// lowest metric first (N-18).
func (p *pass) export() {
	p.candidates()
	p.emptyVIPs()
	parts.Handed(p.parts, phasePrefixes, []any{p.me, p.kernel()}, func(name string, values []any) {
		list, empty := bestOf(values)
		if len(list) == 0 {
			return
		}
		rows := func() []object.Source { return p.whyAll(list) }
		p.Part("prefix "+name, rows, func() { p.announce(list[0].prefix, list) })
		for _, vip := range empty {
			p.noBackend(list, vip)
		}
	})
}

// kernel is what the node has that decides about prefixes, where it does (N-16).
func (p *pass) kernel() any {
	switch {
	case !p.cfg.RequireKernel:
		return nil
	case p.host == nil:
		return false
	}
	return []any{p.host.Watched, p.host.Unread}
}

// candidates hands what rows lead to on this node to their prefixes (N-12 to N-15).
func (p *pass) candidates() {
	byDatapath := map[observe.UUID]*router{}
	for _, r := range p.routers {
		byDatapath[r.datapath.UUID] = r
	}
	name := func(row *observe.AdvertisedRoute) string { return row.UUID.String() }
	given := []any{p.me, p.routers, p.kernel()}
	parts.Rows(p.parts, phaseRows, "", given, p.sb.Advertised, name, func(row *observe.AdvertisedRoute) {
		r := byDatapath[row.Datapath]
		if r == nil {
			return
		}
		p.Row(observe.TableAdvertisedRoute, row.UUID.String(), func() {
			if c := p.candidate(r, row); c != nil {
				p.parts.Tell(advertised{row.Datapath, c.prefix})
				p.parts.Hand(phasePrefixes, c.prefix.String(), c)
			}
		})
	})
}

// advertised is the fact that a router announces a prefix by itself.
type advertised struct {
	router observe.UUID
	prefix netip.Prefix
}

// bestOf are the best candidates of each router for one prefix, the lowest metric first, and the VIPs
// without a backend at its address.
func bestOf(values []any) (list []*candidate, empty []emptyVIP) {
	best := map[observe.UUID]*candidate{}
	for _, v := range values {
		switch v := v.(type) {
		case *candidate:
			if have := best[v.row.Datapath]; have == nil || v.precedes(have) {
				best[v.row.Datapath] = v
			}
		case emptyVIP:
			empty = append(empty, v)
		}
	}
	for _, c := range best {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(a.metric, b.metric), a.router.compare(b.router))
	})
	return list, empty
}

// precedes decides between rows of one router for one prefix (N-15).
func (c *candidate) precedes(o *candidate) bool {
	if c.metric != o.metric {
		return c.metric < o.metric
	}
	if c.atBound() != o.atBound() {
		return c.atBound()
	}
	return cmp.Or(strings.Compare(c.port.LogicalPort, o.port.LogicalPort), observe.CompareUUID(c.row.UUID, o.row.UUID)) < 0
}

// atBound reports whether the row's port is one that is bound here.
func (c *candidate) atBound() bool { return c.router.boundPort(c.port.LogicalPort) != nil }

func (r *router) boundPort(name string) *lrp {
	i := slices.IndexFunc(r.bound, func(l *lrp) bool { return l.name == name })
	if i < 0 {
		return nil
	}
	return r.bound[i]
}

// candidate is what a row leads to on this node; nil if to nothing.
func (p *pass) candidate(r *router, row *observe.AdvertisedRoute) *candidate {
	prefix, err := parsePrefix(row.Prefix)
	if err != nil {
		p.hold(observe.TableAdvertisedRoute, row.UUID, "ip_prefix of router %s: %v; what it led to is held", r.name, err)
		return nil
	}
	if !p.local(row.LogicalPort) {
		return nil
	}
	if p.cfg.RequireKernel && p.host != nil && slices.Contains(p.host.Unread, r.table) {
		p.Skip(observe.Skip{
			Table: observe.TableAdvertisedRoute, Row: row.UUID.String(), Code: observe.SkipUnknown, Hold: true,
			Text: fmt.Sprintf("routing table %d of router %s cannot be read (native.require_kernel); what it led to is held",
				r.table, r.name),
		})
		return nil
	}
	c := &candidate{prefix: prefix, metric: metricOther, router: r, row: row}
	c.port, _ = p.parts.PortOf(row.LogicalPort)
	if row.Tracked.IsZero() {
		return c
	}
	c.tracked, _ = p.parts.PortOf(row.Tracked)
	switch {
	case p.local(row.Tracked):
		c.metric = metricHere
	case truth(c.port.Options, optLocalOnly):
		return nil
	}
	return c
}

// parsePrefix reads a prefix, or a bare address as a host prefix. Host bits are cleared
// (N-13).
func parsePrefix(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return netip.Prefix{}, fmt.Errorf("%q is not an address", cut(text))
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not a prefix", cut(text))
	}
	return prefix.Masked(), nil
}

// cut is the beginning of a text from the database, for a message.
func cut(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// whyAll are the rows behind one prefix: the router port first, by which people know it,
// then the row of the prefix and those whose bindings decide.
func (p *pass) whyAll(list []*candidate) (why []object.Source) {
	for _, c := range list {
		row := p.Why("N-12", observe.TableAdvertisedRoute, c.row.UUID.String())
		row.Lists = object.ListsOwn
		why = addWhy(why, p.whyPort("N-15", c.port.LogicalPort), row)
		for _, l := range c.router.bound {
			decides := p.whyPort("N-10", l.dynamic.LogicalPort)
			decides.Decides = true
			why = addWhy(why, decides)
			if c.metric == metricOther {
				break // one is enough
			}
		}
		if c.tracked != nil {
			why = addWhy(why, p.whyTracked(c.tracked, truth(c.port.Options, optLocalOnly))...)
		}
	}
	return why
}

// whyTracked is the port whose chassis is to attract the traffic, and whether its binding
// decides: that of its chassisredirect port where it has one, and none of a port that every
// chassis has.
func (p *pass) whyTracked(port *observe.PortBinding, decides bool) []object.Source {
	src := p.whyPort("N-14", port.LogicalPort)
	if !decides {
		return []object.Source{src}
	}
	if cr, distributed := p.redirect(port); distributed && cr != nil {
		bound := p.whyPort("N-14", cr.LogicalPort)
		bound.Decides = true
		return []object.Source{src, bound}
	}
	src.Decides = port.Type != observe.PortPatch
	return []object.Source{src}
}

// announce adds the path of one prefix, where it is to go (N-17 to N-20). What goes into
// the default VRF is decided by the routers that announce there, and each IP Prefix route
// by its own.
func (p *pass) announce(prefix netip.Prefix, list []*candidate) {
	var unicast []*candidate
	for _, o := range list {
		t := p.target(o.router)
		if t.Unicast {
			unicast = append(unicast, o)
		}
		if t.VNI != 0 {
			p.announceType5(o, t, p.whyAll([]*candidate{o}), p.unverified(o))
		}
	}
	if len(unicast) == 0 {
		return
	}
	c := unicast[0]
	block := p.unverified(c)
	hop, missing := p.nextHop(c)
	if block == nil && missing != "" {
		block = &object.Block{Code: CodeNoNextHop, Text: missing}
	}
	r := expose.Routed{NextHop: hop, Subnets: p.cfg.Subnets, Block: block}
	r.MED, r.LocalPref = p.metricOf(c)
	p.As(expose.ClassOVN).ExposeRoute(prefix, r, p.whyAll(unicast)...)
}

// metricOf are the attributes that a metric is announced by.
func (p *pass) metricOf(c *candidate) (med, pref object.Metric) {
	switch p.cfg.Export {
	case MetricMED:
		return object.MetricOf(uint32(c.metric)), pref
	case MetricLocalPref:
		if c.metric == metricHere {
			return med, object.MetricOf(prefHere)
		}
		return med, object.MetricOf(prefOther)
	case MetricNone:
	}
	return med, pref
}

// unverified blocks a prefix of which the kernel has no route of ovn-controller's, where
// that is demanded (N-16).
func (p *pass) unverified(c *candidate) *object.Block {
	if !p.cfg.RequireKernel {
		return nil
	}
	if p.host != nil && slices.ContainsFunc(p.host.Watched, func(r observe.TableRoute) bool {
		return r.Table == c.router.table && r.Protocol == observe.ProtocolOVN && r.Dst == c.prefix
	}) {
		return nil
	}
	return &object.Block{Code: CodeNotVerified, Text: fmt.Sprintf(
		"routing table %d has no route of ovn-controller's for %s (native.require_kernel)", c.router.table, c.prefix)}
}

// target is where a router's prefixes go: the default VRF unless configured.
func (p *pass) target(r *router) Target {
	for _, t := range p.cfg.Targets {
		if t.Router == r.name {
			return t
		}
	}
	return Target{Router: r.name, Unicast: true}
}

// announceType5 adds the IP Prefix route of EVPN (N-59).
func (p *pass) announceType5(c *candidate, t Target, why []object.Source, block *object.Block) {
	vtep := p.vteps().of(t.VNI)
	if !vtep.IsValid() {
		p.report("configuration", "native.targets "+t.Router, CodeNoVTEP,
			"no local address for VNI %d: nothing of router %s is announced there; set ovn-evpn-local-ip", t.VNI, t.Router)
		return
	}
	if block == nil {
		block = p.Filtered(c.prefix, p.cfg.Subnets)
	}
	targets := t.RT
	if len(targets) == 0 {
		targets = []string{autoTarget(p.cfg.AS, t.VNI)}
	}
	path := object.EVPNPath{
		Type: object.EVPNPrefix, RD: cmp.Or(t.RD, autoRD(vtep, t.VNI)), Prefix: c.prefix, VNI: t.VNI, NextHop: vtep,
		Targets: object.WordsOf(targets...), RouterMAC: t.MAC, Origin: p.cfg.Expose.Origin,
	}
	path.MED, path.LocalPref = p.metricOf(c)
	p.put(object.Item{Value: path, Why: why, Block: block})
}
