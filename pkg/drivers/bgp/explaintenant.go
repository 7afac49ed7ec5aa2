package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// way is one way into a tenant network: a router's port on it and a gateway of
// that router.
type way struct {
	lrp, lsp *observe.PortBinding // the router's and the switch's half
	cr, ext  *observe.PortBinding // the gateway and its port on the external network
	// prefix is the one of lrp that holds the address, unmasked; invalid if
	// none does.
	prefix netip.Prefix
}

// waysTo lists the ways into a tenant network that have a subnet which holds the
// address, or if there is none all others.
func (p *pass) waysTo(network observe.UUID, addr netip.Addr) []way {
	if p.entries == nil {
		p.findEntries()
	}
	var holding []way
	for _, w := range p.entries[network] {
		for _, w.prefix = range prefixesHolding(w.lrp, addr) {
			holding = append(holding, w)
		}
	}
	if len(holding) > 0 {
		return holding
	}
	return p.entries[network]
}

// findEntries fills in p.entries and p.exposed. Many tenants use the same
// addresses, so that the question may come up for a thousand networks at once.
func (p *pass) findEntries() {
	p.deriveOnce()
	gateways := map[observe.UUID][]gateway{} // by router
	for _, gw := range p.gatewaysAnywhere() {
		gateways[gw.port.Datapath] = append(gateways[gw.port.Datapath], gw)
	}
	p.entries = map[observe.UUID][]way{}
	for lrp := range p.sb.Ports.All() {
		lsp, ok := p.tenantSide(lrp)
		if !ok {
			continue
		}
		for _, gw := range gateways[lrp.Datapath] {
			p.entries[lsp.Datapath] = append(p.entries[lsp.Datapath], way{lrp: lrp, lsp: lsp, cr: gw.port, ext: gw.lsp})
		}
	}
}

// prefixesHolding are those of a router port, unmasked.
func prefixesHolding(lrp *observe.PortBinding, addr netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, el := range lrp.Addresses {
		for _, prefix := range el.Addrs {
			if prefix.Masked().Contains(addr) {
				out = append(out, prefix)
			}
		}
	}
	return out
}

// explainTenant accounts for an address on a tenant network, which is announced
// by the node that has the gateway of its router. port is nil if no port has
// the address.
func (p *pass) explainTenant(what string, port *observe.PortBinding, network observe.UUID,
	addr netip.Addr,
) reason.Account {
	ways := p.waysTo(network, addr)
	if len(ways) == 0 {
		a := &account{}
		a.What = what
		p.tenantRow(a, port, network, addr)
		if a.step("ownership", false, reason.NoGateway, "no router with a gateway on an external network has a port on %s",
			p.datapathName(network)) {
			a.Try = "give its router an external gateway"
		}
		return a.Account
	}
	accounts := make([]reason.Account, 0, len(ways))
	for _, w := range ways {
		a := &account{}
		a.What = what
		p.tenantRow(a, port, network, addr)
		p.tenantWay(a, w)
		p.tenantMethod(a, w, port, addr)
		accounts = append(accounts, a.Account)
	}
	return furthest(accounts)
}

// tenantRow says which port has the address, and with method host whether it is
// one that is announced.
func (p *pass) tenantRow(a *account, port *observe.PortBinding, network observe.UUID, addr netip.Addr) {
	name, host := p.datapathName(network), p.cfg.TenantMethod != MethodSubnet
	switch {
	case port == nil && host:
		if a.step("OVN", false, reason.NoRow, "no port on tenant network %s has the address, only a router port its "+
			"subnet; method host announces ports", name) {
			a.Try = "openstack port list --fixed-ip ip-address=" + addr.String()
		}
	case port == nil:
		a.step("OVN", true, "", "no port on tenant network %s has the address, but a router port has its subnet", name)
	case port.IsBalancerVIP():
		a.step("OVN", true, "", "VIP port %s on tenant network %s", port.LogicalPort, name)
	case port.Type == observe.PortVIF && port.Chassis.IsZero() && host:
		if a.step("OVN", false, reason.Unbound, "Port_Binding %s on tenant network %s is bound to no chassis",
			port.LogicalPort, name) {
			a.Try = "start the VM: the port of a tenant network is announced once it is bound, to whichever chassis"
		}
	default:
		a.step("OVN", true, "", "Port_Binding %s on tenant network %s, bound to %s", port.LogicalPort, name,
			p.chassisText(port.Chassis))
	}
}

