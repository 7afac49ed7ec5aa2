package bgp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Explain accounts for one address: which rows mention it, who would announce
// it and what stands in the way here. It follows the same rules as Desired, row
// by row, and is meant for one address, not for speed.
func (d *Driver) Explain(snap observe.Snapshot, addr netip.Addr) []reason.Account {
	var scratch object.Set
	p := d.newPass(snap, &scratch)
	var out []reason.Account
	for _, port := range snap.SB.Ports {
		switch {
		case port.Type == observe.PortPatch:
			out = append(out, p.explainNAT(port, addr)...)
		case port.Type == observe.PortChassisRedirect && slices.Contains(portAddrs(port), addr):
			out = append(out, p.explainGateway(port))
		case port.Type == observe.PortVIF || port.Type == observe.PortVirtual:
			if slices.Contains(portAddrs(port), addr) || slices.Contains(cidrAddrs(port), addr) {
				out = append(out, p.explainPort(port, addr))
			}
		}
	}
	return out
}

// account builds the chain; after the first failure the rest is left out,
// because it would only repeat it.
type account struct {
	reason.Account
	stop bool
}

func (a *account) step(stage string, ok bool, code, format string, args ...any) {
	if a.stop {
		return
	}
	s := reason.Step{Stage: stage, Text: fmt.Sprintf(format, args...), OK: ok}
	if !ok {
		s.Code = code
		a.stop = true
	}
	a.Steps = append(a.Steps, s)
}

// explainPort accounts for a VM's or virtual port.
func (p *pass) explainPort(port *observe.PortBinding, addr netip.Addr) reason.Account {
	a := &account{}
	kind := "port"
	if port.Type == observe.PortVirtual {
		kind = "virtual port"
	}
	a.What = fmt.Sprintf("fixed IP of %s %s", kind, port.LogicalPort)
	if port.IsBalancerVIP() && p.networks.IsProvider(port.Datapath) {
		p.explainBalancer(a, port)
		return a.Account
	}
	if !p.networks.IsProvider(port.Datapath) {
		p.explainTenant(a, port, addr)
		return a.Account
	}
	a.step("OVN", true, "", "Port_Binding %s on provider network %s", port.LogicalPort, p.datapathName(port.Datapath))
	p.owner(a, port)
	p.provider(a, port)
	known := slices.Contains(portAddrs(port), addr)
	if !known && !a.stop {
		a.step("policy", p.cfg.UnknownMACFromCIDRs, reason.UnknownProvider, "the mac column does not name the address, only neutron:cidrs does")
	}
	if !known && a.stop && a.Try == "" && !p.cfg.UnknownMACFromCIDRs {
		a.Try = "set provider_unknown_mac_from_cidrs to take addresses from neutron:cidrs"
	}
	return a.Account
}

// explainBalancer accounts for the VIP of a load balancer, whose port is never
// bound: the node with the gateway in front of the members has it.
func (p *pass) explainBalancer(a *account, port *observe.PortBinding) {
	a.What = "VIP of load balancer " + port.BalancerName()
	rows := p.balancersByName()[port.BalancerName()]
	a.step("OVN", len(rows) > 0, reason.NoRow, "VIP port %s; %d Load_Balancer rows, which exist once it has members", port.LogicalPort, len(rows))
	for _, cr := range p.sb.Ports {
		if cr.Type != observe.PortChassisRedirect {
			continue
		}
		lsp, ok := p.sb.ProviderSide(cr)
		if !ok || lsp.Datapath != port.Datapath {
			continue
		}
		for _, lb := range rows {
			if p.leadsTo(gateway{port: cr, lsp: lsp}, lb) {
				p.owner(a, cr)
				p.provider(a, port)
				return
			}
		}
	}
	a.step("ownership", false, reason.NoGateway, "no router with a gateway on the VIP's network leads to its members")
}

// owner checks that the port is bound here and up, and names who has it.
func (p *pass) owner(a *account, port *observe.PortBinding) {
	if !port.Chassis.IsZero() {
		a.Chassis = append(a.Chassis, p.chassisText(port.Chassis))
	}
	switch {
	case port.Chassis.IsZero():
		a.step("ownership", false, reason.Unbound, "%s is bound to no chassis", port.LogicalPort)
		a.Try = "start the VM, or look for its interface with: ovs-vsctl find Interface external_ids:iface-id=" + port.LogicalPort
	case !p.bound(port):
		a.step("ownership", false, reason.NotOwner, "%s is bound to chassis %s, not here", port.LogicalPort, p.chassisText(port.Chassis))
	case port.Down:
		a.step("ownership", false, reason.PortDown, "%s is bound here but not up", port.LogicalPort)
		a.Try = "ovn-controller reports up once the port's flows are installed; look at its log on this node"
	default:
		a.step("ownership", true, "", "%s is bound to this chassis and up", port.LogicalPort)
	}
}

