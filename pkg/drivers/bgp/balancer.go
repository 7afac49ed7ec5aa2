package bgp

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// balancers exposes the VIPs of OVN load balancers on provider networks (R10)
// and, on request, port forwardings (R12). Both enter through the node that has
// the gateway of a router in front of the members: OVN answers there.
func (p *pass) balancers() {
	if len(p.gateways) == 0 {
		return
	}
	vips := p.parts.Select("VIP", (*observe.PortBinding).IsBalancerVIP)
	given := []any{p.networks, p.gateways, vips, p.patches, p.sb.Balancers, p.sb.DPGroups}
	p.parts.Part(phaseBalancers, given, func() {
		p.balancerVIPs(vips)
		if p.cfg.PortForwardings {
			p.portForwardings()
		}
	})
}

// balancerVIPs exposes the VIPs that are on provider networks (R10).
func (p *pass) balancerVIPs(vips []*observe.PortBinding) {
	byName := p.balancersByName()
	for _, port := range vips {
		if n, ok := p.networks.Of(port.Datapath); ok {
			p.row(port, func() { p.balancerVIP(n, port, byName[port.BalancerName()]) })
		}
	}
}

// balancersByName groups the rows: Octavia's provider writes one a protocol,
// all with the same name.
func (p *pass) balancersByName() map[string][]*observe.LoadBalancer {
	m := make(map[string][]*observe.LoadBalancer, len(p.sb.Balancers))
	for _, lb := range p.sb.Balancers {
		m[lb.Name] = append(m[lb.Name], lb)
	}
	return m
}

// balancerVIP exposes the addresses of one VIP port if a gateway of this node,
// on the VIP's own network, leads to the members. The port is never bound; its
// addresses are in neutron:cidrs only.
func (p *pass) balancerVIP(n *expose.Network, port *observe.PortBinding, rows []*observe.LoadBalancer) {
	for _, gw := range p.gateways {
		if gw.lsp.Datapath != port.Datapath {
			continue
		}
		for _, lb := range rows {
			if !p.leadsTo(gw, lb, port) {
				continue
			}
			p.reportProblems(port)
			for _, vip := range cidrAddrs(port) {
				p.vip.ExposeIP(n, vip, nil, listing(object.ListsOwn, p.why("R10", port)),
					listing(object.ListsOwn, p.Why("R10", "Load_Balancer", lb.Name)), p.whyHere("R10", gw.port))
			}
			return
		}
	}
}

// leadsTo reports whether the gateway's router is one that the balancer is on:
// named by it, or else attached to one of its switches. A balancer on no switch
// has no members.
func (p *pass) leadsTo(gw gateway, lb *observe.LoadBalancer, vip *observe.PortBinding) bool {
	switches, routers := p.memberSwitches(lb, vip)
	if len(switches) == 0 {
		return false
	}
	if len(routers) > 0 {
		return slices.Contains(routers, gw.port.Datapath)
	}
	for _, s := range switches {
		if slices.Contains(p.routersOf(s), gw.port.Datapath) {
			return true
		}
	}
	return false
}

// memberSwitches are the switches on which a balancer's members are, and the routers
// that it names. The VIP's own network is none of them: every router with a gateway
// there has a port on it, and all their nodes would announce the VIP.
func (p *pass) memberSwitches(lb *observe.LoadBalancer, vip *observe.PortBinding) (switches, routers []observe.UUID) {
	switches, routers = p.sb.BalancerDatapaths(lb)
	own := func(u observe.UUID) bool { return u == vip.Datapath }
	return slices.DeleteFunc(slices.Clone(switches), own), routers
}

// routersOf lists the routers that have a port on a logical switch.
func (p *pass) routersOf(network observe.UUID) []observe.UUID {
	if p.routers == nil {
		p.routers = map[observe.UUID][]observe.UUID{}
		for _, lsp := range p.patches {
			if lrp, ok := p.parts.Port(lsp.Options["peer"]); ok {
				p.routers[lsp.Datapath] = append(p.routers[lsp.Datapath], lrp.Datapath)
			}
		}
	}
	return p.routers[network]
}

// portForwardings exposes VIPs of balancers on a router of this node that have
// no port of their own and lie in the subnet of the router's gateway: that is
// how Neutron implements port forwarding of a floating IP (R12).
func (p *pass) portForwardings() {
	for _, lb := range p.sb.Balancers {
		p.Row("Load_Balancer", lb.Name, func() { p.portForwarding(lb) })
	}
}

// portForwarding exposes the VIPs of one balancer. An address that a port on the external
// network has is left to the rule of that port, which may be bound to another chassis.
func (p *pass) portForwarding(lb *observe.LoadBalancer) {
	_, routers := p.sb.BalancerDatapaths(lb)
	for _, gw := range p.gateways {
		if !slices.Contains(routers, gw.port.Datapath) {
			continue
		}
		for _, vip := range lb.VIPAddrs() {
			if inGatewaySubnet(gw.port, vip) && !p.hasPort(gw.lsp.Datapath, vip) {
				p.fip.ExposeIP(gw.network, vip, nil, listing(object.ListsOwn, p.Why("R12", "Load_Balancer", lb.Name)),
					p.whyHere("R12", gw.port))
			}
		}
	}
}

// hasPort reports whether a port on the network has the address.
func (p *pass) hasPort(network observe.UUID, addr netip.Addr) bool {
	return slices.ContainsFunc(p.parts.On(network), func(port *observe.PortBinding) bool {
		return slices.Contains(portAddrs(port), addr) || slices.Contains(cidrAddrs(port), addr)
	})
}

// inGatewaySubnet tells a floating IP from a VIP inside of a tenant network, which may be
// on the same router.
func inGatewaySubnet(gw *observe.PortBinding, addr netip.Addr) bool {
	return slices.ContainsFunc(gw.Addresses, func(el observe.PortAddress) bool {
		return slices.ContainsFunc(el.Addrs, func(c netip.Prefix) bool { return c.Masked().Contains(addr) })
	})
}
