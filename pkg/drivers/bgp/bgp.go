// Package bgp is the driver osp_ovn_bgp_driver: it makes the addresses of an
// OpenStack cloud on OVN reachable from the fabric as plain host routes. What
// it exposes from this node:
//
//   - ports of VMs and virtual ports on provider networks that are bound here,
//   - gateway ports of routers whose gateway is here,
//   - floating IPs: distributed ones on the VM's node, others on the gateway's,
//   - VIPs of OVN load balancers behind a gateway that is here,
//   - on request, tenant networks behind a gateway that is here.
//
// It is a pure function of snapshot and configuration and keeps no state. The
// rules R0 to R13 are those of docs/openstack-rules.md.
//
// Read next: Desired below, then one file a group of rules: providerport.go (R1 and
// R2), gateway.go (R4), floatingip.go (R5), tenant.go with snat.go (R7 to R9),
// balancer.go (R10 and R12), gatewayrouter.go (R13). Each file explain*.go accounts
// for the same rules.
package bgp

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Name is the driver's name in the configuration.
const Name = "osp_ovn_bgp_driver"

// Method says how tenant networks are advertised.
type Method string

// The values of advertisement_method_tenant_networks.
const (
	MethodHost   Method = "host"   // each port's address
	MethodSubnet Method = "subnet" // the subnet as a whole
)

// Config are the driver's options, under upstream's names.
type Config struct {
	Expose expose.Options
	// TenantNetworks is expose_tenant_networks.
	TenantNetworks bool
	// TenantGUA is expose_ipv6_gua_tenant_networks; TenantNetworks wins.
	TenantGUA bool
	// TenantMethod is advertisement_method_tenant_networks.
	TenantMethod Method
	// AddressScopes is address_scopes: UUIDs of Neutron address scopes; empty
	// means no filter.
	AddressScopes []string
	// RequireSNATDisabled is require_snat_disabled_for_tenant_networks: subnets
	// whose source addresses their router translates are not exposed. It needs the
	// Northbound rows of a snapshot.
	RequireSNATDisabled bool
	// UnknownMACFromCIDRs takes the addresses of provider ports whose mac
	// column is "unknown" from neutron:cidrs (provider_unknown_mac_from_cidrs).
	UnknownMACFromCIDRs bool
	// PortForwardings is expose_port_forwardings: VIPs of balancers on a router.
	PortForwardings bool
	// GatewayRouters is expose_gateway_routers: routers bound whole to a chassis.
	GatewayRouters bool
}

// Driver implements desired.Driver.
type Driver struct{ cfg Config }

// New returns the driver. Whoever has tenant networks advertised as subnets does
// not have to allow subnets once more.
func New(cfg Config) *Driver {
	cfg.Expose.Export.Subnets = cfg.Expose.Export.Subnets || cfg.TenantMethod == MethodSubnet
	return &Driver{cfg}
}

// Name is osp_ovn_bgp_driver.
func (d *Driver) Name() string { return Name }

// Desired adds what this node is to expose.
func (d *Driver) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	return d.DesiredAgain(nil, snap, out)
}

// DesiredAgain implements [desired.Again].
func (d *Driver) DesiredAgain(m *parts.Memory, snap observe.Snapshot, out *object.Set) []observe.Skip {
	p := d.newPass(m, snap, out)
	p.derive()
	p.parts.End()
	return p.Skips()
}

// The phases of a pass, in their order.
const (
	phaseNetworks    = "networks"
	phaseBase        = "base"
	phaseFound       = "gateways found"
	phasePorts       = "ports"
	phaseGateways    = "gateways"
	phaseBalancers   = "balancers"
	phaseRanges      = "ranges"
	phaseSubnets     = "subnets"
	phaseTenantPorts = "tenant ports"
)

var phases = []string{
	phaseNetworks, phaseFound, phaseBase, phasePorts, phaseGateways, phaseBalancers, phaseRanges, phaseSubnets,
	phaseTenantPorts,
}

// derive goes through all rules. What comes first stands where two want one address:
// provider networks before tenants.
func (p *pass) derive() {
	p.derived = true
	p.parts.Part(phaseBase, p.networks, func() { p.Base(p.networks) })
	here := []any{p.networks, p.me, p.chassis}
	parts.Ports(p.parts, phasePorts, "", here, p.port)
	parts.Rows(p.parts, phaseGateways, "", here, p.gatewayPorts(), parts.ByName, func(port *observe.PortBinding) {
		p.row(port, func() { p.gateway(port) })
	})
	p.balancers()
	p.tenants()
}

