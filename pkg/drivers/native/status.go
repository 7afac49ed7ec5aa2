package native

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// statuses reports the states of the routers that need attention, and decides which of
// them learn nothing.
func (p *pass) statuses() {
	given := []any{p.routers, p.stopped, p.release, p.host != nil, nil}
	if p.host != nil {
		given[4] = p.host.Watched
	}
	p.parts.Part(phaseStatuses, given, func() {
		for _, r := range p.routers {
			p.Row(tableDatapath, r.name, func() { p.status(r) })
		}
	})
}

// status reports those of one router.
func (p *pass) status(r *router) {
	if why := p.stopped[r]; why != "" {
		p.report(tableDatapath, r.name, CodeTableConflict, "%s; what it announces is not concerned", why)
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

// emptyVIP is a VIP of a router that no load balancer has a backend for.
type emptyVIP struct {
	router   observe.UUID
	balancer string
}

// emptyVIPs hands those of all routers to the prefixes of their addresses.
func (p *pass) emptyVIPs() {
	p.parts.Part(phaseVIPs, []any{p.routers, p.sb.Balancers, p.sb.DPGroups}, func() {
		for _, r := range p.routers {
			p.Row(tableDatapath, r.name, func() { p.emptyVIPsOf(r) })
		}
	})
}

func (p *pass) emptyVIPsOf(r *router) {
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
	for _, addr := range slices.SortedFunc(maps.Keys(empty), netip.Addr.Compare) {
		if !some[addr] {
			p.parts.Hand(phasePrefixes, hostPrefix(addr).String(), emptyVIP{r.datapath.UUID, empty[addr]})
		}
	}
}

// noBackend reports a VIP that a router announces and that nobody answers (N-22).
func (p *pass) noBackend(list []*candidate, vip emptyVIP) {
	for _, c := range list {
		if c.row.Datapath == vip.router {
			p.report(observe.TableAdvertisedRoute, c.prefix.String(), CodeNoBackend,
				"%s of router %s is the VIP of load balancer %s, which has no backend: it is announced, as OVN does, and "+
					"nobody answers", c.prefix, c.router.name, vip.balancer)
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
