package bgp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Explain accounts for one address: which rows mention it, who would announce
// it and what blocks it here. It follows the same rules as Desired, row
// by row, and is made for one address, not for speed. Tenant networks, balancers and
// gateway routers have files of their own.
func (d *Driver) Explain(snap observe.Snapshot, addr netip.Addr) []reason.Account {
	ask := func(view observe.Snapshot) []reason.Account { return d.explain(view, addr) }
	return expose.Announcers(snap, ask(snap), ask)
}

// explain is Explain with the system-ids of the chassis that rows point to, whether
// or not they announce the address.
func (d *Driver) explain(snap observe.Snapshot, addr netip.Addr) []reason.Account {
	var scratch object.Set
	p := d.newPass(nil, snap, &scratch)
	var out []reason.Account
	for port := range snap.SB.Ports.All() {
		switch {
		case port.Type == observe.PortPatch:
			out = append(out, p.explainNAT(port, addr)...)
		case port.Type == observe.PortChassisRedirect && slices.Contains(portAddrs(port), addr):
			out = append(out, p.explainGateway(port, addr))
		case port.Type == observe.PortL3Gateway && p.onGatewayRouter(port, addr):
			out = append(out, p.explainGatewayRouter(port, snap.Chassis, addr))
		case port.Type == observe.PortVIF || port.Type == observe.PortVirtual:
			if slices.Contains(portAddrs(port), addr) || slices.Contains(cidrAddrs(port), addr) {
				out = append(out, p.explainPort(port, addr))
			}
		}
	}
	out = p.explainForwardings(addr, out)
	if a, ok := p.explainSubnet(addr); ok {
		a.Aside = len(out) > 0
		out = append(out, a)
	}
	return out
}

// account builds the chain; after the first failure the rest is left out,
// because it would only repeat it.
type account struct {
	reason.Account
	stop bool
}

// step adds one link. It reports whether this is the first thing in the way, so
// that the caller can say what to do about it.
func (a *account) step(stage string, ok bool, code, format string, args ...any) (blocks bool) {
	if a.stop {
		return false
	}
	s := reason.Step{Stage: stage, Text: fmt.Sprintf(format, args...), OK: ok}
	if !ok {
		s.Code = code
		a.stop = true
	}
	a.Steps = append(a.Steps, s)
	return !ok
}

// candidate names a chassis, by its system-id, to which a row points.
func (a *account) candidate(name string) {
	if name != "" && !slices.Contains(a.Chassis, name) {
		a.Chassis = append(a.Chassis, name)
	}
}

// furthest is the account whose chain goes on for longest: of several ways to
// an address that is the one to tell of. The chassis are those of all ways.
func furthest(accounts []reason.Account) reason.Account {
	best := accounts[0]
	all := &account{}
	for _, a := range accounts {
		_, have := best.Blocked()
		_, blocked := a.Blocked()
		if have && (!blocked || len(a.Steps) > len(best.Steps)) {
			best = a
		}
		for _, name := range a.Chassis {
			all.candidate(name)
		}
	}
	best.Chassis = all.Chassis
	return best
}

// explainPort accounts for a VM's or virtual port.
func (p *pass) explainPort(port *observe.PortBinding, addr netip.Addr) reason.Account {
	kind := "port"
	if port.Type == observe.PortVirtual {
		kind = "virtual port"
	}
	what := fmt.Sprintf("fixed IP of %s %s", kind, port.LogicalPort)
	if port.IsBalancerVIP() {
		what = "VIP of load balancer " + port.BalancerName()
	}
	switch provider := p.networks.IsProvider(port.Datapath); {
	case provider && port.IsBalancerVIP():
		return p.explainBalancer(what, port, addr)
	case !provider:
		return p.explainTenant(what, port, port.Datapath, addr)
	}
	a := &account{}
	a.What = what
	a.step("OVN", true, "", "Port_Binding %s on provider network %s", port.LogicalPort, p.datapathName(port.Datapath))
	p.owner(a, port, p.live(port))
	p.provider(a, port)
	if slices.Contains(portAddrs(port), addr) {
		p.standing(a, port.Datapath, addr)
		return a.Account
	}
	usable := port.Unknown && len(portAddrs(port)) == 0 // what neutron:cidrs is for
	if a.step("policy", usable && p.cfg.UnknownMACFromCIDRs, reason.UnknownProvider,
		"the mac column does not name the address, only neutron:cidrs does") && usable {
		a.Try = "set provider_unknown_mac_from_cidrs to take addresses from neutron:cidrs"
	}
	p.standing(a, port.Datapath, addr)
	return a.Account
}