// provider checks that the network of a port is reachable from here.
func (p *pass) provider(a *account, port *observe.PortBinding) {
	name := p.datapathName(port.Datapath)
	n, ok := p.networks.Of(port.Datapath)
	switch {
	case !p.networks.IsProvider(port.Datapath):
		a.step("policy", false, reason.NotProvider, "network %s has no localnet port: it is not a provider network", name)
	case !ok:
		a.step("policy", false, reason.NotMapped, "the physical network of %s is not in ovn-bridge-mappings of this node", name)
		a.Try = "ovs-vsctl get Open_vSwitch . external_ids:ovn-bridge-mappings"
	default:
		a.step("policy", true, "", "provider network %s by localnet %s on %s, device %s, table %d", name, n.Localnet, n.Bridge.Name, n.Dev, n.Table)
	}
}

// explainNAT accounts for a floating IP in the nat_addresses of a router port.
func (p *pass) explainNAT(port *observe.PortBinding, addr netip.Addr) []reason.Account {
	var out []reason.Account
	for _, nat := range port.NAT {
		if !slices.Contains(nat.Addrs, addr) {
			continue
		}
		a := &account{}
		guard, ok := p.sb.Port(nat.Resident)
		a.What = "floating or gateway IP of router port " + port.LogicalPort
		if ok && guard.Type != observe.PortChassisRedirect {
			a.What = "floating IP of port " + guard.LogicalPort
		}
		a.step("OVN", ok, reason.NoRow, "nat_addresses of %s, resident with port %q", port.LogicalPort, nat.Resident)
		if ok {
			p.owner(a, guard)
		}
		p.provider(a, port)
		out = append(out, a.Account)
	}
	return out
}

// explainGateway accounts for an address of a router's gateway port.
func (p *pass) explainGateway(port *observe.PortBinding) reason.Account {
	a := &account{}
	a.What = "gateway address of router port " + port.Options["distributed-port"]
	lsp, ok := p.sb.ProviderSide(port)
	a.step("OVN", ok, reason.NoRow, "chassisredirect %s with its port on the external network", port.LogicalPort)
	p.owner(a, port)
	if ok {
		p.provider(a, lsp)
	}
	return a.Account
}

// explainTenant accounts for a port on a tenant network, which is announced by
// the node that has the gateway of its router.
func (p *pass) explainTenant(a *account, port *observe.PortBinding, addr netip.Addr) {
	a.step("OVN", true, "", "Port_Binding %s on tenant network %s, bound to %s", port.LogicalPort, p.datapathName(port.Datapath), p.chassisText(port.Chassis))
	cr, ok := p.routerGateway(port.Datapath)
	if !ok {
		a.step("ownership", false, reason.NotProvider, "its network has no router with a gateway")
		return
	}
	if !p.cfg.TenantNetworks && !p.cfg.TenantGUA {
		a.Chassis = append(a.Chassis, p.chassisText(cr.Chassis))
		a.step("policy", false, reason.TenantOff, "it is on a tenant network, and expose_tenant_networks is off")
		a.Try = "expose_tenant_networks: true on the gateway nodes, or give the port a floating IP"
		return
	}
	p.owner(a, cr)
	a.step("policy", p.allowed(addr, port), reason.ScopeDenied, "the tenant filters (address_scopes, globally routable only) allow it")
	p.explainSNAT(a, port.Datapath, cr.Datapath, addr)
}

// routerGateway finds the gateway port of a router on a tenant network.
func (p *pass) routerGateway(network observe.UUID) (*observe.PortBinding, bool) {
	routers := map[observe.UUID]bool{}
	for _, lsp := range p.sb.Ports {
		if lsp.Type == observe.PortPatch && lsp.Datapath == network {
			if lrp, ok := p.sb.Port(lsp.Options["peer"]); ok {
				routers[lrp.Datapath] = true
			}
		}
	}
	for _, cr := range p.sb.Ports {
		if cr.Type == observe.PortChassisRedirect && routers[cr.Datapath] {
			return cr, true
		}
	}
	return nil, false
}

// datapathName is what people call a logical switch or router.
func (p *pass) datapathName(u observe.UUID) string {
	if d, ok := p.datapath(u); ok {
		return d.Name()
	}
	return u.String()
}

// chassisText names a chassis by host name where it has one.
func (p *pass) chassisText(u observe.UUID) string {
	for _, c := range p.sb.Chassis {
		if c.UUID == u {
			if c.Hostname != "" && c.Hostname != c.Name {
				return c.Name + " (" + c.Hostname + ")"
			}
			return c.Name
		}
	}
	return "no chassis"
}
