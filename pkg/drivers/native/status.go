package native

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// statuses reports the states of the routers that need attention, and decides which of
// them learn nothing.
func (p *pass) statuses() {
	for _, r := range p.routers {
		p.Row(tableDatapath, r.name, func() { p.status(r) })
	}
}

// status reports those of one router.
func (p *pass) status(r *router) {
	if r.stopped != "" {
		p.report(tableDatapath, r.name, CodeTableConflict, "%s; what it announces is not concerned", r.stopped)
	}
	for _, l := range r.bound {
		if l.portName != "" && l.device == "" {
			p.report("Port_Binding", l.name, CodeUnresolved,
				"router %s: %s of port %s is %q, which is neither in dynamic-routing-port-mapping nor a logical port plugged "+
					"in here: nothing is learned through it; add it to external_ids:dynamic-routing-port-mapping of Open_vSwitch",
				r.name, optPortName, l.name, cut(l.portName))
		}
	}
	if r.filters && !r.filtered {
		p.report(tableDatapath, r.name, CodeElsewhere,
			"a port of router %s that is not bound here has a %s and the bound ones (%s) have none: ovn-controller learns "+
				"nothing through these; give them one too", r.name, optPortName, names(r.bound))
	}
	p.allPorts(r)
	p.backends(r)
	p.private(r)
}

// allPorts warns of a router through all of whose ports a learned route is used (N-43).
func (p *pass) allPorts(r *router) {
	learning := 0
	for _, l := range r.bound {
		if !l.noLearning {
			learning++
		}
	}
	if len(r.bound) > 1 && !r.filters && learning > 1 {
		p.report(tableDatapath, r.name, CodeAllPorts,
			"router %s has the ports %s on this node and no %s: every learned route is used through each of them; set "+
				"%s on the outer one, or %s=true on the others", r.name, names(r.bound), optPortName, optPortName, optNoLearning)
	}
}

// backends reports VIPs that are announced and that nobody answers (N-22).
func (p *pass) backends(r *router) {
	empty := map[netip.Addr]string{} // the balancer
	some := map[netip.Addr]bool{}
	for _, lb := range p.sb.Balancers {
		on, by := p.sb.BalancerDatapaths(lb)
		if !slices.Contains(on, r.datapath.UUID) && !slices.Contains(by, r.datapath.UUID) {
			continue
		}
		for vip, backends := range lb.VIPs {
			addr, ok := observe.VIPAddr(vip)
			switch {
			case !ok:
			case strings.TrimSpace(backends) != "":
				some[addr] = true
			case empty[addr] == "" || lb.Name < empty[addr]:
				empty[addr] = lb.Name
			}
		}
	}
	for _, c := range r.candidates {
		lb, found := empty[c.prefix.Addr()]
		if found && c.prefix.IsSingleIP() && !some[c.prefix.Addr()] {
			p.report(observe.TableAdvertisedRoute, c.prefix.String(), CodeNoBackend,
				"%s of router %s is the VIP of load balancer %s, which has no backend: it is announced, as OVN does, and "+
					"nobody answers", c.prefix, r.name, lb)
		}
	}
}

// private warns of routes of others that OVN would learn (N-33), and tells those of
// another routing daemon apart.
func (p *pass) private(r *router) {
	if p.host == nil {
		return
	}
	oldest := uint8(4)
	if p.release.lacks(learnsAboveFour...) {
		oldest = 0
	}
	for _, w := range p.host.Watched {
		if w.Table != r.table || !w.Via.IsValid() || w.Protocol == observe.ProtocolOVN || w.Protocol <= oldest ||
			w.Protocol == p.cfg.Protocol {
			continue
		}
		p.report(tableDatapath, r.name, CodeNotPrivate,
			"routing table %d of router %s has routes of others, such as %s via %s (protocol %d): OVN learns them too; "+
				"leave the table to bgp-ovn", r.table, r.name, w.Dst, w.Via, w.Protocol)
		return
	}
}
