package evpn

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Explain accounts for one address: in which VNIs it is, who would announce it,
// and what blocks it here. Tenants may have the same address, so there is
// one account for each of them. It is made for one address, not for speed.
func (d *Driver) Explain(snap observe.Snapshot, addr netip.Addr) []reason.Account {
	return expose.Announcers(snap, d.explain(snap, addr), func(view observe.Snapshot) []reason.Account {
		other := *d // a VTEP that nobody knows from here, but there will be one
		other.cfg.LocalIP, other.cfg.NIC = netip.AddrFrom4([4]byte{192, 0, 2, 1}), ""
		return other.explain(view, addr)
	})
}

// explain is Explain with the system-ids of the chassis that rows point to, whether
// or not they announce the address.
func (d *Driver) explain(snap observe.Snapshot, addr netip.Addr) []reason.Account {
	p := d.newPass(nil, snap, new(object.Set))
	if p.vtep.IsValid() {
		p.desired(snap.Learned)
	}
	var out []reason.Account
	for port := range p.sb.Ports.All() {
		configs := p.configsOf(port.Datapath)
		switch { // what is behind routers is below
		case port.Type == observe.PortChassisRedirect && slices.Contains(portAddrs(port), addr):
			out = append(out, p.explainGateway(port, addr)...)
		case port.Type == observe.PortPatch && len(configs) > 0:
			out = append(out, p.explainFloating(configs, port, addr)...)
		case port.Type != observe.PortVIF && port.Type != observe.PortVirtual:
		case !slices.Contains(portAddrs(port), addr) && !slices.Contains(tenantAddrs(port), addr):
		case len(configs) > 0:
			for _, c := range configs {
				a := p.newAccount("fixed IP of port "+port.LogicalPort, "Port_Binding %s on provider network %s", port.LogicalPort,
					c.row())
				a.owner(port, p.live(port))
				a.provider(c, port, addr)
				out = append(out, a.Account)
			}
		case !p.networks.IsProvider(port.Datapath):
			out = append(out, p.explainTenant(port, addr)...)
		}
	}
	for _, a := range p.explainSubnets(addr) {
		a.Aside = len(out) > 0
		out = append(out, a)
	}
	return out
}

// account builds the chain; after the first failure the rest is left out,
// because it would only repeat it.
type account struct {
	reason.Account
	p    *pass
	stop bool
}

// newAccount begins the account of one address with the row that mentions it.
func (p *pass) newAccount(what, format string, args ...any) *account {
	a := &account{p: p}
	a.What = what
	a.step("OVN", true, "", format, args...)
	return a
}

// step adds a link of the chain. The first that is not ok ends it: later calls add nothing.
func (a *account) step(stage string, ok bool, code, format string, args ...any) {
	if a.stop {
		return
	}
	s := reason.Step{Stage: stage, Text: fmt.Sprintf(format, args...), OK: ok}
	if !ok {
		s.Code, a.stop = code, true
	}
	a.Steps = append(a.Steps, s)
}

// owner checks that the port is bound here, and names who has it. here says whether
// that is enough for the rule at hand, which for most means up too.
func (a *account) owner(port *observe.PortBinding, here bool) {
	name := a.p.chassisText(port.Chassis)
	if id := a.p.sb.ChassisName(port.Chassis); id != "" {
		a.Chassis = append(a.Chassis, id)
	}
	switch {
	case port.Chassis.IsZero():
		a.step("ownership", false, reason.Unbound, "%s is bound to no chassis", port.LogicalPort)
	case a.p.me.IsZero() || port.Chassis != a.p.me:
		a.step("ownership", false, reason.NotOwner, "%s is bound to chassis %s, not here", port.LogicalPort, name)
	case !here:
		a.step("ownership", false, reason.PortDown, "%s is bound here but not up", port.LogicalPort)
	case port.Down:
		a.step("ownership", true, "", "%s is bound to this chassis", port.LogicalPort)
	default:
		a.step("ownership", true, "", "%s is bound to this chassis and up", port.LogicalPort)
	}
}

// vtep checks that there is an address to send VXLAN from.
func (a *account) vtep() {
	ok := a.p.vtep.IsValid()
	text := "VTEP " + a.p.vtep.String()
	if !ok {
		text = "this node has no local address for VXLAN (VTEP)"
	}
	a.step("policy", ok, reason.NoVTEP, "%s", text)
	if !ok && a.Try == "" {
		a.Try = "set evpn_local_ip or evpn_nic, or give lo a /32 address"
	}
}

