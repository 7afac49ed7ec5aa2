package native

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Explain accounts for one address: which routers advertise a prefix that holds it, which
// switch with a VNI has it, and into which routers' tables it is learned. The links of a
// chain are in the order of the rules, and the rules are those of Desired.
func (d *Driver) Explain(snap observe.Snapshot, addr netip.Addr) []reason.Account {
	p := d.newPass(nil, snap, new(object.Set))
	p.findRouters()
	e := &explainer{pass: p, dynamic: map[observe.UUID][]*observe.PortBinding{}}
	for port := range p.sb.Ports.All() {
		if truth(port.Options, optRouting) {
			e.dynamic[port.Datapath] = append(e.dynamic[port.Datapath], port)
		}
	}
	var out []reason.Account
	groups := e.groups(addr)
	for _, g := range groups {
		e.follow(g)
	}
	for _, g := range groups {
		for _, a := range e.advertised(g, groups, addr) {
			a.Aside = g.prefix.Bits() < groups[0].prefix.Bits()
			out = append(out, a)
		}
	}
	out = append(out, e.stations(addr)...)
	return append(expose.WithoutEchoes(out), e.inbound(addr)...)
}

// explainer is a pass with what accounts are made of.
type explainer struct {
	*pass
	// dynamic are the ports of each router that make it active where they are bound.
	dynamic map[observe.UUID][]*observe.PortBinding
}

// chain is an account that is being made; after the first failure the rest is left out,
// because it would only repeat it.
type chain struct {
	reason.Account
	stop bool
}

// good adds a link that holds.
func (a *chain) good(stage, format string, args ...any) {
	if !a.stop {
		a.Steps = append(a.Steps, reason.Step{Stage: stage, Text: fmt.Sprintf(format, args...), OK: true})
	}
}

// fail adds the link that does not hold, and what to do about it.
func (a *chain) fail(stage, code, try, format string, args ...any) {
	if !a.stop {
		a.Steps = append(a.Steps, reason.Step{Stage: stage, Code: code, Text: fmt.Sprintf(format, args...)})
		a.stop, a.Try = true, try
	}
}

// group are the rows of one router for one prefix.
type group struct {
	datapath observe.UUID
	router   string
	prefix   netip.Prefix
	rows     []*observe.AdvertisedRoute
	// active says where the router is active; nil until a row asks.
	active *chain
	// told is the chain of the row that counts, winner what it leads to; nil if to nothing.
	told   *chain
	winner *candidate
}

// groups are those whose prefix holds an address, the longest prefix first.
func (e *explainer) groups(addr netip.Addr) []*group {
	type key struct {
		datapath observe.UUID
		prefix   netip.Prefix
	}
	found := map[key]*group{}
	var out []*group
	for _, row := range e.sb.Advertised {
		prefix, err := parsePrefix(row.Prefix)
		if err != nil || !prefix.Contains(addr) {
			continue
		}
		k := key{row.Datapath, prefix}
		if found[k] == nil {
			found[k] = &group{datapath: row.Datapath, router: e.routerName(row.Datapath), prefix: prefix}
			out = append(out, found[k])
		}
		found[k].rows = append(found[k].rows, row)
	}
	slices.SortStableFunc(out, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.prefix.Bits(), a.prefix.Bits()), cmp.Compare(a.router, b.router))
	})
	return out
}

// routerName is the name of a datapath by which the configuration knows it.
func (p *pass) routerName(u observe.UUID) string {
	if d, ok := p.sb.Datapath(u); ok {
		return datapathName(d)
	}
	return u.String()
}

// advertised accounts for a prefix of a router: once for each place where it is announced.
func (e *explainer) advertised(g *group, all []*group, addr netip.Addr) []reason.Account {
	t := e.target(&router{name: g.router})
	what := fmt.Sprintf("%s of router %s", g.prefix, g.router)
	if g.prefix.Addr() != addr || !g.prefix.IsSingleIP() {
		what = "address in " + what
	}
	made := func(end func(*chain)) reason.Account {
		a := *g.told
		a.Steps = slices.Clone(a.Steps)
		a.What = what
		end(&a)
		return a.Account
	}
	var out []reason.Account
	if t.Unicast {
		a := made(func(a *chain) { e.unicast(a, g, all) })
		a.Object = object.NewPath(g.prefix, e.cfg.Expose.Origin).Key()
		a.Chassis = e.announcers(g, func(*pass) bool { return true })
		out = append(out, a)
	}
	if t.VNI != 0 {
		a := made(func(a *chain) { e.type5(a, g, t) })
		a.Chassis = e.announcers(g, func(p *pass) bool { return p.vteps().of(t.VNI).IsValid() })
		out = append(out, a)
	}
	if len(out) == 0 {
		out = append(out, made(func(a *chain) {
			a.fail("policy", reason.OptionOff, "set unicast or vni in the entry of native.targets",
				"native.targets names neither the default VRF nor a VNI for router %s", g.router)
		}))
	}
	return out
}