// port adds what one port leads to by itself.
func (p *pass) port(port *observe.PortBinding) {
	switch port.Type {
	case observe.PortVIF, observe.PortVirtual:
		p.row(port, func() { p.providerPort(port) })
	case observe.PortPatch:
		p.row(port, func() { p.floatingIPs(port) })
	case observe.PortL3Gateway:
		if p.cfg.GatewayRouters {
			p.row(port, func() { p.gatewayRouter(port, p.chassis) })
		}
	}
}

// pass is one run over one snapshot.
type pass struct {
	*expose.Exposer
	parts    *parts.Pass
	fip, vip *expose.Exposer // of floating IPs and of load balancers
	cfg      Config
	sb       *observe.Southbound
	nb       *observe.Northbound // nil if it was not asked for
	nbDoubt  string              // why nb may be old; empty if it is not
	chassis  string              // our system-id
	me       observe.UUID        // our Chassis row; zero if it is missing
	networks *expose.Networks
	gateways []gateway
	// datapaths are those of sb by UUID, filled in when first asked for.
	datapaths map[observe.UUID]*observe.Datapath
	// patches are the ports between switches and routers, and routers the routers on each
	// switch, filled in when first asked for.
	patches []*observe.PortBinding
	routers map[observe.UUID][]observe.UUID
	// exposed are the subnets that are exposed on each tenant network, derived says
	// that everything has been, and entries are for explanations: the ways into each
	// tenant network, filled in when first asked for.
	exposed map[observe.UUID][]subnet
	derived bool
	entries map[observe.UUID][]way
}

// newPass prepares what all rules share: this node's Chassis row, its provider networks
// and the gateways on it. Nothing is derived yet.
func (d *Driver) newPass(m *parts.Memory, snap observe.Snapshot, out *object.Set) *pass {
	begun := parts.Begin(m, snap, out, phases...)
	p := &pass{
		Exposer: expose.In(Name, d.cfg.Expose, begun), parts: begun, cfg: d.cfg, sb: snap.SB, nb: snap.NB,
		nbDoubt: snap.NorthboundDoubt(), chassis: snap.Chassis,
	}
	p.fip, p.vip = p.As(expose.ClassFIP), p.As(expose.ClassVIP)
	if c, ok := snap.SB.ChassisByName(snap.Chassis); ok {
		p.me = c.UUID
	}
	p.networks = p.Networks(phaseNetworks, snap)
	p.patches = p.parts.Select(observe.PortPatch, expose.IsPatch)
	redirects := p.parts.Select(observe.PortChassisRedirect, func(port *observe.PortBinding) bool {
		return port.Type == observe.PortChassisRedirect
	})
	p.gateways = parts.Value(p.parts, phaseFound, []any{p.networks, p.me, redirects}, func() []gateway {
		return p.findGateways(redirects)
	})
	return p
}

// row derives what one port leads to; see [expose.Exposer.Row].
func (p *pass) row(port *observe.PortBinding, derive func()) {
	p.Row("Port_Binding", port.LogicalPort, derive)
}

// bound reports whether the port is bound to this node.
func (p *pass) bound(port *observe.PortBinding) bool {
	return !p.me.IsZero() && port.Chassis == p.me
}

// live reports whether the port is bound here and up. The order matters: up
// stays true on a row whose chassis went away.
func (p *pass) live(port *observe.PortBinding) bool { return p.bound(port) && !port.Down }

// reportProblems reports the values of a row that cannot be parsed. It is called only for
// rows that this node uses: otherwise every node of a cloud would report the same rows.
func (p *pass) reportProblems(port *observe.PortBinding) {
	for _, s := range expose.PortSkip(port) {
		p.Skip(s)
	}
}

// why is the source by which status and explain name the rule and the Port_Binding row.
func (p *pass) why(rule string, port *observe.PortBinding) object.Source {
	return p.Why(rule, "Port_Binding", port.LogicalPort)
}

// whyHere is why for the row whose binding decides which chassis exposes.
func (p *pass) whyHere(rule string, port *observe.PortBinding) object.Source {
	src := p.why(rule, port)
	src.Decides = true
	return src
}

// whyOwn is whyHere for a row that lists the address, too.
func (p *pass) whyOwn(rule string, port *observe.PortBinding) object.Source {
	return listing(object.ListsOwn, p.whyHere(rule, port))
}

// listing returns src as the source that lists the address.
func listing(whose object.Listing, src object.Source) object.Source {
	src.Lists = whose
	return src
}
