package bgp

import (
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// explainBalancer accounts for the VIP of a load balancer on a provider network
// (R10), whose port is never bound: the node with the gateway in front of the
// members has it.
func (p *pass) explainBalancer(what string, port *observe.PortBinding, addr netip.Addr) reason.Account {
	a := &account{}
	a.What = what
	rows := p.balancersByName()[port.BalancerName()]
	a.step("OVN", true, "", "VIP port %s on provider network %s", port.LogicalPort, p.datapathName(port.Datapath))
	if len(rows) == 0 && a.step("OVN", false, reason.NoRow,
		"no Load_Balancer row is named %s: OVN has one once the balancer has members", port.BalancerName()) {
		a.Try = "openstack loadbalancer status show " + port.BalancerName()
	}
	if !slices.Contains(cidrAddrs(port), addr) {
		a.step("policy", false, reason.UnknownProvider, "the VIP is taken from neutron:cidrs, which does not name the "+
			"address; only the mac column does")
	}
	members := slices.ContainsFunc(rows, func(lb *observe.LoadBalancer) bool {
		switches, _ := p.memberSwitches(lb, port)
		return len(switches) > 0
	})
	if !members && a.step("OVN", false, reason.NoMembers,
		"Load_Balancer %s is on no network: it has no members, or only some on its VIP's own", port.BalancerName()) {
		a.Try = "openstack loadbalancer status show " + port.BalancerName()
	}
	var accounts []reason.Account
	for _, gw := range p.gatewaysAnywhere() {
		leads := slices.ContainsFunc(rows, func(lb *observe.LoadBalancer) bool { return p.leadsTo(gw, lb, port) })
		if gw.lsp.Datapath != port.Datapath || !leads {
			continue
		}
		way := &account{stop: a.stop}
		way.Account = a.Account
		way.Steps = slices.Clone(a.Steps)
		p.gatewayOwner(way, gw.port)
		p.provider(way, port)
		p.standing(way, port.Datapath, addr)
		accounts = append(accounts, way.Account)
	}
	if len(accounts) > 0 {
		return furthest(accounts)
	}
	a.step("ownership", false, reason.NoGateway, "no router with a gateway on the VIP's network leads to its members")
	return a.Account
}

// gatewaysAnywhere lists the gateways of routers on whichever chassis. Their
// network is not filled in: it may not be reached from here.
func (p *pass) gatewaysAnywhere() []gateway {
	var out []gateway
	for cr := range p.sb.Ports.All() {
		if cr.Type != observe.PortChassisRedirect {
			continue
		}
		if lsp, ok := p.sb.ProviderSide(cr); ok {
			out = append(out, gateway{port: cr, lsp: lsp})
		}
	}
	return out
}

// explainForwardings accounts for an address that is a VIP of a balancer on a
// router (R12), which is what a port forwarding is. What is in the way is told
// only of an address that nothing else accounts for: a balancer with a VIP port
// has the same VIP in its row.
func (p *pass) explainForwardings(addr netip.Addr, have []reason.Account) []reason.Account {
	var accounts []reason.Account
	for _, lb := range p.sb.Balancers {
		if !slices.Contains(lb.VIPAddrs(), addr) {
			continue
		}
		_, routers := p.sb.BalancerDatapaths(lb)
		if len(routers) == 0 {
			a := &account{}
			a.What = "VIP of balancer " + lb.Name
			a.step("OVN", false, reason.NoGateway, "Load_Balancer %s has no port for its VIP and names no router "+
				"(lr_datapath_group): the chassis that has it cannot be determined", lb.Name)
			accounts = append(accounts, a.Account)
		}
		for _, gw := range p.gatewaysAnywhere() {
			if slices.Contains(routers, gw.port.Datapath) && !p.hasPort(gw.lsp.Datapath, addr) {
				accounts = append(accounts, p.explainForwarding(lb, gw, addr))
			}
		}
	}
	if len(accounts) == 0 {
		return have
	}
	best := furthest(accounts)
	best.Aside = len(have) > 0
	return append(have, best)
}

// explainForwarding follows R12 through one gateway. The option is checked after the subnet:
// turning it on would not help an address that is outside of it.
func (p *pass) explainForwarding(lb *observe.LoadBalancer, gw gateway, addr netip.Addr) reason.Account {
	a := &account{}
	a.What = "port forwarding by balancer " + lb.Name
	a.step("OVN", true, "", "VIP of Load_Balancer %s on router %s, without a port of its own", lb.Name,
		p.datapathName(gw.port.Datapath))
	if !inGatewaySubnet(gw.port, addr) {
		a.step("policy", false, reason.NoSubnet, "it is not in the subnet of the router's gateway %s, as a floating IP "+
			"would be", gw.port.LogicalPort)
	}
	if !p.cfg.PortForwardings {
		if !gw.port.Chassis.IsZero() {
			a.candidate(p.sb.ChassisName(gw.port.Chassis))
		}
		if a.step("policy", false, reason.OptionOff, "port forwardings are exposed on request, and "+
			"expose_port_forwardings is off") {
			a.Try = "expose_port_forwardings: true on the gateway nodes"
		}
	}
	p.gatewayOwner(a, gw.port)
	p.provider(a, gw.lsp)
	p.standing(a, gw.lsp.Datapath, addr)
	return a.Account
}