// type5 ends the chain of a prefix that is announced into a VNI (N-59).
func (e *explainer) type5(a *chain, g *group, t Target) {
	vtep := e.vteps().of(t.VNI)
	if !vtep.IsValid() {
		a.fail("policy", CodeNoVTEP, "ovs-vsctl set Open_vSwitch . external_ids:"+keyLocalIP+"=ADDRESS",
			"there is no local address for VNI %d", t.VNI)
		return
	}
	a.good("policy", "native.targets: an IP Prefix route of VNI %d, from VTEP %s", t.VNI, vtep)
	a.Object = object.EVPNPath{
		Type: object.EVPNPrefix, RD: cmp.Or(t.RD, autoRD(vtep, t.VNI)), Prefix: g.prefix,
	}.Key()
}

// follow finds the row that counts: the one that wins here, or else the one whose chain
// gets furthest.
func (e *explainer) follow(g *group) {
	at := slices.IndexFunc(e.routers, func(r *router) bool { return r.datapath.UUID == g.datapath })
	for _, row := range g.rows {
		a := &chain{}
		e.rowSteps(a, g, row)
		var c *candidate
		if at >= 0 && !a.stop {
			c = e.candidate(e.routers[at], row)
		}
		switch {
		case c == nil && g.winner == nil && (g.told == nil || len(a.Steps) > len(g.told.Steps)):
			g.told = a
		case c != nil && (g.winner == nil || c.precedes(g.winner)):
			g.told, g.winner = a, c
		}
	}
}

// unicast ends the chain of a prefix that is announced in the default VRF. Routers with
// one prefix have one path, that of the lowest metric (N-18).
func (e *explainer) unicast(a *chain, g *group, all []*group) {
	best := g.winner
	for _, o := range all {
		if o.winner != nil && o.prefix == g.prefix && e.target(o.winner.router).Unicast &&
			(best == nil || o.winner.metric < best.metric) {
			best = o.winner
		}
	}
	switch {
	case g.winner == nil:
	case best.router != g.winner.router:
		a.good("policy", "the path is that of router %s: %s", best.router.name, e.attributes(best))
	default:
		a.good("policy", "%s", e.attributes(best))
	}
}

// attributes says how a prefix is announced.
func (e *explainer) attributes(c *candidate) string {
	text := fmt.Sprintf("metric %d is not announced", c.metric)
	switch med, pref := e.metricOf(c); {
	case med.Set:
		text = fmt.Sprintf("metric %d is announced as MED %d", c.metric, med.Value)
	case pref.Set:
		text = fmt.Sprintf("metric %d is announced as LOCAL_PREF %d", c.metric, pref.Value)
	}
	switch hop, missing := e.nextHop(c); {
	case missing != "":
		return text + "; no next hop"
	case hop.IsValid():
		return text + "; next hop " + hop.String()
	default:
		return text + "; next hop is the session's own address"
	}
}

// rowSteps follows one row (N-10 to N-14).
func (e *explainer) rowSteps(a *chain, g *group, row *observe.AdvertisedRoute) {
	router := g.router
	port, ok := e.parts.PortOf(row.LogicalPort)
	if !ok {
		a.fail("OVN", reason.NoRow, "", "a row of Advertised_Route of router %s has %s; its port leads to no Port_Binding",
			router, cut(row.Prefix))
		return
	}
	a.good("OVN", "Advertised_Route of router %s: %s by port %s", router, cut(row.Prefix), port.LogicalPort)
	d, ok := e.sb.Datapath(row.Datapath)
	switch {
	case !ok:
		a.fail("OVN", reason.NoRow, "", "its router has no row in Datapath_Binding")
	case d.Type == "logical-switch" || d.ExternalIDs["logical-switch"] != "":
		a.fail("OVN", reason.NoRow, "", "%s is no router", router)
	case len(e.cfg.Routers) > 0 && !slices.Contains(e.cfg.Routers, router):
		a.fail("policy", reason.OptionOff, "add "+router+" to native.routers",
			"native.routers does not have router %s", router)
	}
	if g.active == nil {
		g.active = &chain{}
		e.activity(g.active, router, row.Datapath)
	}
	if !a.stop {
		a.Steps = append(a.Steps, g.active.Steps...)
		a.stop, a.Try = g.active.stop, g.active.Try
	}
	e.entry(a, port)
	if a.stop {
		return
	}
	tracked, known := e.parts.PortOf(row.Tracked)
	switch {
	case row.Tracked.IsZero():
		a.good("policy", "no port is tracked: metric %d", metricOther)
	case e.local(row.Tracked):
		a.good("policy", "tracked port %s is here: metric %d", tracked.LogicalPort, metricHere)
	case truth(port.Options, optLocalOnly):
		a.fail("policy", reason.LocalOnly, "let a gateway of the router be on that chassis too, or unset "+optLocalOnly,
			"%s, and %s of %s is true", e.whereTracked(tracked, known), optLocalOnly, port.LogicalPort)
	default:
		a.good("policy", "%s: metric %d", e.whereTracked(tracked, known), metricOther)
	}
}