// path ends the chain with the path that announces the address, if one is
// derived.
func (a *account) path(paths ...object.EVPNPath) {
	if a.stop {
		return
	}
	for _, path := range paths {
		if a.p.parts.Has(path.Key()) {
			a.Object = path.Key()
			return
		}
	}
	a.step("policy", false, reason.NotApplied, "no path is derived for it; bgp-ovn status lists the reason under skipped")
}

// explainTenant accounts for a port on a tenant network, once for each gateway of
// each router on it: each may be in another VPN.
func (p *pass) explainTenant(port *observe.PortBinding, addr netip.Addr) []reason.Account {
	what := "fixed IP of port " + port.LogicalPort
	var out []reason.Account
	for _, lsp := range p.parts.On(port.Datapath) {
		lrp, ok := p.sb.Port(lsp.Options["peer"])
		if lsp.Type != observe.PortPatch || !ok || !serves(lrp, addr) {
			continue
		}
		for _, cr := range p.parts.On(lrp.Datapath) {
			if cr.Type == observe.PortChassisRedirect {
				out = append(out, p.explainThrough(what, port, lsp, lrp, cr, addr)...)
			}
		}
	}
	if len(out) == 0 {
		a := p.newAccount(what, "Port_Binding %s on tenant network %s", port.LogicalPort, p.switchName(port.Datapath))
		a.step("ownership", false, reason.NoGateway, "its network has no router with a gateway and a subnet for it")
		out = append(out, a.Account)
	}
	return out
}

// serves reports whether a router port has the subnet that an address is in.
func serves(lrp *observe.PortBinding, addr netip.Addr) bool {
	return slices.ContainsFunc(lrpPrefixes(lrp), func(c netip.Prefix) bool { return c.Contains(addr) })
}

// explainSubnets accounts for an address in the subnets of router ports, whether or
// not a port has it: subnets may be announced as a whole, and so are routers' own
// addresses.
func (p *pass) explainSubnets(addr netip.Addr) []reason.Account {
	var out []reason.Account
	for lrp := range p.sb.Ports.All() {
		lsp, ok := p.interfacePort(lrp)
		if !ok || !serves(lrp, addr) {
			continue
		}
		for _, cr := range p.parts.On(lrp.Datapath) {
			if cr.Type == observe.PortChassisRedirect && p.concerns(cr, lsp) {
				out = append(out, p.explainThrough("address in the subnet of router port "+lrp.LogicalPort, nil, lsp, lrp, cr,
					addr)...)
			}
		}
	}
	return out
}

// concerns reports whether this driver has to do with what is on a switch behind a
// gateway: the BGPVPN service or evpn.networks says so of one of its ports.
func (p *pass) concerns(cr, lsp *observe.PortBinding) bool {
	side, ok := p.sb.ProviderSide(cr)
	if !ok {
		return false
	}
	return len(p.configsOf(side.Datapath)) > 0 || annotated(side) || annotated(lsp)
}

// explainThrough accounts for an address behind a router's gateway cr, in each VNI into which that
// leads. port is nil if it is the subnet that is told of and not a port with the address.
func (p *pass) explainThrough(what string, port, lsp, lrp, cr *observe.PortBinding, addr netip.Addr) []reason.Account {
	begin := func() *account {
		if port == nil {
			return p.newAccount(what, "router port %s has a subnet on network %s that the address is in", lrp.LogicalPort,
				p.switchName(lsp.Datapath))
		}
		return p.newAccount(what, "Port_Binding %s on tenant network %s behind router port %s, bound to %s",
			port.LogicalPort, p.switchName(port.Datapath), lrp.LogicalPort, p.chassisText(port.Chassis))
	}
	side, ok := p.sb.ProviderSide(cr)
	if !ok {
		a := begin()
		a.step("OVN", false, reason.NoGateway, "gateway %s has no port on an external network", cr.LogicalPort)
		return []reason.Account{a.Account}
	}
	var out []reason.Account
	for _, c := range p.configsOf(side.Datapath) {
		if c.Method == MethodVRF && !annotated(lsp) {
			a := begin()
			a.step("OVN", true, "", "gateway %s with its port on the external network", cr.LogicalPort)
			a.providerTenant(c, lsp, lrp, cr, side, addr)
			out = append(out, a.Account)
		}
	}
	if len(out) > 0 {
		return out
	}
	a := begin()
	a.step("OVN", true, "", "gateway %s with its port on the external network", cr.LogicalPort)
	a.throughVPN(lsp, lrp, cr, side, addr)
	return []reason.Account{a.Account}
}