// owner checks that a row is bound to a chassis, and to this one, and names who
// has it. here says whether that is enough for the rule at hand, which for
// ports that OVN keeps the state of means up too.
func (p *pass) owner(a *account, port *observe.PortBinding, here bool) {
	if !port.Chassis.IsZero() {
		a.candidate(p.sb.ChassisName(port.Chassis))
	}
	switch {
	case port.Chassis.IsZero():
		if a.step("ownership", false, reason.Unbound, "%s is bound to no chassis", port.LogicalPort) {
			a.Try = unboundAdvice(port)
		}
	case !p.bound(port):
		a.step("ownership", false, reason.NotOwner, "%s is bound to chassis %s, not here", port.LogicalPort,
			p.chassisText(port.Chassis))
	case !here:
		if a.step("ownership", false, reason.PortDown, "%s is bound here but not up", port.LogicalPort) {
			a.Try = "ovn-controller reports up once the port's flows are installed; look at its log on this node"
		}
	case port.Down:
		a.step("ownership", true, "", "%s is bound to this chassis", port.LogicalPort)
	default:
		a.step("ownership", true, "", "%s is bound to this chassis and up", port.LogicalPort)
	}
}

// gatewayOwner is owner for the gateway of a router behind which the address
// is, rather than for the row of the address itself.
func (p *pass) gatewayOwner(a *account, cr *observe.PortBinding) {
	if !cr.Chassis.IsZero() && !p.bound(cr) {
		a.candidate(p.sb.ChassisName(cr.Chassis))
		a.step("ownership", false, reason.NoGateway, "the gateway %s of its router is on chassis %s, not here",
			cr.LogicalPort, p.chassisText(cr.Chassis))
		return
	}
	p.owner(a, cr, p.live(cr))
}

// unboundAdvice says where to look when no chassis has a row.
func unboundAdvice(port *observe.PortBinding) string {
	switch port.Type {
	case observe.PortChassisRedirect:
		return "see which chassis may have the gateway, and whether one of them is alive: ovn-nbctl " +
			"lrp-get-gateway-chassis " + port.Options["distributed-port"]
	case observe.PortVirtual:
		return "a virtual port is bound once one of its parents announces the address: " + port.Options["virtual-parents"]
	default:
		return "start the VM, or look for its interface with: ovs-vsctl find Interface external_ids:iface-id=" +
			port.LogicalPort
	}
}

// provider checks that the network of a port is reachable from here.
func (p *pass) provider(a *account, port *observe.PortBinding) {
	name := p.datapathName(port.Datapath)
	n, ok := p.networks.Of(port.Datapath)
	switch {
	case !p.networks.IsProvider(port.Datapath):
		a.step("policy", false, reason.NotProvider, "network %s has no localnet port: it is not a provider network", name)
	case !ok && p.networks.IsReserved(port.Datapath):
		a.step("policy", false, reason.Reserved, "network %s is configured in evpn.networks: osp_ovn_evpn_driver "+
			"exposes it into its VNI", name)
	case !ok:
		if a.step("policy", false, reason.NotMapped, "the physical network of %s is not in ovn-bridge-mappings of this node",
			name) {
			a.Try = "ovs-vsctl get Open_vSwitch . external_ids:ovn-bridge-mappings"
		}
	default:
		a.step("policy", true, "", "provider network %s by localnet %s on %s, device %s, table %d", name, n.Localnet,
			n.Bridge.Name, n.Dev, n.Table)
	}
}

// deriveOnce goes through all rules, which shows what stands where several rows want
// one address.
func (p *pass) deriveOnce() {
	if !p.derived {
		p.derive()
	}
}

// standing checks that an address that would be exposed leads into the network of its
// row: all bridges of a node are one address space, in which each has one place.
func (p *pass) standing(a *account, network observe.UUID, addr netip.Addr) {
	n, ok := p.networks.Of(network)
	if a.stop || !ok {
		return
	}
	if p.deriveOnce(); !p.Leads(n, addr) {
		a.step("policy", false, reason.Conflict, "another row has the address on this node: %s", p.Holder(p.networks, addr))
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
		a.step("OVN", true, "", "nat_addresses of %s, resident with port %q", port.LogicalPort, nat.Resident)
		if !ok {
			a.step("OVN", false, reason.NoRow, "no Port_Binding is named %q", nat.Resident)
		} else {
			p.owner(a, guard, p.resident(guard))
		}
		p.provider(a, port)
		p.standing(a, port.Datapath, addr)
		out = append(out, a.Account)
	}
	return out
}

// explainGateway accounts for an address of a router's gateway port.
func (p *pass) explainGateway(port *observe.PortBinding, addr netip.Addr) reason.Account {
	a := &account{}
	a.What = "gateway address of router port " + port.Options["distributed-port"]
	lsp, ok := p.sb.ProviderSide(port)
	a.step("OVN", ok, reason.NoRow, "chassisredirect %s with its port on the external network", port.LogicalPort)
	p.owner(a, port, p.live(port))
	if ok {
		p.provider(a, lsp)
		p.standing(a, lsp.Datapath, addr)
	}
	return a.Account
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
			return c.Text()
		}
	}
	return "no chassis"
}