func (e *explainer) whereTracked(tracked *observe.PortBinding, known bool) string {
	if !known {
		return "the tracked port is none that this node reads"
	}
	return fmt.Sprintf("tracked port %s is not here but on %s", tracked.LogicalPort, e.homeText(tracked))
}

// activity says where a router is active (N-10, N-11).
func (e *explainer) activity(a *chain, router string, u observe.UUID) {
	var here, there []string
	at := map[observe.UUID]bool{}
	for _, port := range e.dynamic[u] {
		if e.resident(port) {
			here = append(here, port.LogicalPort)
		}
		at[port.Chassis] = true
	}
	for _, c := range e.sb.Chassis {
		if at[c.UUID] {
			there = append(there, "chassis "+c.Text())
		}
	}
	slices.Sort(there)
	switch {
	case len(here) > 0:
		a.good("ownership", "router %s is active here by %s", router, listed(here))
	case len(e.dynamic[u]) == 0:
		a.fail("ownership", reason.OptionOff, "ovn-nbctl set Logical_Router "+router+" options:"+optRouting+"=true",
			"no port of router %s that a chassis can have has %s=true", router, optRouting)
	case len(there) == 0:
		a.fail("ownership", reason.Unbound, "see which chassis may have its gateway, and whether one of them is alive",
			"the ports of router %s with %s=true are bound to no chassis", router, optRouting)
	default:
		a.fail("ownership", reason.NotOwner, "", "router %s is active on %s, not here", router, listed(there))
	}
}

// entry says whether traffic enters by a port here (N-12).
func (e *explainer) entry(a *chain, port *observe.PortBinding) {
	cr, distributed := e.redirect(port)
	switch {
	case e.local(port.UUID) && !distributed && port.Type == observe.PortPatch && !e.resident(port):
		a.good("ownership", "port %s is on every chassis", port.LogicalPort)
	case e.local(port.UUID):
		a.good("ownership", "port %s is here", port.LogicalPort)
	case distributed && cr == nil:
		a.fail("ownership", reason.NoRow, "", "port %s has no chassisredirect port that this node reads", port.LogicalPort)
	case port.Chassis.IsZero() && (cr == nil || cr.Chassis.IsZero()):
		a.fail("ownership", reason.Unbound, "", "port %s is bound to no chassis", port.LogicalPort)
	default:
		a.fail("ownership", reason.NotOwner, "", "port %s is on %s, not here", port.LogicalPort, e.homeText(port))
	}
}

// homeText names the chassis that has a port, or its chassisredirect port.
func (p *pass) homeText(port *observe.PortBinding) string {
	if cr, ok := p.redirect(port); ok && cr != nil && port.Chassis.IsZero() {
		port = cr
	}
	return p.chassisText(port.Chassis)
}

func (p *pass) chassisText(u observe.UUID) string {
	for _, c := range p.sb.Chassis {
		if c.UUID == u {
			return "chassis " + c.Text()
		}
	}
	return "no chassis"
}

// announcers are the chassis, by the names that people know, for which a row of the group
// leads to a path. They are taken to be configured as this node is.
func (e *explainer) announcers(g *group, reaches func(*pass) bool) []string {
	active := map[observe.UUID]bool{}
	for _, port := range e.dynamic[g.datapath] {
		active[port.Chassis] = true
	}
	r := e.newRouter(g.datapath)
	if r == nil {
		return nil
	}
	var out []string
	for _, c := range e.sb.Chassis {
		if !active[c.UUID] {
			continue
		}
		as := e.as(c)
		if slices.ContainsFunc(g.rows, func(row *observe.AdvertisedRoute) bool { return as.candidate(r, row) != nil }) &&
			reaches(as) {
			out = append(out, c.Text())
		}
	}
	slices.Sort(out)
	return out
}

// as is the pass of another chassis, as far as the Southbound database tells.
func (p *pass) as(c *observe.Chassis) *pass {
	q := *p
	q.me, q.routers, q.host, q.learned = c, nil, nil, nil
	return &q
}