// throughVPN ends the chain of an address behind a router whose gateway is in a VPN (E2, E3).
func (a *account) throughVPN(lsp, lrp, cr, side *observe.PortBinding, addr netip.Addr) {
	p := a.p
	gateway, ok := p.annotationOf(side)
	a.vpn(ok, side)
	if ok {
		a.What += fmt.Sprintf(" in VNI %d", gateway.vni)
		note, ok := p.annotationOf(lsp)
		a.vpn(ok, lsp)
		a.step("policy", note.same(gateway), reason.VPNMismatch,
			"network port %s has VNI %d and AS %d, gateway port %s has VNI %d and AS %d; they must be the same",
			lsp.LogicalPort, note.vni, note.as, side.LogicalPort, gateway.vni, gateway.as)
	}
	a.owner(cr, p.live(cr))
	n, mapped := p.networks.Of(side.Datapath)
	a.mapped(mapped, side.Datapath)
	a.vtep()
	if a.stop {
		return
	}
	v := p.byVNI[gateway.vni]
	if v == nil {
		a.step("policy", false, reason.NotApplied, "VNI %d has no VRF on this node; "+
			"bgp-ovn status lists the reason under skipped",
			gateway.vni)
		return
	}
	a.vrf(v, n)
	a.path(p.prefixPaths(v, lrp, addr)...)
}

// prefixPaths are those that may announce an address behind a router port: its own
// and, with method subnet, those of the subnets that it is in.
func (p *pass) prefixPaths(v *vrf, lrp *observe.PortBinding, addr netip.Addr) []object.EVPNPath {
	paths := []object.EVPNPath{{Type: object.EVPNPrefix, RD: v.rd, Prefix: hostPrefix(addr)}}
	for _, c := range lrpPrefixes(lrp) {
		if c.Contains(addr) && p.cfg.SubnetMethod {
			paths = append(paths, object.EVPNPath{Type: object.EVPNPrefix, RD: v.rd, Prefix: c.Masked()})
		}
	}
	return paths
}

// providerTenant ends the chain of an address behind a router whose gateway is on a
// provider network with method vrf (P2, P3).
func (a *account) providerTenant(c NetworkConfig, lsp, lrp, cr, side *observe.PortBinding, addr netip.Addr) {
	p := a.p
	a.What += fmt.Sprintf(" in VNI %d", c.VNI)
	exposed := p.cfg.TenantNetworks || p.cfg.TenantGUA
	a.step("policy", exposed, reason.TenantOff, "VNI %d by evpn.networks, and expose_tenant_networks is %s", c.VNI,
		map[bool]string{true: "on", false: "off"}[exposed])
	a.owner(cr, p.live(cr))
	_, mapped := p.networks.Of(side.Datapath)
	a.mapped(mapped, side.Datapath)
	a.vtep()
	if !p.allowed(addr, lsp) {
		a.step("policy", false, reason.ScopeDenied, "%s does not pass expose_ipv6_gua_tenant_networks and address_scopes",
			addr)
	}
	if a.stop {
		return
	}
	v := p.byVNI[c.VNI]
	if v == nil {
		a.step("policy", false, reason.NotApplied, "VNI %d has no VRF on this node; "+
			"bgp-ovn status lists the reason under skipped", c.VNI)
		return
	}
	a.path(p.prefixPaths(v, lrp, addr)...)
}

// vpn checks that a port of a router is in a VPN.
func (a *account) vpn(ok bool, port *observe.PortBinding) {
	text := "%s is in a BGPVPN: it has %s and %s"
	if !ok {
		text = "%s is in no BGPVPN: it has no usable %s and %s"
	}
	a.step("policy", ok, reason.NoVPN, text, port.LogicalPort, keyVNI, keyAS)
	if !ok && a.Try == "" {
		a.Try = "openstack bgpvpn network association create, or router association create; " +
			port.LogicalPort + " gets the annotations then"
	}
}

// mapped checks that a provider network is reached from here.
func (a *account) mapped(ok bool, network observe.UUID) {
	text := "provider network %s is mapped here"
	if !ok {
		text = "network %s is not a provider network that is in ovn-bridge-mappings of this node"
	}
	a.step("policy", ok, reason.NotMapped, text, a.p.switchName(network))
}

