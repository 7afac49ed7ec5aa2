package kube

import (
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// vip is a key of column vips with the protocol of its row.
type vip struct {
	protocol string
	addr     netip.AddrPort
}

// backing is what rows say of a vip: that it is there, and whether a backend can be used.
type backing struct {
	row    string // the first row that has it, or the first one that has a usable backend
	usable bool
}

// monitored is a backend as a health check names it.
type monitored struct {
	protocol string
	addr     netip.AddrPort
}

// indexBalancers reads the load balancers of the own gateway router (K-15, K-16), and of
// those of other networks (K-5).
func (p *pass) indexBalancers() {
	var own observe.UUID
	if p.gateway.port != nil {
		own = p.gateway.port.Datapath
	}
	ports := p.gatewayPorts()
	routers := parts.Value(p.parts, phaseNetworks, []any{own, ports}, func() routers { return routersOf(own, ports) })
	down := parts.Value(p.parts, phaseMonitors, p.sb.Monitors, func() map[monitored]bool { return dead(p.sb.Monitors) })
	p.parts.Part(phaseTemplates, p.sb.Templates, func() { p.parts.Note(templates{}, p.sb.Templates) })
	group := func(g *observe.DatapathGroup) string { return g.UUID.String() }
	parts.Rows(p.parts, phaseGroups, "", routers, p.sb.DPGroups, group, func(g *observe.DatapathGroup) {
		if a := routers.of(g.Datapaths); a != (attached{}) {
			p.parts.Note(attachedBy(g.UUID), a)
		}
	})
	name := func(lb *observe.LoadBalancer) string { return ordered(lb.Name, lb.UUID.String()) }
	parts.Rows(p.parts, phaseBalancers, "", []any{routers, down}, p.sb.Balancers, name, func(lb *observe.LoadBalancer) {
		switch a := p.attachedTo(lb, routers); {
		case a.here:
			p.Row("Load_Balancer", lb.Name, func() { p.readBalancer(lb, down) })
		case a.network != "":
			for key := range lb.VIPs {
				if addr, ok := parseKey(key); ok {
					p.parts.Note(vipElsewhere{protocolOf(lb.Protocol), addr}, a.network)
				}
			}
		}
	})
}

// dead are the backends that a health check has found so.
func dead(monitors []*observe.ServiceMonitor) map[monitored]bool {
	down := map[monitored]bool{}
	for _, m := range monitors {
		if (m.Type == "" || m.Type == "load-balancer") && (m.Status == "offline" || m.Status == "error") {
			if a, err := netip.ParseAddr(m.IP); err == nil && m.Port >= 0 && m.Port <= 65535 {
				down[monitored{protocolOf(m.Protocol), netip.AddrPortFrom(a, uint16(m.Port))}] = true
			}
		}
	}
	return down
}

// routers are the own gateway router, zero without one, and those of other networks with the names
// of these.
type routers struct {
	own    observe.UUID
	tagged map[observe.UUID]string
}

func routersOf(own observe.UUID, ports []*observe.PortBinding) routers {
	r := routers{own: own, tagged: map[observe.UUID]string{}}
	for _, port := range ports {
		// A port of another network that leads into our router does not make it theirs.
		if network := port.ExternalIDs[networkID]; network != "" && (own.IsZero() || port.Datapath != own) {
			r.tagged[port.Datapath] = network
		}
	}
	return r
}

// attached says to which of the gateway routers a load balancer is attached: the own one, and the
// first network of others.
type attached struct {
	here    bool
	network string
}

// or is what two lists of datapaths come to together.
func (a attached) or(b attached) attached {
	if a.network == "" || b.network != "" && b.network < a.network {
		a.network = b.network
	}
	a.here = a.here || b.here
	return a
}

// of is what a list of datapaths comes to.
func (r routers) of(datapaths []observe.UUID) (a attached) {
	for _, u := range datapaths {
		a = a.or(attached{!r.own.IsZero() && u == r.own, r.tagged[u]})
	}
	return a
}

// attachedTo looks at every column by which a load balancer may be attached. A group that is missing
// has no datapaths (K-61).
func (p *pass) attachedTo(lb *observe.LoadBalancer, r routers) attached {
	a := r.of(lb.Datapaths)
	for _, group := range []observe.UUID{lb.Group, lb.LSGroup, lb.LRGroup} {
		if group.IsZero() {
			continue
		}
		for _, noted := range p.parts.Noted(attachedBy(group)) {
			a = a.or(noted.(attached))
		}
	}
	return a
}

// readBalancer enters the keys of a row. down are backends that cannot be used.
func (p *pass) readBalancer(lb *observe.LoadBalancer, down map[monitored]bool) {
	protocol := protocolOf(lb.Protocol)
	bad := false
	vips := map[vip]bool{}
	for key, value := range lb.VIPs {
		if isTemplate(key) {
			continue // the node's own addresses, which are nobody's to announce
		}
		addr, ok := parseKey(key)
		if !ok {
			bad = true
			continue
		}
		at := vip{protocol, addr}
		vips[at] = vips[at] || p.usable(protocol, value, down)
	}
	for at, usable := range vips {
		p.parts.Note(at, backing{lb.Name, usable})
	}
	if bad {
		p.parts.Note(unreadable{}, lb.Name)
		p.tell("Load_Balancer", lb.Name, observe.SkipUnreadable, "vips: a key cannot be parsed; services whose address is "+
			"not found elsewhere are held")
	}
}

// protocolOf is the protocol of a row; absent is tcp.
func protocolOf(column string) string {
	if column == "" {
		return "tcp"
	}
	return column
}

// isTemplate reports whether a key has a template variable in place of an address.
func isTemplate(key string) bool { return strings.HasPrefix(strings.TrimPrefix(key, "["), "^") }

// parseKey reads IP:PORT, [IP6]:PORT or an address alone, which has port 0.
func parseKey(key string) (netip.AddrPort, bool) {
	if ap, err := netip.ParseAddrPort(key); err == nil {
		return ap, ap.Addr().Zone() == ""
	}
	bare := key
	if inner, ok := strings.CutPrefix(key, "["); ok {
		if bare, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.AddrPort{}, false
		}
	}
	a, err := netip.ParseAddr(bare)
	return netip.AddrPortFrom(a, 0), err == nil && a.Zone() == ""
}

// usable reports whether a list of backends has one that no health check has found dead.
func (p *pass) usable(protocol, list string, down map[monitored]bool) bool {
	if strings.HasPrefix(list, "^") {
		p.parts.Noted(templates{}) // it is derived again when these change
		list, _ = p.sb.Template(p.snap.Chassis, list[1:])
	}
	for word := range strings.SplitSeq(list, ",") {
		addr, ok := parseKey(strings.TrimSpace(word))
		if ok && !down[monitored{protocol, addr}] {
			return true
		}
	}
	return false
}