// tenantWay follows one way in: whether tenants are exposed, whether the
// gateway is here, and whether the subnet is exposed through it.
func (p *pass) tenantWay(a *account, w way) {
	if !p.tenantsExposed() {
		if !w.cr.Chassis.IsZero() {
			a.candidate(p.sb.ChassisName(w.cr.Chassis))
		}
		if a.step("policy", false, reason.TenantOff, "it is on a tenant network, and expose_tenant_networks is off") {
			a.Try = "expose_tenant_networks: true on the gateway nodes, or give the port a floating IP"
		}
		return
	}
	p.gatewayOwner(a, w.cr)
	p.provider(a, w.ext)
	if !w.prefix.IsValid() {
		a.step("policy", false, reason.NoSubnet, "router port %s has no subnet that contains the address", w.lrp.LogicalPort)
		return
	}
	via, ok := gatewayAddr(w.cr, w.prefix.Addr())
	if !ok {
		a.step("policy", false, reason.NoFamily, "gateway %s has no address of the family of %s to route it by",
			w.cr.LogicalPort, w.prefix.Masked())
		return
	}
	if !p.filters(a, "subnet "+w.prefix.Masked().String(), w.prefix.Addr(), w.lsp) {
		return
	}
	if !p.explainSNAT(a, w.lrp.Datapath, w.prefix) {
		return
	}
	n, ok := p.networks.Of(w.ext.Datapath)
	if !ok {
		return // the chain has ended at provider
	}
	mine := func(s subnet) bool { return s.prefix == w.prefix.Masked() && s.via == via && s.network == n }
	if !slices.ContainsFunc(p.exposed[w.lsp.Datapath], mine) {
		a.step("policy", false, reason.Conflict, "%s", p.leftOut(w))
		return
	}
	a.step("policy", true, "", "subnet %s of router port %s is routed via %s on %s", w.prefix.Masked(), w.lrp.LogicalPort,
		via, n.Dev)
}

// tenantMethod ends the chain: with method subnet the subnet's path covers the
// address, with method host the port's own filters apply.
func (p *pass) tenantMethod(a *account, w way, port *observe.PortBinding, addr netip.Addr) {
	if a.stop {
		return
	}
	if p.cfg.TenantMethod == MethodSubnet {
		a.Object = object.NewPath(w.prefix.Masked(), p.cfg.Expose.Origin).Key()
		a.step("policy", true, "", "method subnet: %s is announced as a whole", w.prefix.Masked())
		return
	}
	named := slices.Contains(portAddrs(port), addr) && !port.IsBalancerVIP()
	fromCIDRs := port.IsBalancerVIP() || port.Unknown && len(portAddrs(port)) == 0
	if !named && !fromCIDRs {
		a.step("policy", false, reason.UnknownProvider, "the mac column does not name the address, only neutron:cidrs does")
		return
	}
	if !p.filters(a, "port "+port.LogicalPort, addr, port) {
		return
	}
	if holder := p.Holder(p.networks, addr); holder != "" {
		a.step("policy", false, reason.Conflict, "the address is used on a provider network of this node: %s", holder)
	}
}

// filters checks the tenant filters for an address and the row that carries its
// scope.
func (p *pass) filters(a *account, what string, addr netip.Addr, row *observe.PortBinding) bool {
	scope := row.ExternalIDs[scopeKey(addr)]
	switch code := p.denied(addr, row); {
	case code == reason.NotGlobal:
		a.step("policy", false, code, "%s: only globally routable IPv6 is exposed (expose_ipv6_gua_tenant_networks), "+
			"and %s is not", what, addr)
	case code != "" && scope == "":
		a.step("policy", false, code, "%s: row %s has no address scope, and address_scopes asks for one", what,
			row.LogicalPort)
	case code != "":
		a.step("policy", false, code, "%s: address scope %s of row %s is not in address_scopes", what, scope, row.LogicalPort)
	case !p.cfg.TenantNetworks || len(p.cfg.AddressScopes) > 0:
		a.step("policy", true, "", "%s passes the tenant filters", what)
	}
	return !a.stop
}

// leftOut says why a subnet is not exposed although its gateway is here: what was
// reported of its router port.
func (p *pass) leftOut(w way) string {
	for _, s := range p.Skips() {
		if s.Row == w.lrp.LogicalPort && s.Code == observe.SkipConflict &&
			strings.Contains(s.Text, w.prefix.Masked().String()) {
			return s.Text
		}
	}
	return fmt.Sprintf("subnet %s is not exposed through %s", w.prefix.Masked(), w.cr.LogicalPort)
}

// explainSubnet accounts for an address that no row mentions but a router port
// has the subnet of. Where many networks use the same addresses it tells of the
// one that gets furthest.
func (p *pass) explainSubnet(addr netip.Addr) (reason.Account, bool) {
	var accounts []reason.Account
	seen := map[observe.UUID]bool{}
	for lrp := range p.sb.Ports.All() {
		lsp, ok := p.tenantSide(lrp)
		if !ok || seen[lsp.Datapath] || len(prefixesHolding(lrp, addr)) == 0 {
			continue
		}
		seen[lsp.Datapath] = true
		what := "address in the subnet of router port " + lrp.LogicalPort
		if slices.Contains(portAddrs(lrp), addr) {
			what = "address of router port " + lrp.LogicalPort
		}
		accounts = append(accounts, p.explainTenant(what, nil, lsp.Datapath, addr))
	}
	if len(accounts) == 0 {
		return reason.Account{}, false
	}
	return furthest(accounts), true
}