// vrf says what the VNI of an address is here.
func (a *account) vrf(v *vrf, n *expose.Network) {
	text := fmt.Sprintf("VNI %d is VRF %s, table %d, rd %s, imports %v, through %s", v.vni, v.dev.Name, v.table, v.rd,
		v.imports, n.Bridge.Name)
	a.step("policy", true, "", "%s", text)
}

// explainGateway accounts for an address of a router's gateway: it leads into its
// VNI, and is announced only by a configured network.
func (p *pass) explainGateway(cr *observe.PortBinding, addr netip.Addr) []reason.Account {
	side, ok := p.sb.ProviderSide(cr)
	if !ok {
		return nil
	}
	begin := func() *account {
		return p.newAccount("gateway address of router port "+cr.Options["distributed-port"], "chassisredirect %s",
			cr.LogicalPort)
	}
	var out []reason.Account
	for _, c := range p.configsOf(side.Datapath) {
		a := begin()
		a.owner(cr, p.live(cr))
		a.provider(c, side, addr)
		out = append(out, a.Account)
	}
	if len(out) > 0 {
		return out
	}
	note, ok := p.annotationOf(side)
	if !ok {
		return nil // it is not this driver's
	}
	a := begin()
	a.What += fmt.Sprintf(" in VNI %d", note.vni)
	a.owner(cr, p.live(cr))
	a.step("policy", false, reason.GatewayOnly, "EVPN announces what is behind a gateway and not its own address")
	return []reason.Account{a.Account}
}

// explainFloating accounts for a floating IP on a configured network, in each of its VNIs.
func (p *pass) explainFloating(configs []NetworkConfig, port *observe.PortBinding, addr netip.Addr) []reason.Account {
	var out []reason.Account
	for _, nat := range port.NAT {
		guard, ok := p.sb.Port(nat.Resident)
		if !slices.Contains(nat.Addrs, addr) || !ok {
			continue
		}
		for _, c := range configs {
			a := p.newAccount("floating IP of port "+guard.LogicalPort, "nat_addresses of %s, resident with port %q",
				port.LogicalPort, nat.Resident)
			a.Aside = slices.Contains(portAddrs(guard), addr) // a gateway's own, which has an account of its own
			a.owner(guard, p.resident(guard))
			a.provider(c, port, addr)
			out = append(out, a.Account)
		}
	}
	return out
}

// provider ends the chain of an address on a configured provider network.
func (a *account) provider(c NetworkConfig, port *observe.PortBinding, addr netip.Addr) {
	_, mapped := a.p.networks.Of(port.Datapath)
	a.mapped(mapped, port.Datapath)
	a.vtep()
	a.step("policy", true, "", "VNI %d by evpn.networks, method %s", c.VNI, c.Method)
	if a.stop {
		return
	}
	a.What += fmt.Sprintf(" in VNI %d", c.VNI)
	var paths []object.EVPNPath
	set := a.p.parts.Standing() // with what the pass has added
	for _, it := range set.SortedOf(object.KindEVPN) {
		path := it.Value.(object.EVPNPath)
		if path.VNI == c.VNI && path.Prefix == hostPrefix(addr) && path.Type != object.EVPNMulticast {
			paths = append(paths, path)
		}
	}
	a.path(paths...)
}

// configsOf are those of the localnets of a switch, each with a VNI: the ones in force here, or else the
// first of others.
func (p *pass) configsOf(datapath observe.UUID) []NetworkConfig {
	var here, elsewhere []NetworkConfig
	for _, port := range p.parts.On(datapath) {
		if port.Type != observe.PortLocalnet {
			continue
		}
		mapped := slices.ContainsFunc(p.networks.All(),
			func(n *expose.Network) bool { return n.Localnet == port.LogicalPort })
		for _, c := range p.cfg.Networks {
			known := slices.ContainsFunc(here, func(o NetworkConfig) bool { return o.VNI == c.VNI && o.Method == c.Method })
			switch {
			case !c.Is(p.sb, port) || known:
			case mapped:
				here = append(here, c)
			default:
				elsewhere = append(elsewhere, c)
			}
		}
	}
	if len(here) == 0 {
		return elsewhere[:min(len(elsewhere), 1)]
	}
	return here
}

// switchName is the name in Datapath_Binding external_ids, or the UUID without one.
func (p *pass) switchName(u observe.UUID) string {
	for _, d := range p.sb.Datapaths {
		if d.UUID == u {
			return d.Name()
		}
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
